"""When Python runs, in TensorFlow: eagerly in every call, in a `tf.function` when it is traced, of a Session once."""

import functools

import tensorflow as tf

v1 = tf.compat.v1


def eager(ran):
    """Return a function that counts its runs."""

    def scale(x, number):
        ran()
        return x * number

    return lambda x, number: scale(tf.constant(x), number).numpy()


def traced(ran):
    """Return the same traced; a Python number is part of the graph."""

    @tf.function
    def scale(x, number):
        ran()
        return x * number

    return lambda x, number: scale(tf.constant(x), number).numpy()


def with_signature(ran):
    """Return the same with inputs of a declared type: a vector of any length, and a number."""

    @tf.function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([])])
    def scale(x, number):
        ran()
        return x * number

    return lambda x, number: scale(x, number).numpy()


def session(ran):
    """Add the operations to a static graph, in the first call; then only the Session runs."""

    def scale(x, number):
        ran()
        return x * number

    @functools.cache
    def built():
        with tf.Graph().as_default():
            x, number = v1.placeholder(tf.float32, [None]), v1.placeholder(tf.float32, [])
            return v1.Session().make_callable(scale(x, number), [x, number])

    return lambda x, number: built()(x, number)


WAYS = {
    "eager": eager,
    "tf.function": traced,
    "tf.function, input_signature": with_signature,
    "Session": session,
}
