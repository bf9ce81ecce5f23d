"""A wide sum of large temporaries in Keras: eager operations, and a model's prediction."""

import keras
from keras import ops

from impls.keras.runtime import peak_device_memory_bytes


def wide_sum(x):
    """Return the sum over k of tanh(x + k); every term is written before they are summed."""
    terms = [ops.tanh(x + k) for k in range(10)]
    return sum(terms)


def eager(x):
    """Return what computes the sum operation by operation, and what reads a device's peak; it ends on the host."""
    x = ops.convert_to_tensor(x)
    return lambda: ops.convert_to_numpy(wide_sum(x)), peak_device_memory_bytes


def predict(x):
    """Return what computes the sum as a model, from host to host, and what reads a device's peak."""
    rows = x.reshape(1, -1)
    inputs = keras.Input(rows.shape[1:], batch_size=1)
    model = keras.Model(inputs, wide_sum(inputs))
    return lambda: model.predict_on_batch(rows)[0], peak_device_memory_bytes


WAYS = {"keras.ops": eager, "predict_on_batch": predict}
