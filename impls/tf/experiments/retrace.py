"""A small two-layer net in TensorFlow: a function is traced for every new shape, unless it was told of any size."""

import tensorflow as tf

from impls.tf.runtime import synchronize


def net(x, w1, w2):
    """Predict (N, D_out) from (N, D_in)."""
    h = tf.nn.relu(tf.matmul(x, w1))  # (N, H)
    return tf.matmul(h, w2)  # (N, D_out)


def eager(w1, w2):
    """Return what predicts operation by operation; nothing traces it."""
    w1, w2 = tf.constant(w1), tf.constant(w2)
    return waiting(lambda x: net(x, w1, w2)), lambda: None


def function(w1, w2):
    """Return what predicts as a traced function, and how often it was traced."""
    return traced(w1, w2)


def function_any_size(w1, w2):
    """Return the same, with a trace that takes batches of any size (None)."""
    return traced(w1, w2, input_signature=[tf.TensorSpec([None, len(w1)])])


def xla(w1, w2):
    """Return what predicts in a program that XLA has compiled, and how often it was traced."""
    return traced(w1, w2, jit_compile=True)


def session(w1, w2):
    """Return what predicts in a Session: its graph, with a batch of any size, is built once."""
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, len(w1)])
        y = net(x, tf.constant(w1), tf.constant(w2))
        session = tf.compat.v1.Session()
    return lambda batch: session.run(y, {x: batch}), lambda: 1


def traced(w1, w2, **options):
    """Return what predicts as a `tf.function` with these options, and how often it was traced."""
    w1, w2 = tf.constant(w1), tf.constant(w2)
    predict = tf.function(lambda x: net(x, w1, w2), **options)
    return waiting(predict), predict.experimental_get_tracing_count


def waiting(function):
    """Return what predicts for a batch of the host and waits for the device."""

    def predict(x):
        y = function(tf.constant(x))
        synchronize()
        return y

    return predict


WAYS = {
    "eager": eager,
    "tf.function": function,
    "tf.function, a None dimension": function_any_size,
    "tf.function, XLA": xla,
    "Session": session,
}
