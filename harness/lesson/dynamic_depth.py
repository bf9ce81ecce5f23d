"""Dynamic structure is free in eager mode: a net whose middle layer is applied another number of times in each step.

The net is that of jcjohnson's pytorch-examples ("dynamic_net"): a hidden layer with ReLU, then a middle layer 0 to
`max_depth` times with shared weights, then an output layer; the loss is the sum of squares.

A way is a function of the parameters, {"w_in" (D_in, H), "w_mid" (H, H), "w_out" (H, D_out)}, that returns
`step(x, y, depth)` → (loss, gradients by the parameters' names), NumPy. Nothing is updated, so that all ways compute
the same numbers.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.lesson.clock import seconds
from impls.reference.experiments.dynamic_depth import plain

N, D_IN, H, D_OUT = 64, 1000, 100, 10
MAX_DEPTHS = (3, 50)
NUM_STEPS = 100

Arrays = dict[str, np.ndarray]
Step = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, Arrays]]
Way = Callable[[Arrays], Step]


def problem() -> tuple[Arrays, np.ndarray, np.ndarray]:
    """Return parameters, x (N, D_in) and y (N, D_out), float32; deep products neither vanish nor explode."""
    random = np.random.default_rng(0)
    shapes = {"w_in": (D_IN, H), "w_mid": (H, H), "w_out": (H, D_OUT)}
    params = {
        name: random.standard_normal(shape, np.float32) * np.float32(np.sqrt(2 / shape[0]))
        for name, shape in shapes.items()
    }
    return params, random.standard_normal((N, D_IN), np.float32), random.standard_normal((N, D_OUT), np.float32)


def depths(max_depth: int) -> list[int]:
    """Return how often each step applies the middle layer, drawn at random, the same for all ways."""
    return np.random.default_rng(max_depth).integers(0, max_depth, NUM_STEPS, endpoint=True).tolist()


def probe(way: Way) -> dict[str, Any]:
    """Time each step, in the order in which the depths come; those that trace or compile are among them.

    Raises:
        AssertionError: a loss or a gradient is not NumPy's.
    """
    params, x, y = problem()
    expected = plain(params)
    found: dict[str, Any] = {"max_depths": list(MAX_DEPTHS), "depths": [], "seconds": []}
    for max_depth in MAX_DEPTHS:
        step = way(params)
        order = depths(max_depth)
        found["depths"].append(order)
        found["seconds"].append([seconds(functools.partial(step, x, y, depth)) for depth in order])
        for depth in (min(order), max(order)):
            assert_equal(step(x, y, depth), expected(x, y, depth))
    return found


def assert_equal(found: tuple[np.ndarray, Arrays], expected: tuple[np.ndarray, Arrays]) -> None:
    """Compare loss and gradients, the latter relative to their largest entry."""
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-3)
    for name, array in expected[1].items():
        np.testing.assert_allclose(found[1][name], array, atol=1e-3 * float(np.abs(array).max()), err_msg=name)
