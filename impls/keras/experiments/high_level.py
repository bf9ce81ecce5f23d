"""The two-layer net trained by the means that Keras offers, from the highest level to a loop of one's own."""

import keras
import numpy as np

from impls.keras import two_layer


def fit(spec, params, batch, num_steps):
    """Return what trains by `Model.fit`, on an array with the batch as often as there are steps."""
    net = two_layer.build(spec, params)
    x, y = (np.tile(batch[name], (num_steps, 1)) for name in ("x", "y"))
    return lambda: net.fit(x, y, batch_size=len(batch["x"]), shuffle=False, verbose=0), net.get_weights


def train_on_batch(spec, params, batch, num_steps):
    """Return what trains by `Model.train_on_batch`, which returns each loss as a number."""
    net = two_layer.build(spec, params)

    def train():
        for _ in range(num_steps):
            net.train_on_batch(batch["x"], batch["y"])

    return train, net.get_weights


WAYS = {"fit": fit, "train_on_batch": train_on_batch}

if keras.backend.backend() == "tensorflow":  # a loop of one's own is written in the backend's words
    import tensorflow as tf

    def custom_loop(spec, params, batch, num_steps):
        """Return what trains by a step of one's own, traced."""
        net, step = custom_step(spec, params)
        return repeated(tf.function(step), batch, num_steps), net.get_weights

    def custom_loop_eager(spec, params, batch, num_steps):
        """Return what trains by a step of one's own, run by Python line by line."""
        net, step = custom_step(spec, params)
        return repeated(step, batch, num_steps), net.get_weights

    def custom_step(spec, params):
        """Return the net, and a step as Keras' guide writes it."""
        net = two_layer.build(spec, params)

        def step(x, y):
            with tf.GradientTape() as tape:
                loss = two_layer.sum_squared_error(y, net(x, training=True))
            grads = tape.gradient(loss, net.trainable_weights)
            net.optimizer.apply(grads, net.trainable_weights)
            return loss

        return net, step

    def repeated(step, batch, num_steps):
        """Return what takes so many steps with a batch of the host."""

        def train():
            for _ in range(num_steps):
                step(tf.constant(batch["x"]), tf.constant(batch["y"]))

        return train

    WAYS |= {"custom loop, tf.function": custom_loop, "custom loop, eager": custom_loop_eager}
