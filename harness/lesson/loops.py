"""Loops must be part of a static graph: a recurrence as a Python loop, unrolled into a graph, and as a loop in it.

A way is a function of w (H, H) and xs (length, H). It returns two functions: `run()` computes h ← tanh(h·w + x_t) over
the rows of xs, from h = 0, and returns the last h (1, H) as NumPy; `num_nodes()` counts the operations of its graph,
those inside a loop once, and is None in a way without a graph.
"""

import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from harness.lesson.clock import seconds
from impls.reference.experiments.loops import python_loop

H = 64
LENGTHS = (10, 50, 200)
WARMUP_LENGTH = 2
"""Run first, and not measured: a process's first compilation of all also imports the compiler."""

NUM_SAMPLES = 9

Way = Callable[[np.ndarray, np.ndarray], tuple[Callable[[], np.ndarray], Callable[[], int | None]]]


def inputs(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return w (H, H) and xs (length, H), float32."""
    random = np.random.default_rng(0)
    w = random.standard_normal((H, H), np.float32) / np.float32(np.sqrt(H))
    return w, random.standard_normal((length, H), np.float32)


def probe(way: Way) -> Generator[None, None, dict[str, Any]]:
    """Time the first call and later ones at each length, and count the graph's operations.

    Raises:
        AssertionError: the last h is not NumPy's.
    """
    found: dict[str, Any] = {"lengths": list(LENGTHS), "num_nodes": [], "first_seconds": [], "seconds": []}
    way(*inputs(WARMUP_LENGTH))[0]()
    for length in LENGTHS:
        w, xs = inputs(length)
        start = time.perf_counter()
        run, num_nodes = way(w, xs)
        h = run()
        found["first_seconds"].append(time.perf_counter() - start)
        np.testing.assert_allclose(h, python_loop(w, xs)[0](), atol=1e-4)
        samples = []
        for _ in range(NUM_SAMPLES):
            yield
            run()  # the first one after another way's turn is slow
            samples.append(seconds(run))
        found["seconds"].append(samples)
        found["num_nodes"].append(num_nodes())
    return found
