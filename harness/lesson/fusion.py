"""Does the compiler fuse operations? The chain of `per_op` on 10⁷ elements, and how often it goes over the memory.

A way is a function of a vector, float32, that returns two functions of nothing: one computes the chain, waits for the
result, and returns it; the other says how many kernels that takes (None: it cannot be told), and how it was counted.
"""

import resource
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from harness.lesson.clock import seconds
from harness.lesson.per_op import NUM_OPS, vector

NUM_ELEMENTS = 10**7
NUM_SAMPLES = 5

Way = Callable[[np.ndarray], tuple[Callable[[], Any], Callable[[], tuple[int | None, str]]]]


def probe(way: Way) -> Generator[None, None, dict[str, Any]]:
    """Count kernels, and time the chain, in the seconds of one call.

    Page faults are counted as well, as the mean per call. A framework that gives the memory of its temporaries back to
    the operating system gets it again page by page, which can take longer than the operation itself.
    """
    call, count = way(vector(NUM_ELEMENTS))
    call()  # traces and compiles
    num_kernels, how_counted = count()
    samples, num_page_faults = [], 0
    for _ in range(NUM_SAMPLES):
        yield
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        samples.append(seconds(call))
        num_page_faults += resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return {
        "num_ops": NUM_OPS,
        "num_elements": NUM_ELEMENTS,
        "num_kernels": num_kernels,
        "how_counted": how_counted,
        "num_page_faults": num_page_faults / NUM_SAMPLES,
        "seconds": samples,
    }
