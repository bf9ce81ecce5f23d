"""Proves that a program computes the specified function, before anyone looks at its speed.

Two gates (the reasons are in docs/equivalence.md):

1. float64: every quantity agrees with the NumPy oracle to `FLOAT64_LIMIT`. Two different functions do not; two
   roundings of one function do.
2. float32: the error against the float64 oracle is at most `FLOAT32_FACTOR` times the error that the oracle itself
   makes in float32. What depends on a gradient is allowed the same multiple of what the oracle makes of parameters that
   are moved by a few units in the last place: a ReLU or a max-pool that sits on its kink goes one way or the other by
   rounding alone, and takes the gradients of all layers below it along.
"""

import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from harness.problem import Problem
from harness.worker import unpack
from harness.workers import Worker
from impls import registry

FLOAT64_LIMIT = 1e-10
FLOAT32_FACTOR = 8.0
FLOAT32_EPS = float(np.finfo(np.float32).eps)
NUM_PERTURBED = 3
BEFORE_ANY_GRADIENT = ("forward@0", "loss@0")
PHASES = ("train_step", "forward")
BOTH_PRECISIONS = ("float32", "float64")
CALL_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Certificate:
    """One quantity of one program, compared.

    Attributes:
        quantity: `forward@K`, `grad@0/NAME`, `state@K/NAME`, `loss@0`, `loss@1..9`; @K: after K training steps.
        rel_error: ‖measured − oracle‖ over the scale that `Oracle.compare` chooses; None if not comparable.
        detail: why it is not comparable, or the worst element with both values when the limit is exceeded.
    """

    model: str
    size: str
    variant: str
    precision: str
    device: str
    quantity: str
    rel_error: float | None
    limit: float
    passed: bool
    detail: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the certificate as the result document holds it."""
        return asdict(self)


class Oracle:
    """The float64 reference for one problem, kept on disk, and the error that the reference makes in float32.

    Use it as a context manager; `prepare` computes everything in a worker of its own.

    Args:
        problem: the net, its parameters and batches.
        num_steps: training steps to follow.
        num_threads: of the worker.
        starts: the precisions in which prediction and gradients are compared before the first step too. That asks a
            program for functions of their own, which some compilers take long over. Where it is left out, the slots
            after the first step hold the gradients (momentum's velocity is the gradient there); a net whose optimizer
            has no slots is always compared.
    """

    def __init__(
        self, problem: Problem, num_steps: int, num_threads: int, starts: Collection[str] = BOTH_PRECISIONS
    ) -> None:
        self.starts = frozenset(starts if problem.spec.optimizer.slots else BOTH_PRECISIONS)
        self.problem = problem
        self.num_steps = num_steps
        self.num_threads = num_threads
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
        with Worker(entry, self.num_threads, "cpu") as worker:
            worker.start()
            load_model(worker, self.problem)
            for quantity, array in self._trace(worker, "float64", 0):
                path = Path(self._folder.name) / f"{len(self._names)}.npy"
                np.save(path, array)
                self._names[quantity] = path
            for perturbation in range(NUM_PERTURBED + 1):
                for quantity, array in self._trace(worker, "float32", perturbation):
                    if perturbation and quantity in BEFORE_ANY_GRADIENT:
                        continue
                    error, _ = self.compare(quantity, array)
                    own = self.float32_error.get(quantity, FLOAT32_EPS)
                    self.float32_error[quantity] = max(own, error if error is not None else own)

    def _trace(self, worker: Worker, precision: str, perturbation: int) -> Iterator[tuple[str, np.ndarray]]:
        open_program(worker, self.problem, "oracle", precision, perturbation)
        if self.starts:
            yield from trace_start(worker, "oracle")
        yield from trace_steps(worker, "oracle", self.num_steps, num_taken=0)
        worker.call("close", key="oracle")

    def __getitem__(self, quantity: str) -> np.ndarray:
        return np.load(self._names[quantity], mmap_mode="r")

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
            scale = float(np.linalg.norm(self["loss@0"]))
        elif quantity.endswith(".mean"):
            scale = float(np.linalg.norm(np.sqrt(self[quantity.removesuffix(".mean") + ".var"])))
        return relative_error(measured, self[quantity], scale)

    def limit(self, quantity: str, precision: str) -> float:
        """Return the largest relative error that passes."""
        if precision == "float64":
            return FLOAT64_LIMIT
        return FLOAT32_FACTOR * self.float32_error.get(quantity, FLOAT32_EPS)


def open_program(worker: Worker, problem: Problem, key: str, precision: str, perturbation: int = 0) -> float:
    """Build the problem's net in a worker under the name `key`; returns the seconds of the stage `build`."""
    spec = problem.spec
    return worker.call(
        "open",
        CALL_TIMEOUT_S,
        key=key,
        model=spec.model,
        size=spec.size,
        batch_size=spec.batch_size,
        **problem.packed(precision, perturbation),
    )


def load_model(worker: Worker, problem: Problem) -> float:
    """Import the model's file in a worker; returns seconds, which belong to the stage `import`."""
    return worker.call("load", model=problem.spec.model)


def trace_start(worker: Worker, key: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for prediction and gradients of a program that has taken no step."""
    yield from _take(worker, worker.call("trace_start", CALL_TIMEOUT_S, key=key))


def trace_steps(worker: Worker, key: str, num_steps: int, num_taken: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for state and prediction after one step and after `num_steps`, and the losses between.

    `num_taken` says how many steps the program has taken already: 0 or 1.
    """
    for last in sorted({1, num_steps}):
        yield from _take(worker, worker.call("trace_steps", CALL_TIMEOUT_S, key=key, first=num_taken, last=last))
        num_taken = last


def _take(worker: Worker, quantities: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    yield from ((quantity, unpack(worker.call("take", quantity=quantity))) for quantity in quantities)


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
    difference = np.subtract(measured, reference, dtype=np.float64)
    distance = float(np.linalg.norm(difference.ravel()))
    if not np.isfinite(distance):
        num_bad = int(measured.size - np.isfinite(measured).sum())
        return None, f"{num_bad} of {measured.size} values are NaN or infinite"
    norm = float(np.linalg.norm(reference.ravel())) if scale is None else scale
    if norm == 0:
        return (0.0, None) if distance == 0 else (None, f"expected zeros; {worst_element(measured, reference)}")
    return distance / norm, None


def worst_element(measured: np.ndarray, reference: np.ndarray) -> str:
    """Say where two arrays of one shape differ most, with both values."""
    worst = np.unravel_index(int(np.abs(measured - reference).argmax()), measured.shape)
    index = ", ".join(str(int(i)) for i in worst)
    return f"worst element [{index}]: {float(measured[worst])!r}, expected {float(reference[worst])!r}"


def certify(
    worker: Worker,
    oracle: Oracle,
    precision: str,
    quantities: Iterable[tuple[str, np.ndarray]],
    expected: Iterable[str] | None = None,
) -> list[Certificate]:
    """Compare what a worker computed with the oracle, quantity by quantity. One of `expected` (all) left out fails."""
    spec = oracle.problem.spec
    wanted = oracle if expected is None else expected
    findings: dict[str, tuple[float | None, str | None]] = dict.fromkeys(wanted, (None, "was not computed"))
    for quantity, array in quantities:
        if quantity not in oracle:
            findings[quantity] = None, "the oracle has no such quantity"
        elif array.dtype != precision:
            findings[quantity] = None, f"dtype {array.dtype}, expected {precision}"
        else:
            error, detail = oracle.compare(quantity, array)
            if error is not None and error > oracle.limit(quantity, precision):
                detail = worst_element(array, oracle[quantity])
            findings[quantity] = error, detail
    certificates = []
    for quantity, (error, detail) in findings.items():
        limit = oracle.limit(quantity, precision)
        passed = error is not None and error <= limit
        certificates.append(
            Certificate(
                model=spec.model,
                size=spec.size,
                variant=worker.entry.name,
                precision=precision,
                device=worker.facts["device"],
                quantity=quantity,
                rel_error=error,
                limit=limit,
                passed=passed,
                detail=detail,
            )
        )
    return certificates


def launch(worker: Worker, problem: Problem) -> dict[str, dict[str, float]]:
    """Take the float32 program `timed` through its cold stages, once; returns seconds by phase and stage.

    The training step comes first: it is the one whose first call is really cold.
    """
    import_s = worker.facts["import_s"] + load_model(worker, problem)
    build_s = open_program(worker, problem, "timed", "float32")
    stages = {}
    for phase in PHASES:
        compile_s = worker.call("compile", CALL_TIMEOUT_S, key="timed", phase=phase)
        first_step_s = worker.call("first_step", CALL_TIMEOUT_S, key="timed", phase=phase)
        stages[phase] = {
            "import_s": import_s,
            "build_s": build_s,
            "compile_s": compile_s,
            "first_step_s": first_step_s,
        }
    return stages


def prove(worker: Worker, oracle: Oracle) -> list[Certificate]:
    """Pass both gates with a worker whose program `timed` was launched; it has taken one training step.

    float32: the very program that will be timed goes on to step K; a second build of it shows what comes before the
    first step. float64: another build, of the same functions in the same variant.
    """
    certificates = []
    for precision, stepped, num_taken in (("float32", "timed", 1), ("float64", "fresh", 0)):
        with_start = precision in oracle.starts
        if with_start or stepped == "fresh":
            open_program(worker, oracle.problem, "fresh", precision)
        start = trace_start(worker, "fresh") if with_start else iter(())
        steps = trace_steps(worker, stepped, oracle.num_steps, num_taken)
        expected = [name for name in oracle if with_start or not name.startswith(("forward@0", "grad@0"))]
        certificates += certify(worker, oracle, precision, chain(start, steps), expected)
        worker.call("close", key="fresh")
    return certificates
