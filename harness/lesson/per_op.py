"""What does Python cost per operation? A chain of elementwise operations on vectors of 1 to 10⁷ elements.

A way is a function of a vector, float32, that returns a function of nothing which computes the chain of it, waits for
the result, and returns it.
"""

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from harness.lesson.clock import seconds
from impls.arrays import aligned

NUM_OPS = 20
SIZES = tuple(10**power for power in range(8))
NUM_SAMPLES = 5
MIN_SAMPLE_S = 0.005

Way = Callable[[np.ndarray], Callable[[], Any]]


def probe(way: Way) -> Generator[None, None, dict[str, Any]]:
    """Time the chain at every size, in the seconds of one call."""
    samples = []
    for num_elements in SIZES:
        call = way(vector(num_elements))
        call()  # traces and compiles
        num_calls = math.ceil(MIN_SAMPLE_S / seconds(call))
        found = []
        for _ in range(NUM_SAMPLES):
            yield
            found.append(seconds(call, num_calls))
        samples.append(found)
    return {"num_ops": NUM_OPS, "num_elements": list(SIZES), "seconds": samples}


def vector(num_elements: int) -> np.ndarray:
    """Return numbers between 0 and 1, float32, (num_elements,)."""
    return aligned(np.random.default_rng(0).random(num_elements, np.float32))
