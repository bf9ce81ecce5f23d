"""A net whose middle layer is applied another number of times in each step, in NumPy, its gradient written out."""

import numpy as np


def plain(params):
    """Return a step of the net."""
    w_in, w_mid, w_out = params["w_in"], params["w_mid"], params["w_out"]

    def step(x, y, depth):
        hs = [np.maximum(x @ w_in, 0)]
        for _ in range(depth):
            hs.append(np.maximum(hs[-1] @ w_mid, 0))
        error = hs[-1] @ w_out - y
        grad_w_out = hs[-1].T @ (2 * error)
        grad_h = (2 * error) @ w_out.T
        grad_w_mid = np.zeros_like(w_mid)
        for h, h_before in zip(hs[:0:-1], hs[-2::-1], strict=True):
            grad_h = grad_h * (h > 0)
            grad_w_mid += h_before.T @ grad_h
            grad_h = grad_h @ w_mid.T
        grad_w_in = x.T @ (grad_h * (hs[0] > 0))
        return np.square(error).sum(), {"w_in": grad_w_in, "w_mid": grad_w_mid, "w_out": grad_w_out}

    return step


WAYS = {"NumPy": plain}
