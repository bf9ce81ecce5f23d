"""How often the chain goes over the memory in NumPy."""

import numpy as np

from impls.reference.experiments import per_op


class Counted(np.ndarray):
    """An array that counts the operations on it."""

    num_operations = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        """Count an operation, and do it."""
        Counted.num_operations += 1
        plain = [value.view(np.ndarray) if isinstance(value, Counted) else value for value in inputs]
        return getattr(ufunc, method)(*plain, **options).view(Counted)


def numpy(x):
    """Return what computes the chain of x, and what counts its operations."""
    return per_op.numpy(x), count


def count():
    """Return how many operations NumPy is asked for."""
    Counted.num_operations = 0
    per_op.chain(np.ones(1, np.float32).view(Counted))
    return Counted.num_operations, "calls of NumPy's functions"


WAYS = {"NumPy": numpy}
