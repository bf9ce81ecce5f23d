"""How often the chain goes over the memory in Keras."""

import keras

from impls.keras.experiments import per_op


def eager(x):
    """Return what computes the chain of x operation by operation, and what counts them."""
    return per_op.eager(x), count_operations


def predict(x):
    """Return what computes the chain of x as a model; Keras does not show what its backend makes of that."""
    return per_op.predict(x), lambda: (None, "Keras does not show what its backend runs")


def count_operations():
    """Return how many operations Keras records of the chain."""
    inputs = keras.KerasTensor((None,))
    operations = keras.Function(inputs, per_op.chain(inputs)).operations
    return len(operations), "operations of keras.Function"


WAYS = {"keras.ops": eager, "predict_on_batch": predict}
