"""What a parent asks of a program in a worker: to be built, to take its cold stages, and to show what it computes."""

from collections.abc import Iterator

import numpy as np

from harness.problem import Problem
from harness.worker import unpack
from harness.workers import Worker

START_CALLS = ("trace_layers", "trace_forward", "trace_gradients")
PHASES = ("train_step", "forward")
CALL_TIMEOUT_S = 600.0


def open_program(worker: Worker, problem: Problem, key: str, precision: str, perturbation: int = 0) -> float:
    """Build the problem's net in a worker under the name `key`; returns the seconds of the stage `build`."""
    packed = problem.packed(precision, perturbation)
    return worker.call("open", CALL_TIMEOUT_S, key=key, request=problem.spec.request, **packed)


def load_model(worker: Worker, problem: Problem) -> float:
    """Import the model's file in a worker; returns seconds, which belong to the stage `import`."""
    return worker.call("load", model=problem.spec.model)


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


def trace_start(worker: Worker, key: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for layers, prediction, loss and gradients of a program that has taken no step."""
    for call in START_CALLS:
        yield from trace_by(worker, key, call)


def trace_by(worker: Worker, key: str, call: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for what one of `START_CALLS` records."""
    worker.call(call, CALL_TIMEOUT_S, key=key)
    yield from _take(worker)


def trace_step(
    worker: Worker, key: str, step: int, is_taken: bool = False, predict: bool = False
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for loss and state of one step, from 1, and the prediction after it if asked for."""
    worker.call("advance", CALL_TIMEOUT_S, key=key, step=step, is_taken=is_taken, predict=predict)
    yield from _take(worker)


def trace_steps(worker: Worker, key: str, num_steps: int, num_taken: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (quantity, array) for loss and state of each of `num_steps` steps, and the prediction after 1 and all.

    `num_taken` says how many steps the program has taken already: 0 or 1.
    """
    for step in range(1, num_steps + 1):
        yield from trace_step(worker, key, step, is_taken=step <= num_taken, predict=step in (1, num_steps))


def _take(worker: Worker) -> Iterator[tuple[str, np.ndarray]]:
    while taken := worker.call("take"):
        yield from ((quantity, unpack(packed)) for quantity, packed in taken.items())
