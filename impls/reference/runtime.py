"""How a worker drives the NumPy nets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from impls.arrays import aligned
from impls.contract import Arrays, Variant
from impls.reference.rounding import LowPrecision
from impls.specs import ModelSpec

_precision = "fp32"


def configure(
    variant: Variant,  # noqa: ARG001 - there is one
    num_threads: int,
    device: str,
    precision: str = "fp32",
) -> dict[str, Any]:
    """Set the threads of the BLAS library that NumPy's matrix products call; all else in NumPy has one thread.

    Other precisions than "fp32" are imitated (`rounding`), for the certificates' sake; it takes far longer.

    Raises:
        RuntimeError: `device` is not "cpu", or the BLAS library did not take the number of threads.
    """
    global _precision
    _precision = precision
    if device != "cpu":
        raise RuntimeError("NumPy computes on the CPU only: choose --device cpu, or leave out the variant numpy")
    threadpool_limits(num_threads)
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    for library in blas:
        if library["num_threads"] != num_threads:
            raise RuntimeError(f"{library['internal_api']} runs {library['num_threads']} threads, not {num_threads}")
    flags = {library["internal_api"]: f"{library['version']}, {library['num_threads']} threads" for library in blas}
    return {"device": "cpu", "device_name": "cpu", "versions": {"numpy": np.__version__}, "flags": flags}


def peak_device_memory_bytes() -> None:
    """Return None: NumPy computes on the CPU."""


def _rounded(arrays: Arrays) -> dict[str, np.ndarray]:
    return {name: LowPrecision.of(array, _precision) for name, array in arrays.items()}


class Program:
    """One net, run as it is written: NumPy has no graph, no compiler and no queue. See `impls.contract.Program`."""

    def __init__(self, implementation: Any, spec: ModelSpec, params: Arrays, variant: Variant) -> None:  # noqa: ARG002
        """Build the net in the dtype of `params`."""
        self._implementation = implementation
        self._dtype = np.result_type(*(params[tensor.name] for tensor in spec.params))
        self._net = implementation.build(spec, params)
        self._is_rounded = _precision != "fp32" and self._dtype == np.float32
        if self._is_rounded:
            net = self._net
            net.params, net.statistics, net.slots = map(_rounded, (net.params, net.statistics, net.slots))

    def prepare(self, batch: Arrays) -> dict[str, np.ndarray]:
        """Return aligned copies of the batch in the net's dtype; the canonical layout is NumPy's own here."""
        arrays = {name: aligned(array, self._dtype) for name, array in batch.items()}
        return _rounded(arrays) if self._is_rounded else arrays

    def place(self, batch: Arrays) -> Arrays:
        """Return `batch`: it is where the processor reads it."""
        return batch

    def trace(self, phase: str, batch: Arrays) -> None:
        """Do nothing."""

    def compile(self, phase: str, batch: Arrays) -> None:
        """Do nothing."""

    def forward(self, batch: Arrays) -> np.ndarray:
        """Predict in eval mode."""
        return self._implementation.forward(self._net, batch)

    def layers(self, batch: Arrays) -> Mapping[str, np.ndarray]:
        """Return the output of every layer that has parameters, in train mode."""
        return self._implementation.layer_outputs(self._net, batch)

    def gradients(self, batch: Arrays) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Return (loss, gradients by canonical name)."""
        return self._implementation.gradients(self._net, batch)

    def train_step(self, batch: Arrays) -> np.ndarray:
        """Update the net once; return the loss from before the update."""
        return self._implementation.train_step(self._net, batch)

    def ledger(self, phase: str) -> dict[str, str]:  # noqa: ARG002 - the same for all
        """Return what NumPy does at its calls; the BLAS library is the one that has the process's products."""
        blas = {library["internal_api"] for library in threadpool_info() if library["user_api"] == "blas"}
        return {
            "layout": "canonical: NCHW, OIHW, (in, out); C order",
            "donation": "none; parameters are updated in place",
            "synchronisation": "none needed: calls wait",
            "compiler": f"none; products by {', '.join(sorted(blas)) or 'NumPy itself'}",
            "caches": "none",
            "precision": str(self._dtype),
        }

    def synchronize(self) -> None:
        """Return at once: NumPy has finished when it returns."""

    def to_numpy(self, value: Any, kind: str = "plain") -> np.ndarray:  # noqa: ARG002 - canonical already
        """Return `value` as an array."""
        return np.asarray(value)

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters, statistics and slots."""
        net = self._net
        return {name: array.copy() for name, array in {**net.params, **net.statistics, **net.slots}.items()}
