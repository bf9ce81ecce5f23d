"""A recurrence over the rows of xs, h = tanh(h·W + x_t), in NumPy: a Python loop, and no graph."""

import numpy as np


def python_loop(w, xs):
    """Return what runs the loop, and what counts operations."""

    def run():
        h = np.zeros((1, len(w)), np.float32)
        for x in xs:
            h = np.tanh(h @ w + x)
        return h

    return run, lambda: None


WAYS = {"NumPy": python_loop}
