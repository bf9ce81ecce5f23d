"""A chain of 20 elementwise operations in Keras: eager operations of `keras.ops`, and a model's prediction."""

import keras
from keras import ops


def chain(x):
    """Apply 20 operations to x, one after the other."""
    for _ in range(5):
        x = x * 0.99
        x = x + 0.5
        x = ops.maximum(x, 0.1)
        x = x - 0.25
    return x


def eager(x):
    """Return what computes the chain of x operation by operation; the last line waits for the result."""
    x = ops.convert_to_tensor(x)
    return lambda: ops.convert_to_numpy(chain(x))


def predict(x):
    """Return what computes the chain of x as a model, which takes x from the host and returns it there."""
    rows = x.reshape(1, -1)
    inputs = keras.Input(rows.shape[1:], batch_size=1)
    model = keras.Model(inputs, chain(inputs))
    return lambda: model.predict_on_batch(rows)[0]


WAYS = {"keras.ops": eager, "predict_on_batch": predict}
