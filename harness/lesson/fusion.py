"""Does the compiler fuse operations? The chain of `per_op` on 10⁷ elements, and how often it goes over the memory.

A way is a function of a vector, float32, that returns two functions of nothing: one computes the chain, waits for the
result, and returns it; the other says how many kernels that takes (None: it cannot be told), and how it was counted.
"""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from harness.lesson.clock import seconds
from harness.lesson.per_op import NUM_OPS, vector

NUM_ELEMENTS = 10**7
NUM_SAMPLES = 5

Way = Callable[[np.ndarray], tuple[Callable[[], Any], Callable[[], tuple[int | None, str]]]]


def probe(way: Way) -> Generator[None, None, dict[str, Any]]:
    """Count kernels, and time the chain, in the seconds of one call."""
    call, count = way(vector(NUM_ELEMENTS))
    call()  # traces and compiles
    num_kernels, how_counted = count()
    samples = []
    for _ in range(NUM_SAMPLES):
        yield
        samples.append(seconds(call))
    return {
        "num_ops": NUM_OPS,
        "num_elements": NUM_ELEMENTS,
        "num_kernels": num_kernels,
        "how_counted": how_counted,
        "seconds": samples,
    }
