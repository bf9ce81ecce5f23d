"""The operations that the machine's ceilings are measured with; see `harness.ceilings`."""

from collections.abc import Callable

import numpy as np


def matmul(n: int, dtype: str) -> Callable[[], np.ndarray]:
    """Return a product of two n×n matrices of ones, by the BLAS library, into the same array every time."""
    a, b = np.ones((n, n), dtype), np.ones((n, n), dtype)
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def copy(num_bytes: int) -> Callable[[], np.ndarray]:
    """Return a copy of an array of `num_bytes` into another; NumPy copies in one thread."""
    source = np.ones(num_bytes // 4, np.float32)
    target = np.zeros_like(source)

    def run() -> np.ndarray:
        np.copyto(target, source)
        return target

    return run
