"""The float64 reference of one problem, and how far a measured quantity may be from it."""

import math
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from harness import programs
from harness.problem import PERTURBATION, Problem
from harness.workers import Worker
from impls import registry

FLOAT64_LIMIT = 1e-10
FLOAT64_START_LIMIT = 1e-13
FLOAT32_FACTOR = 8.0
EPS = {"fp32": float(np.finfo(np.float32).eps), "tf32": 2.0**-10, "bf16": 2.0**-7}
"""Of each precision's format, the distance from 1 to the next number: no limit of float32 programs is below it."""

REACH = {"fp32": PERTURBATION, "tf32": EPS["tf32"], "bf16": EPS["bf16"]}
"""How far parameters are moved, as a share of themselves. Below float32, what is rounded last leaves the most noise."""

BOTH_PRECISIONS = ("float32", "float64")
NUM_PERTURBED = 3
WITHOUT_ENVELOPE = ("forward@0", "loss@0")
"""No gradient has acted on these yet, and no single layer's rounding shows in them: the sharpest float32 limits."""


class Oracle:
    """The float64 reference for one problem, kept on disk, and the error that the reference makes in float32.

    In a lower precision it is the error that it makes when it rounds as that does (`impls.reference.rounding`).

    Use it as a context manager; `prepare` computes everything in a worker of its own.

    Args:
        problem: the net, its parameters and batches.
        num_steps: training steps to follow.
        num_threads: of the worker.
        starts: the precisions in which prediction, layers and gradients are compared before the first step too. That
            asks a program for functions of their own, which some compilers take long over. Where it is left out, the
            slots after the first step hold the gradients (momentum's velocity is the gradient there); a net whose
            optimizer has no slots is always compared.
        precision: one of `impls.contract.PRECISIONS`, of float32 programs.
    """

    def __init__(
        self,
        problem: Problem,
        num_steps: int,
        num_threads: int,
        starts: Collection[str] = BOTH_PRECISIONS,
        precision: str = "fp32",
    ) -> None:
        self.starts = frozenset(starts if problem.spec.optimizer.slots else BOTH_PRECISIONS)
        self.problem = problem
        self.num_steps = num_steps
        self.num_threads = num_threads
        self.precision = precision
        self.float32_error: dict[str, float] = {}
        self._names: dict[str, Path] = {}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="likeforlike-oracle-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def prepare(self) -> None:
        """Run the reference in float64, in float32, and in float32 from perturbed parameters."""
        entry = next(entry for entry in registry.variants().values() if entry.backend == "reference")
        with Worker(entry, self.num_threads, "cpu", precision=self.precision) as worker:
            worker.start()
            programs.load_model(worker, self.problem)
            for quantity, array in self._trace(worker, "float64", 0):
                path = self._names.setdefault(quantity, Path(self._folder.name) / f"{len(self._names)}.npy")
                np.save(path, array)
            for perturbation in range(NUM_PERTURBED + 1):
                for quantity, array in self._trace(worker, "float32", perturbation):
                    if perturbation and quantity in WITHOUT_ENVELOPE:
                        continue
                    error, _ = self.compare(quantity, array)
                    own = self.float32_error.get(quantity, EPS[self.precision])
                    self.float32_error[quantity] = max(own, error if error is not None else own)

    def _trace(self, worker: Worker, precision: str, perturbation: int) -> Iterator[tuple[str, np.ndarray]]:
        programs.open_program(worker, self.problem, "oracle", precision, perturbation, REACH[self.precision])
        if self.starts:
            yield from programs.trace_start(worker, "oracle")
        yield from programs.trace_steps(worker, "oracle", self.num_steps)
        worker.call("close", key="oracle")

    def __getitem__(self, quantity: str) -> np.ndarray:
        return np.load(self._names[quantity])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, quantity: object) -> bool:
        return quantity in self._names

    def compare(self, quantity: str, measured: np.ndarray) -> tuple[float | None, str | None]:
        """Return `relative_error` of a measured quantity, on the scale that gives it a meaning.

        Most are relative to their own norm. A loss that training has sunk under the rounding floor has no meaningful
        digit of its own: losses are relative to the first one. A channel's mean is only ever subtracted from values
        that spread by its standard deviation: means are relative to that.
        """
        scale = None
        if quantity.startswith("loss@"):
            scale = _norm(self["loss@0"])
        elif quantity.endswith(".mean"):
            scale = _norm(np.sqrt(self[quantity.removesuffix(".mean") + ".var"]))
        return relative_error(measured, self[quantity], scale)

    def limit(self, quantity: str, precision: str) -> float:
        """Return the largest relative error that passes.

        In float64 it is sharper before the first step, where no rounding has been trained with yet, but for layers and
        gradients of a net that normalises by its batch: they are small differences of large sums.
        """
        if precision == "float64":
            is_normalised = quantity.startswith(("layer", "grad")) and self.problem.spec.statistics
            return FLOAT64_START_LIMIT if "@0" in quantity and not is_normalised else FLOAT64_LIMIT
        return FLOAT32_FACTOR * self.float32_error.get(quantity, EPS[self.precision])


def relative_error(
    measured: np.ndarray, reference: np.ndarray, scale: float | None = None
) -> tuple[float | None, str | None]:
    """Compare two arrays in float64.

    Returns:
        (‖measured − reference‖ / ‖reference‖, None), or (None, reason) when the two cannot be compared. `scale`
        replaces ‖reference‖.
    """
    if measured.shape != reference.shape:
        return None, f"shape {measured.shape}, expected {reference.shape}"
    if measured.size == 0:
        return None, "empty"
    num_bad = int(measured.size - np.isfinite(measured).sum())
    if num_bad:
        return None, f"{num_bad} of {measured.size} values are NaN or infinite"
    with np.errstate(over="ignore"):  # a program that diverges leaves numbers that have no square
        distance = _norm(np.subtract(measured, reference, dtype=np.float64))
    if distance == np.inf:
        return None, f"too far off to say how far; {worst_element(measured, reference)}"
    norm = _norm(reference) if scale is None else scale
    if norm == 0:
        return (0.0, None) if distance == 0 else (None, f"expected zeros; {worst_element(measured, reference)}")
    return distance / norm, None


def _norm(array: np.ndarray) -> float:
    """Return the Euclidean norm. NumPy's own calls BLAS, whose threads would fight with the workers' for the cores."""
    return math.sqrt(np.square(array, dtype=np.float64).sum())


def worst_element(measured: np.ndarray, reference: np.ndarray) -> str:
    """Say where two arrays of one shape differ most, with both values."""
    worst = np.unravel_index(int(np.abs(measured - reference).argmax()), measured.shape)
    index = ", ".join(str(int(i)) for i in worst)
    shape = f" of {measured.shape}" if measured.ndim else ""
    return f"worst element [{index}]{shape}: {float(measured[worst])!r}, expected {float(reference[worst])!r}"
