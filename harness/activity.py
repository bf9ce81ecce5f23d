"""What a GPU did during steps, as the frameworks' own profilers recorded it: kernels, and the time between them.

A profiler makes the host slower, and so may widen the gaps: these figures explain a step time, they do not replace it.
Each framework records through the same interface of the driver (CUPTI), so that a kernel is a kernel in all of them; a
graph of kernels that is launched as a whole may count as one.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from harness.programs import CALL_TIMEOUT_S
from harness.workers import Worker

NUM_CALLS = 20

Kernel = tuple[str, float, float]
"""Name, start and end in seconds, of a kernel, a copy or a fill on the device."""


@dataclass(frozen=True)
class Activity:
    """What one step had the device do, on average.

    Attributes:
        num_kernels: copies and fills included.
        busy_s: at least one of them ran.
        idle_s: from the first one's start to the last one's end, none did.
    """

    num_kernels: float
    busy_s: float
    idle_s: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as the result document holds it."""
        return asdict(self)


def measure(worker: Worker, phase: str) -> Activity | None:
    """Profile some steps of a launched worker; None where its profiler saw nothing on the device.

    Raises:
        WorkerError: the worker or the profiler failed.
    """
    kernels, num_steps = worker.call("kernels", CALL_TIMEOUT_S, key="timed", phase=phase, num_calls=NUM_CALLS)
    return summary(kernels, num_steps) if kernels else None


def summary(kernels: Iterable[Kernel], num_steps: int) -> Activity:
    """Sum up the kernels of so many steps. Kernels may run side by side."""
    by_start = sorted((start_s, end_s) for _, start_s, end_s in kernels)
    busy_s, idle_s, reached_s = 0.0, 0.0, by_start[0][0]
    for start_s, end_s in by_start:
        idle_s += max(0.0, start_s - reached_s)
        busy_s += max(0.0, end_s - max(start_s, reached_s))
        reached_s = max(reached_s, end_s)
    return Activity(len(by_start) / num_steps, busy_s / num_steps, idle_s / num_steps)
