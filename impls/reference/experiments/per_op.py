"""A chain of 20 elementwise operations in NumPy: every operation is a call from Python into a loop of C."""

import numpy as np


def chain(x):
    """Apply 20 operations to x, one after the other."""
    for _ in range(5):
        x = x * 0.99
        x = x + 0.5
        x = np.maximum(x, 0.1)
        x = x - 0.25
    return x


def numpy(x):
    """Return what computes the chain of x."""
    return lambda: chain(x)


WAYS = {"NumPy": numpy}
