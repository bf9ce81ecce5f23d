"""A matrix product in TensorFlow: on a CPU eager calls, functions and Sessions return when all is computed."""

import tensorflow as tf

from impls.tf.runtime import synchronize


def eager(matrix):
    """Return the eager product, and what waits for one."""
    matrix = tf.constant(matrix)
    return lambda: matrix @ matrix, lambda _: synchronize()


def function(matrix):
    """Return the product as a `tf.function`, and what waits for one."""
    matrix = tf.constant(matrix)
    square = tf.function(lambda: matrix @ matrix)
    return square, lambda _: synchronize()


def session(matrix):
    """Return the product as a static graph, run in a Session: what `run` returns is on the host."""
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, matrix.shape)
        square = tf.matmul(x, x)
        run = tf.compat.v1.Session().make_callable(square, [x])
    return lambda: run(matrix), lambda _: None


WAYS = {"eager": eager, "tf.function": function, "Session": session}
