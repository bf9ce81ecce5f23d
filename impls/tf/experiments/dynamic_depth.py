"""A net whose middle layer is applied another number of times in each step: a Python loop, eager or traced."""

import tensorflow as tf


def loss_and_gradients(params, x, y, depth):
    """Return the sum of squares after `depth` middle layers, and its gradients by name."""
    with tf.GradientTape() as tape:
        tape.watch(params)
        h = tf.nn.relu(x @ params["w_in"])
        for _ in range(depth):
            h = tf.nn.relu(h @ params["w_mid"])
        value = tf.reduce_sum(tf.square(h @ params["w_out"] - y))
    return value, tape.gradient(value, params, unconnected_gradients="zero")


def eager(params):
    """Let Python run the loop."""
    return step(loss_and_gradients, params, int)


def traced(params):
    """Trace a graph for each depth that comes: a Python number is part of the graph."""
    return step(tf.function(loss_and_gradients), params, int)


def looped(params):
    """Trace one graph for all depths: a tensor is an input of the graph, and AutoGraph loops in it."""
    return step(tf.function(loss_and_gradients), params, tf.constant)


def step(function, params, number):
    """Return what computes the loss and its gradients; `number` makes the depth an int or a tensor."""
    params = {name: tf.constant(array) for name, array in params.items()}

    def run(x, y, depth):
        value, grads = function(params, tf.constant(x), tf.constant(y), number(depth))
        return value.numpy(), {name: grad.numpy() for name, grad in grads.items()}

    return run


WAYS = {"eager": eager, "tf.function": traced, "tf.function, for over a tensor": looped}
