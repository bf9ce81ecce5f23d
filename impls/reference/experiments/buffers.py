"""A wide sum of large temporaries in NumPy: each of them lives as long as Python has a name for it."""

import numpy as np

from impls.reference.runtime import peak_device_memory_bytes


def numpy(x):
    """Return what computes the sum, and what reads a device's peak."""
    return lambda: wide_sum(x), peak_device_memory_bytes


def wide_sum(x):
    """Return the sum over k of tanh(x + k); every term is written before they are summed."""
    terms = [np.tanh(x + k) for k in range(10)]
    return sum(terms)


WAYS = {"NumPy": numpy}
