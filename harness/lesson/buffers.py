"""Does a graph reuse buffers? The peak of the memory while a wide sum of large temporaries is computed.

A way is a function of a vector x, float32, that returns two functions of nothing: one computes the sum over
k < NUM_TERMS of tanh(x + k), all terms written before they are summed, waits for the result, and returns it; the other
returns the most bytes that were ever handed out on the device (None: the device is the CPU, and the process's resident
memory counts). Each way has a process of its own, whose memory nothing else has stretched.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import psutil

from harness.lesson.per_op import vector
from harness.worker import process_peak_bytes

NUM_TERMS = 10
TENSOR_BYTES = 2**26
"""Twice what the C library at most keeps to itself when it is given back."""
FEW = 1000

Way = Callable[[np.ndarray], tuple[Callable[[], Any], Callable[[], Any]]]


def probe(way: Way) -> dict[str, int]:
    """Return by how much the peak grows in the first call of that size; what was there before it does not count."""
    warm_up, _ = way(vector(FEW))
    warm_up()  # loads compilers, starts threads
    x = vector(TENSOR_BYTES // np.float32().itemsize)  # kept, whether or not the way copies it
    call, device_peak_bytes = way(x)
    ballast = np.ones(max(0, process_peak_bytes() - psutil.Process().memory_info().rss), np.uint8)
    peak_bytes = process_peak_bytes if device_peak_bytes() is None else device_peak_bytes
    before = peak_bytes()
    call()
    growth = peak_bytes() - before
    del ballast  # until here, growth could not hide below an earlier peak
    return {"num_terms": NUM_TERMS, "tensor_bytes": TENSOR_BYTES, "peak_bytes": growth}
