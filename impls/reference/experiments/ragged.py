"""A recurrence over examples of different lengths, h = tanh(h·W + x_t), in NumPy: a Python loop for each."""

import numpy as np


def recurrence(w, xs, lengths):  # noqa: ARG001 - one example at a time needs no mask
    """Return the last h (1, H) of one example (1, length, H)."""
    h = np.zeros((1, len(w)), np.float32)
    for t in range(xs.shape[1]):
        h = np.tanh(h @ w + xs[:, t])
    return h


def one_by_one(w):
    """Let each example have a loop of its own length."""
    return "as they are", lambda xs, lengths: recurrence(w, xs, lengths), lambda: None


WAYS = {"NumPy, one by one": one_by_one}
