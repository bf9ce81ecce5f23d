"""Twenty shapes, one trace.

`predict` is traced anew for every batch size that comes. Change the file so that twenty batch sizes cause one trace,
and all predictions stay what they are. `predict` shall remain a `tf.function`.
"""

import tensorflow as tf


@tf.function
def predict(x, w1, w2):
    """Return y (N, D_out) of x (N, D_in)."""
    return tf.nn.relu(x @ w1) @ w2


def predict_all(batches, w1, w2):
    """Return the predictions for batches of different sizes N, in order."""
    return [predict(x, w1, w2) for x in batches]
