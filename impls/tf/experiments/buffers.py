"""A wide sum of large temporaries in TensorFlow: eager, in a graph, and compiled by XLA."""

import tensorflow as tf

from impls.tf.experiments.per_op import waiting
from impls.tf.runtime import peak_device_memory_bytes


def wide_sum(x):
    """Return the sum over k of tanh(x + k); every term is written before they are summed."""
    terms = [tf.tanh(x + k) for k in range(10)]
    return sum(terms)


def eager(x):
    """Return what computes the sum operation by operation, and what reads a device's peak."""
    return waiting(wide_sum, x), peak_device_memory_bytes


def function(x):
    """Return what computes the sum as one traced function, and what reads a device's peak."""
    return waiting(tf.function(wide_sum), x), peak_device_memory_bytes


def xla(x):
    """Return what computes the sum as one function that XLA has compiled, and what reads a device's peak."""
    return waiting(tf.function(wide_sum, jit_compile=True), x), peak_device_memory_bytes


def session(x):
    """Return what computes the sum in a Session, and what reads a device's peak; x is in it already."""
    with tf.Graph().as_default():
        start = tf.compat.v1.placeholder(tf.float32, x.shape)
        held = tf.Variable(start)
        y = wide_sum(held)
        session = tf.compat.v1.Session()
    session.run(held.initializer, {start: x})
    return lambda: session.run(y), peak_device_memory_bytes


WAYS = {"eager": eager, "tf.function": function, "tf.function, XLA": xla, "Session": session}
