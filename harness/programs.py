"""What a parent asks of a program in a worker: to be built, to take its cold stages, and to show what it computes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from harness.problem import PERTURBATION, Problem
from harness.worker import unpack
from harness.workers import Worker

PHASES = ("train_step", "forward")
CALL_TIMEOUT_S = 600.0


def open_program(
    worker: Worker, problem: Problem, key: str, precision: str, perturbation: int = 0, reach: float = PERTURBATION
) -> float:
    """Build the problem's net in a worker under the name `key`; returns the seconds of the stage `build`."""
    packed = problem.packed(precision, perturbation, reach)
    return worker.call("open", CALL_TIMEOUT_S, key=key, request=problem.spec.request, **packed)


def load_model(worker: Worker, problem: Problem) -> float:
    """Import the model's file in a worker; returns seconds, which belong to the stage `import`."""
    return worker.call("load", model=problem.spec.model)


@dataclass
class Launch:
    """One process's cold stages.

    Attributes:
        stages: seconds by phase, then by stage (`import_s`, `build_s`, `trace_s`, `compile_s`, `first_step_s`,
            `second_step_s`).
        peak_memory_bytes: of the process after a phase's first call, by phase; the later one's includes the former's.
        peak_device_memory_bytes: the same of the framework's allocator on the device; None on a CPU.
        teardown_s: until the net was given back; None as long as it lives.
    """

    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    peak_memory_bytes: dict[str, int] = field(default_factory=dict)
    peak_device_memory_bytes: dict[str, int | None] = field(default_factory=dict)
    teardown_s: float | None = None


def launch(worker: Worker, problem: Problem) -> Launch:
    """Take the float32 program `timed` through its cold stages, once; what it computes is recorded there.

    The training step comes first: it is the one whose first call is really cold. The second training step comes last,
    so that the predictions are those after one call.
    """
    launched = Launch()
    import_s = worker.facts["import_s"] + load_model(worker, problem)
    build_s = open_program(worker, problem, "timed", "float32")

    def call(phase: str) -> float:
        seconds, on_host, on_device = worker.call("call", CALL_TIMEOUT_S, key="timed", phase=phase)
        launched.peak_memory_bytes.setdefault(phase, on_host)
        launched.peak_device_memory_bytes.setdefault(phase, on_device)
        return seconds

    for phase in PHASES:
        launched.stages[phase] = {
            "import_s": import_s,
            "build_s": build_s,
            "trace_s": worker.call("trace", CALL_TIMEOUT_S, key="timed", phase=phase),
            "compile_s": worker.call("compile", CALL_TIMEOUT_S, key="timed", phase=phase),
            "first_step_s": call(phase),
        }
    for phase in reversed(PHASES):
        launched.stages[phase]["second_step_s"] = call(phase)
    return launched


def num_launched_steps(worker: Worker, problem: Problem) -> int:
    """Return how many training steps `launch` takes: two calls."""
    return 2 * worker.entry.variant.num_steps(problem.spec.model)


def trace_start(worker: Worker, key: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for layers, prediction, loss and gradients of a program that has taken no step."""
    yield from trace_layers(worker, key)
    yield from trace_forward(worker, key)
    yield from trace_gradients(worker, key)


def trace_layers(worker: Worker, key: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for the output of every layer."""
    worker.call("trace_layers", CALL_TIMEOUT_S, key=key)
    yield from take(worker, key)


def trace_forward(worker: Worker, key: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for the prediction after the steps taken so far."""
    worker.call("call", CALL_TIMEOUT_S, key=key, phase="forward")
    yield from take(worker, key)


def trace_gradients(worker: Worker, key: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for the loss and every gradient."""
    worker.call("trace_gradients", CALL_TIMEOUT_S, key=key)
    yield from take(worker, key)


def trace_call(worker: Worker, key: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for the losses and the state of the next call of the training step."""
    worker.call("call", CALL_TIMEOUT_S, key=key, phase="train_step")
    yield from take(worker, key)


def trace_steps(
    worker: Worker, key: str, num_steps: int, num_taken: int = 0, steps_per_call: int = 1
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for the losses and states up to `num_steps`, and the prediction after 1 and all.

    `num_taken` says how many steps the program has taken already.
    """
    for step in range(num_taken, num_steps + 1, steps_per_call):
        if step > num_taken:
            yield from trace_call(worker, key)
        if step in (1, num_steps):
            yield from trace_forward(worker, key)


def take(worker: Worker, key: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for what a program has recorded."""
    while taken := worker.call("take", key=key):
        yield from ((quantity, unpack(packed)) for quantity, packed in taken.items())
