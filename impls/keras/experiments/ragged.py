"""A recurrence over examples of different lengths, h = tanh(h·W + x_t): `SimpleRNN` with a mask."""

import keras
import numpy as np


def of_any_length(w):
    """Predict each example at its own length."""
    return "as they are", *predicted(w)


def padded(w):
    """Predict each example as if it were the longest."""
    return "padded", *predicted(w)


def one_batch(w):
    """Predict all examples at once."""
    return "one batch", *predicted(w)


def predicted(w):
    """Return the prediction of a layer that leaves its state alone where the mask is 0; Keras counts no traces."""
    xs, mask = keras.Input((None, len(w))), keras.Input((None,), dtype="bool")
    layer = keras.layers.SimpleRNN(len(w), use_bias=False)
    net = keras.Model([xs, mask], layer(xs, mask=mask))
    layer.set_weights([np.eye(len(w)), w])

    def run(xs, lengths):
        return net.predict_on_batch([xs, np.arange(xs.shape[1]) < lengths[:, None]])

    return run, lambda: None


WAYS = {
    "SimpleRNN of any length": of_any_length,
    "SimpleRNN padded": padded,
    "SimpleRNN of one masked batch": one_batch,
}
