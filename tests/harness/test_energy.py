"""Energy by a counter that is seldom renewed: on an imaginary GPU of known power; only NVML's calls are false."""

# ruff: noqa: N802 - the functions have the names that NVML gives them
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness import energy
from harness.energy import CounterError, Gpu, Reading
from harness.workers import WorkerError

POWER_W = 300.0
RENEWED_S = 0.1
STEP_S = 0.004


class NVMLError(Exception):
    pass


class Nvml(SimpleNamespace):
    """What `pynvml` offers, for one GPU that draws `POWER_W` and counts it ten times a second."""

    NVMLError = NVMLError
    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    def __init__(self) -> None:
        super().__init__(is_open=False, slowdowns=0, broken=())

    def nvmlInit(self) -> None:
        self._need("init")
        self.is_open = True

    def nvmlShutdown(self) -> None:
        self.is_open = False

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        self._need(f"GPU {index}")
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, _: int) -> int:
        self._need("energy")
        return int(1e3 * POWER_W * RENEWED_S * (time.perf_counter() // RENEWED_S))

    def nvmlDeviceGetClockInfo(self, _: int, __: int) -> int:
        return 1980

    def nvmlDeviceGetTemperature(self, _: int, __: int) -> int:
        return 61

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _: int) -> int:
        return self.slowdowns

    def _need(self, what: str) -> None:
        if what in self.broken:
            raise NVMLError("Not Supported")


@pytest.fixture
def nvml(monkeypatch):
    found = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", found)
    yield found
    assert not found.is_open


class Steady:
    """A worker whose steps take `STEP_S` each."""

    def call(self, name: str, _: float, *, key: str, phase: str, num_iterations: int, min_s: float) -> Any:
        assert (name, key, phase, num_iterations) == ("sustain", "timed", "train_step", 5)
        time.sleep(min_s)
        return round(min_s / STEP_S), min_s


def measure(worker: Any, window_s: float = 0.5) -> energy.Energy:
    with Gpu("0") as gpu:
        return energy.measure(worker, "train_step", 5, gpu, window_s)


@pytest.mark.usefixtures("nvml")
def test_the_energy_of_a_step_is_power_times_time() -> None:
    """A twentieth: a renewed count is seen up to one poll late."""
    found = measure(Steady())
    assert found.power_w == pytest.approx(POWER_W, rel=0.05)
    assert found.step_energy_j == pytest.approx(POWER_W * STEP_S, rel=0.05)
    assert found.clock_hz == (1980e6, 1980e6, 1980e6)
    assert (found.temperature_c, found.slowdowns) == (61, ())


def readings(*counts_j: float, **changes: Any) -> list[Reading]:
    return [Reading(at_s, count_j, 1e9, 50, 0)._replace(**changes) for at_s, count_j in enumerate(counts_j)]


def test_only_whole_periods_of_the_counter_count() -> None:
    """The count was renewed at 2, 4 and 6 s; what was drawn before the first and after the last is not known."""
    found = energy.energy(readings(0, 0, 100, 100, 700, 700, 1300, 1300), step_s=0.5)
    assert (found.window_s, found.power_w, found.step_energy_j) == (4, 300, 150)


@pytest.mark.parametrize("counts_j", [(), (5,), (5, 5, 5), (5, 5, 6, 6)])
def test_a_count_that_stands_still_is_no_energy(counts_j) -> None:
    with pytest.raises(CounterError, match="stood still"):
        energy.energy(readings(*counts_j), step_s=0.5)


def test_what_lowered_the_clock_is_told_in_words() -> None:
    seen = [*readings(0, 1, slowdowns=0x01), *readings(2, 3, slowdowns=0x24)]
    found = energy.energy([one._replace(at_s=at_s) for at_s, one in enumerate(seen)], step_s=0.5)
    assert found.slowdowns == ("its power limit", "heat (driver)")
    assert found.as_dict()["slowdowns"] == ["its power limit", "heat (driver)"]


@pytest.mark.usefixtures("nvml")
def test_a_gpu_may_be_named_by_its_uuid() -> None:
    with Gpu("GPU-8932f937") as gpu:
        assert gpu.read().temperature_c == 61


@pytest.mark.parametrize(
    ("broken", "reason"),
    [("init", "does not answer"), ("GPU 0", "shows no GPU 0"), ("energy", "does not count its energy")],
)
def test_a_card_without_the_counter_says_so(nvml, broken, reason) -> None:
    nvml.broken = (broken,)
    with pytest.raises(CounterError, match=reason), Gpu("0"):
        pytest.fail("it was opened")


def test_without_the_library_the_message_names_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(CounterError, match="pip install nvidia-ml-py"), Gpu("0"):
        pytest.fail("it was opened")


@pytest.mark.usefixtures("nvml")
def test_a_worker_that_fails_ends_the_reading() -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise WorkerError("crashed", "ended", "")

    with pytest.raises(WorkerError):
        measure(SimpleNamespace(call=fail))
