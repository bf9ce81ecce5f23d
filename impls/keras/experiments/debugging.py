"""Debugging in Keras: layers of a model, in the backend's graph or run line by line."""

import keras
import numpy as np
from keras import ops


class Prints(keras.layers.Layer):
    """Print, and double."""

    def call(self, x):
        """Return 2 x."""
        print("x is", x)
        return x * 2


class Stops(keras.layers.Layer):
    """Stop, and double."""

    def call(self, x):
        """Return 2 x."""
        breakpoint()
        return x * 2


class Logarithm(keras.layers.Layer):
    """A logarithm; it is NaN where x is less than 1."""

    def call(self, x):
        """Return the logarithm."""
        return ops.log(x - 1)  # [nan]


class Norm(keras.layers.Layer):
    """The norm of a vector and a weight of zeros; the weight's gradient at 0 is 0/0."""

    def build(self, shape):
        """Make the weight."""
        self.w = self.add_weight(shape=shape[1:], initializer="zeros")

    def call(self, x):
        """Return the norms (N,)."""
        return ops.sqrt(ops.sum(ops.square(x + self.w), axis=1))  # [nan_gradient]


class Product(keras.layers.Layer):
    """Multiply by a matrix."""

    def __init__(self, w):
        super().__init__()
        self.w = w

    def call(self, x):
        """Return the product."""
        return ops.matmul(x, self.w)  # [shape]


def graph():
    """Return what is probed, in models as Keras makes them."""
    return probes(run_eagerly=False)


def line_by_line():
    """Return what is probed, in models that are told to run eagerly."""
    return probes(run_eagerly=True)


def probes(run_eagerly):
    """Return what is probed. A functional model calls its layers once when it is built."""
    return {
        "prints": predict(model(4, Prints(), run_eagerly)),
        "stops": predict(model(4, Stops(), run_eagerly)),
        "nan": predict(model(4, Logarithm(), run_eagerly)),
        "nan_gradient": lambda x: fitted(model(4, Norm(), run_eagerly), x),
        "wrong_shape": {"build": lambda x, w: model(x.shape[1], Product(w), run_eagerly)},
    }


def model(size, layer, run_eagerly):
    """Return a model that is one layer."""
    net = keras.Sequential([keras.Input((size,)), layer])
    net.compile(optimizer="sgd", loss="mse", run_eagerly=run_eagerly)
    return net


def predict(net):
    """Return what predicts for one example."""
    return lambda x: net.predict_on_batch(x[None])[0]


def fitted(net, x):
    """Return the weights after two steps; Keras' search for NaN looks at the loss, and stops the training."""
    net.fit(x[None], np.ones(1), epochs=2, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    return net.get_weights()[0]


WAYS = {"fit and predict": graph, "fit and predict, run_eagerly": line_by_line}
