"""A wide sum of large temporaries in TensorFlow: eager, in a graph, and compiled by XLA."""

import tensorflow as tf

from impls.tf.experiments.per_op import waiting


def wide_sum(x):
    """Return the sum over k of tanh(x + k); every term is written before they are summed."""
    terms = [tf.tanh(x + k) for k in range(10)]
    return sum(terms)


def eager(x):
    """Return what computes the sum operation by operation."""
    return waiting(wide_sum, x)


def function(x):
    """Return what computes the sum as one traced function."""
    return waiting(tf.function(wide_sum), x)


def xla(x):
    """Return what computes the sum as one function that XLA has compiled."""
    return waiting(tf.function(wide_sum, jit_compile=True), x)


def session(x):
    """Return what computes the sum in a Session; x is in it already."""
    with tf.Graph().as_default():
        start = tf.compat.v1.placeholder(tf.float32, x.shape)
        held = tf.Variable(start)
        y = wide_sum(held)
        session = tf.compat.v1.Session()
    session.run(held.initializer, {start: x})
    return lambda: session.run(y)


WAYS = {"eager": eager, "tf.function": function, "tf.function, XLA": xla, "Session": session}
