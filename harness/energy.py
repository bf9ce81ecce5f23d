"""What a step costs in energy on a GPU, by the driver's own counter, and what the clock did meanwhile.

NVML counts the whole board's energy, what it draws when idle included, and renews the count some ten times a second. So
a cell takes steps for a window of seconds, with all other workers idle, and the power is that between the first and the
last time that the count was seen to change within it. Nothing is ever set.
"""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from threading import Event
from types import TracebackType
from typing import Any, NamedTuple, Self

from harness.doctor import GPU_SLOWDOWNS
from harness.programs import CALL_TIMEOUT_S
from harness.workers import Worker

SETTLE_S = 0.5
"""At first the clock is still on its way to where the load lets it stay."""

POLL_S = 0.01


class CounterError(Exception):
    """The driver's counters cannot be read; the message says why."""


class Reading(NamedTuple):
    """A GPU at one moment. `slowdowns` is NVML's mask of the reasons for which the clock is lowered."""

    at_s: float
    energy_j: float
    clock_hz: float
    temperature_c: float
    slowdowns: int


@dataclass(frozen=True)
class Energy:
    """What a cell drew over a window of steps.

    Attributes:
        window_s: between the first and the last change of the count.
        power_w: the board's, over the window.
        step_energy_j: power times the mean step time of the window.
        clock_hz: (lowest, median, highest) of the streaming multiprocessors.
        temperature_c: the highest.
        slowdowns: what lowered the clock against the user's wish, in words.
    """

    window_s: float
    power_w: float
    step_energy_j: float
    clock_hz: tuple[float, float, float]
    temperature_c: float
    slowdowns: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as the result document holds it."""
        return {**asdict(self), "clock_hz": list(self.clock_hz), "slowdowns": list(self.slowdowns)}


class Gpu:
    """The counters of one GPU. Use it as a context manager.

    Args:
        name: as `CUDA_VISIBLE_DEVICES` calls it: its number among all of the machine, or its UUID.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> Self:
        try:
            import pynvml  # of nvidia-ml-py, which only machines with a GPU need

            pynvml.nvmlInit()
        except ImportError as error:
            raise CounterError("nvidia-ml-py is not installed; pip install nvidia-ml-py") from error
        except pynvml.NVMLError as error:
            raise CounterError(f"the driver's library does not answer ({error})") from error
        self._nvml = pynvml
        try:
            by_index, by_uuid = pynvml.nvmlDeviceGetHandleByIndex, pynvml.nvmlDeviceGetHandleByUUID
            self._handle = by_index(int(self._name)) if self._name.isdigit() else by_uuid(self._name)
            self.read()
        except pynvml.NVMLError as error:
            pynvml.nvmlShutdown()
            raise CounterError(f"the driver shows no GPU {self._name} ({error})") from error
        except CounterError:
            pynvml.nvmlShutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._nvml.nvmlShutdown()

    def read(self) -> Reading:
        """Read all counters once.

        Raises:
            CounterError: the card or the driver lacks one of them (energy is counted from Volta on).
        """
        nvml, handle = self._nvml, self._handle
        try:
            return Reading(
                time.perf_counter(),
                nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3,  # in mJ since the driver was loaded
                nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM) * 1e6,
                nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
                nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),  # its newer name is not in older drivers
            )
        except nvml.NVMLError as error:
            raise CounterError(f"GPU {self._name} does not count its energy ({error})") from error


def measure(worker: Worker, phase: str, num_iterations: int, gpu: Gpu, window_s: float) -> Energy:
    """Let a launched worker take steps for `window_s`, and read the counters all the while.

    Args:
        worker: its program `timed` is used; all others are idle.
        phase: what a step is.
        num_iterations: steps in a block, after which it waits for the device.
        gpu: the one that the worker computes on.
        window_s: at least some periods of the counter.

    Raises:
        WorkerError: the worker failed.
        CounterError: the counters cannot be read, or stood still.
    """
    arguments = {"key": "timed", "phase": phase, "num_iterations": num_iterations}
    worker.call("sustain", CALL_TIMEOUT_S, **arguments, min_s=SETTLE_S)
    is_over = Event()

    def watch() -> list[Reading]:
        readings = [gpu.read()]
        while not is_over.wait(POLL_S):
            readings.append(gpu.read())
        return readings

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            num_steps, seconds = worker.call("sustain", CALL_TIMEOUT_S, **arguments, min_s=window_s)
        finally:
            is_over.set()
        return energy(watching.result(), seconds / num_steps)


def energy(readings: Sequence[Reading], step_s: float) -> Energy:
    """Return what readings say of steps that took `step_s` each.

    Raises:
        CounterError: the count changed less than twice.
    """
    changes = [later for earlier, later in pairwise(readings) if later.energy_j != earlier.energy_j]
    if len(changes) < 2:
        raise CounterError("the GPU's count of its energy stood still")
    first, last = changes[0], changes[-1]
    window_s = last.at_s - first.at_s
    power_w = (last.energy_j - first.energy_j) / window_s
    clocks = [reading.clock_hz for reading in readings]
    mask = 0
    for reading in readings:
        mask |= reading.slowdowns
    return Energy(
        window_s=window_s,
        power_w=power_w,
        step_energy_j=power_w * step_s,
        clock_hz=(min(clocks), statistics.median(clocks), max(clocks)),
        temperature_c=max(reading.temperature_c for reading in readings),
        slowdowns=tuple(reason for bit, reason in GPU_SLOWDOWNS.items() if mask & bit),
    )
