"""Where a host array begins in memory decides whether a framework has to copy it."""

import numpy as np

ALIGNMENT_BYTES = 64
"""Of a cache line, and of the widest vector. XLA's CPU client and TensorFlow's Session read a host array in place if it
begins at a multiple of this, and copy it otherwise. Where `malloc` decides that, two processes of one program differ by
9 %; so every backend prepares its batches with `aligned`."""


def aligned(array: np.ndarray, dtype: np.dtype | None = None) -> np.ndarray:
    """Return a C-ordered copy, in `dtype` if given, that begins at a multiple of `ALIGNMENT_BYTES`."""
    dtype = array.dtype if dtype is None else dtype
    num_bytes = array.size * dtype.itemsize
    memory = np.empty(num_bytes + ALIGNMENT_BYTES, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT_BYTES
    copy = memory[start : start + num_bytes].view(dtype).reshape(array.shape)
    copy[...] = array
    return copy
