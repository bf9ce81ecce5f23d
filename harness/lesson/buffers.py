"""Does a graph reuse buffers? The peak of the process's memory while a wide sum of large temporaries is computed.

A way is a function of a vector x, float32, that returns a function of nothing which computes the sum over
k < NUM_TERMS of tanh(x + k), all terms written before they are summed, waits for the result, and returns it. Each way
has a process of its own, whose memory nothing else has stretched.
"""

import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil

from impls.arrays import aligned

NUM_TERMS = 10
TENSOR_BYTES = 2**26
"""Twice what the C library at most keeps to itself when it is given back."""
FEW = 1000

Way = Callable[[np.ndarray], Callable[[], Any]]


def probe(way: Way) -> dict[str, int]:
    """Return by how much the peak grows in the first call of that size; what was there before it does not count."""
    way(vector(FEW))()  # loads compilers, starts threads
    x = vector(TENSOR_BYTES // np.float32().itemsize)  # kept, whether or not the way copies it
    call = way(x)
    ballast = np.ones(max(0, peak_bytes() - psutil.Process().memory_info().rss), np.uint8)
    before = peak_bytes()
    call()
    growth = peak_bytes() - before
    del ballast  # until here, growth could not hide below an earlier peak
    return {"num_terms": NUM_TERMS, "tensor_bytes": TENSOR_BYTES, "peak_bytes": growth}


def vector(num_elements: int) -> np.ndarray:
    """Return numbers between 0 and 1, float32, (num_elements,)."""
    return aligned(np.random.default_rng(0).random(num_elements, np.float32))


def peak_bytes() -> int:
    """Return the high-water mark of this process's resident memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
