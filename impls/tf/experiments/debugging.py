"""Debugging in TensorFlow: functions that Python runs line by line, the same traced, and as a static graph."""

import tensorflow as tf

v1 = tf.compat.v1


def prints(x):
    """Print, and double."""
    print("x is", x)
    return x * 2


def stops(x):
    """Stop, and double."""
    breakpoint()
    return x * 2


def logarithm(x):
    """Return a logarithm; it is NaN where x is less than 1."""
    return tf.math.log(x - 1)  # [nan]


def norm(x):
    """Return the norm of x; its gradient at 0 is 0/0."""
    return tf.sqrt(tf.reduce_sum(x * x))  # [nan_gradient]


def norm_gradient(x):
    """Return the gradient of the norm."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = norm(x)
    return tape.gradient(value, x)


def product(x, w):
    """Multiply matrices."""
    return tf.matmul(x, w)  # [shape]


def eager():
    """Return what is probed, run by Python."""
    return {
        "prints": on_tensors(prints),
        "stops": on_tensors(stops),
        "nan": searched(on_tensors(logarithm)),
        "nan_gradient": searched(on_tensors(norm_gradient)),
        "wrong_shape": {"run": on_tensors(product)},
    }


def traced():
    """Return what is probed, as `tf.function`."""
    return {
        "prints": on_tensors(tf.function(prints)),
        "stops": on_tensors(tf.function(stops)),
        "nan": searched(on_tensors(tf.function(logarithm))),
        "nan_gradient": searched(on_tensors(tf.function(norm_gradient))),
        "wrong_shape": {
            "trace": on_tensors(tf.function(product).get_concrete_function),
            "run": on_tensors(tf.function(product)),
        },
    }


def session():
    """Return what is probed, as static graphs."""
    return {
        "prints": built(prints, 4),
        "stops": built(stops, 4),
        "nan": searched(lambda x: built(logarithm, 4)(x)),
        "nan_gradient": searched(lambda x: built(lambda x: tf.gradients(norm(x), x)[0], 4)(x)),
        "wrong_shape": {"build": lambda x, w: built(product, x.shape, w.shape)},
    }


def built(function, *shapes):
    """Build a function's graph, and return what runs it."""
    with tf.Graph().as_default():
        placeholders = [v1.placeholder(tf.float32, shape) for shape in shapes]
        result = function(*placeholders)
        run = v1.Session().run
    return lambda *arrays: run(result, dict(zip(placeholders, arrays, strict=True)))


def searched(function):
    """Let TensorFlow search every result for NaN and infinity; of a graph, those that are added to it meanwhile."""

    def run(x):
        tf.debugging.enable_check_numerics()
        try:
            return function(x)
        finally:
            tf.debugging.disable_check_numerics()

    return run


def on_tensors(function):
    """Return the function of NumPy's arrays."""
    return lambda *arrays: function(*map(tf.constant, arrays))


WAYS = {"eager": eager, "tf.function": traced, "Session": session}
