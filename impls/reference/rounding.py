"""What tensor cores and their like do to float32, imitated: products of operands with fewer bits, exact sums.

The reference itself stays as it is written: its arrays become `LowPrecision` ones, which round what enters a matrix
product. In "bf16" what leaves it is rounded too, since mixed precision stores it so.
"""

from typing import Any, Self

import numpy as np

MANTISSA_BITS = {"tf32": 10, "bf16": 7}
"""Without the leading one, which is not stored. The exponent is float32's in both."""

STORED = frozenset({"bf16"})
"""Formats that a product's result is stored in; a TF32 product leaves float32."""


def rounded(x: np.ndarray, precision: str) -> np.ndarray:
    """Return float32 `x` with fewer bits, to the nearest such number, ties to even; NaN and infinities stay."""
    dropped = 23 - MANTISSA_BITS[precision]
    bits = np.ascontiguousarray(x).view(np.uint32)
    up = np.uint32((1 << (dropped - 1)) - 1) + ((bits >> np.uint32(dropped)) & np.uint32(1))
    kept = (bits + up) >> np.uint32(dropped) << np.uint32(dropped)
    return np.where(np.isfinite(x), kept.view(np.float32), x)


class LowPrecision(np.ndarray):
    """A float32 array whose matrix products are those of another precision, and so is all that is made of it."""

    precision: str

    @classmethod
    def of(cls, array: np.ndarray, precision: str) -> Self:
        """Return a view of a float32 array."""
        view = array.view(cls)
        view.precision = precision
        return view

    def __array_finalize__(self, source: Any) -> None:
        """Take the precision along to views and copies."""
        if source is not None:
            self.precision = getattr(source, "precision", "")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """Compute as NumPy does, but for the operands of a product."""
        plain = [_plain(value) for value in inputs]
        if ufunc is np.matmul:
            plain = [rounded(value, self.precision) for value in plain]
        if out is not None:
            options["out"] = tuple(map(_plain, out))
        found = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul and self.precision in STORED:
            np.copyto(found, rounded(found, self.precision))
        return self._like(found) if out is None else out[0]

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        """Let NumPy's other functions run as ever; what comes out has this precision, also where NumPy forgets it."""
        return self._like(super().__array_function__(function, types, arguments, options))

    def _like(self, found: Any) -> Any:
        if isinstance(found, np.ndarray) and found.dtype == np.float32 and not isinstance(found, LowPrecision):
            return LowPrecision.of(found, self.precision)
        return found


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, LowPrecision) else value
