"""Debugging in NumPy: Python runs every line."""

import numpy as np


def prints(x):
    """Print, and double."""
    print("x is", x)
    return x * 2


def stops(x):
    """Stop, and double."""
    breakpoint()
    return x * 2


def logarithm(x):
    """Return a logarithm; NumPy can raise where a NaN arises."""
    with np.errstate(invalid="raise"):
        return np.log(x - 1)  # [nan]


def norm_gradient(x):
    """Return the gradient of the norm of x, by hand."""
    with np.errstate(invalid="raise"):
        return x / np.sqrt(np.sum(x * x))  # [nan_gradient]


def product(x, w):
    """Multiply matrices."""
    return x @ w  # [shape]


def plain():
    """Return what is probed."""
    return {
        "prints": prints,
        "stops": stops,
        "nan": logarithm,
        "nan_gradient": norm_gradient,
        "wrong_shape": {"run": product},
    }


WAYS = {"NumPy": plain}
