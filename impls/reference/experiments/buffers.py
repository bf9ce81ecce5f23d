"""A wide sum of large temporaries in NumPy: each of them lives as long as Python has a name for it."""

import numpy as np


def numpy(x):
    """Return what computes the sum."""
    return lambda: wide_sum(x)


def wide_sum(x):
    """Return the sum over k of tanh(x + k); every term is written before they are summed."""
    terms = [np.tanh(x + k) for k in range(10)]
    return sum(terms)


WAYS = {"NumPy": numpy}
