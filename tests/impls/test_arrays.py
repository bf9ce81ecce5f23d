"""Aligned copies: they begin where frameworks can read them in place, and are otherwise the same arrays."""

import numpy as np
import pytest

from impls.arrays import ALIGNMENT_BYTES, aligned


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (5, 7), (2, 3, 4, 5)], ids=str)
def test_a_copy_begins_at_a_multiple(shape: tuple[int, ...], dtype: str) -> None:
    drawn = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for original in (drawn, drawn.T):
        copies = [aligned(original) for _ in range(8)]  # malloc would not place all of them well by luck
        assert all(copy.ctypes.data % ALIGNMENT_BYTES == 0 for copy in copies)
        for copy in copies:
            np.testing.assert_array_equal(copy, original)
            assert copy.dtype == original.dtype
            assert copy.flags.c_contiguous
            assert not np.shares_memory(copy, original)
