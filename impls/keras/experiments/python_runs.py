"""When Python runs, in Keras: a layer's `call` when the model is built, and when its backend traces it."""

import keras
import numpy as np


class Scale(keras.layers.Layer):
    """Multiply a vector by a number."""

    def __init__(self, ran):
        super().__init__()
        self.ran = ran

    def call(self, x, number):
        """Return the product."""
        self.ran()
        return x * number


def predict(ran):
    """Build a functional model; building calls the layer once, before any prediction."""
    x, number = keras.Input((), dtype="float32"), keras.Input((), dtype="float32")
    net = keras.Model([x, number], Scale(ran)(x, number))
    return lambda array, value: net.predict_on_batch([array, np.full(array.shape, value, np.float32)])


def run_eagerly(ran):
    """Let Keras call the layer in every prediction."""
    x, number = keras.Input((), dtype="float32"), keras.Input((), dtype="float32")
    net = keras.Model([x, number], Scale(ran)(x, number))
    net.compile(run_eagerly=True)
    return lambda array, value: net.predict_on_batch([array, np.full(array.shape, value, np.float32)])


WAYS = {"predict_on_batch": predict, "predict_on_batch, run_eagerly": run_eagerly}
