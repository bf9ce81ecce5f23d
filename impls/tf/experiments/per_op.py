"""A chain of 20 elementwise operations in TensorFlow: eager, traced, compiled by XLA, and in a Session."""

import tensorflow as tf

from impls.tf.runtime import synchronize


def chain(x):
    """Apply 20 operations to x, one after the other."""
    for _ in range(5):
        x = x * 0.99
        x = x + 0.5
        x = tf.maximum(x, 0.1)
        x = x - 0.25
    return x


def eager(x):
    """Return what computes the chain of x operation by operation."""
    return waiting(chain, x)


def function(x):
    """Return what computes the chain of x as one traced function."""
    return waiting(tf.function(chain), x)


def xla(x):
    """Return what computes the chain of x as one function that XLA has compiled."""
    return waiting(tf.function(chain, jit_compile=True), x)


def waiting(function, x):
    """Return what calls a function of x and waits for the device."""
    x = tf.constant(x)

    def call():
        result = function(x)
        synchronize()
        return result

    return call


def session(x):
    """Return what computes the chain of x in a Session; x is in it already."""
    with tf.Graph().as_default():
        start = tf.compat.v1.placeholder(tf.float32, x.shape)
        held = tf.Variable(start)
        y = chain(held)
        session = tf.compat.v1.Session()
    session.run(held.initializer, {start: x})
    return lambda: session.run(y)


WAYS = {"eager": eager, "tf.function": function, "tf.function, XLA": xla, "Session": session}
