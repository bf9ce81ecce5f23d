"""What the probes make of ways that behave in a known manner."""

import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

from harness.lesson import asynchrony, buffers, clock, fusion, high_level, per_op, retrace


def run(probe: Generator[None, None, dict[str, Any]]) -> dict[str, Any]:
    """Return what a probe that takes turns found."""
    while True:
        try:
            next(probe)
        except StopIteration as end:
            return end.value


def test_seconds_is_the_mean_over_calls() -> None:
    calls: list[int] = []
    assert clock.seconds(lambda: (time.sleep(0.001), calls.append(0)), 5) >= 0.001
    assert len(calls) == 5


def test_a_call_that_returns_early_is_not_done() -> None:
    """A product that "runs" for 5 ms after the call that starts it has returned."""

    def way(_: np.ndarray) -> tuple[Callable[[], float], Callable[[float], None]]:
        return lambda: time.perf_counter() + 0.005, lambda end: time.sleep(max(0.0, end - time.perf_counter()))

    found = run(asynchrony.probe(way))
    assert len(found["returned_seconds"]) == len(found["done_seconds"]) == asynchrony.NUM_SAMPLES
    assert all(done >= 0.005 > returned for returned, done in zip(*found.values(), strict=True))


def test_the_chain_is_timed_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(per_op, "SIZES", (1, 10))

    def way(x: np.ndarray) -> Callable[[], None]:
        sizes.append(len(x))
        return lambda: time.sleep(0.002)

    found = run(per_op.probe(way))
    assert sizes == found["num_elements"] == [1, 10]
    assert [len(samples) for samples in found["seconds"]] == [per_op.NUM_SAMPLES] * 2
    assert all(sample >= 0.002 for samples in found["seconds"] for sample in samples)


def test_kernels_and_page_faults_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 MiB come fresh from the system each time; pages have 4 KiB, or more."""
    monkeypatch.setattr(fusion, "NUM_ELEMENTS", 10)
    found = run(fusion.probe(lambda _: (lambda: np.ones(2**26, np.uint8), lambda: (3, "fingers"))))
    assert (found["num_kernels"], found["how_counted"]) == (3, "fingers")
    assert 2**26 / 2**21 <= found["num_page_faults"] <= 2 * 2**26 / 2**12
    assert len(found["seconds"]) == fusion.NUM_SAMPLES


def test_every_size_comes_twice_and_the_first_pays() -> None:
    seen: list[int] = []

    def way(*_: np.ndarray) -> tuple[Callable[[np.ndarray], None], Callable[[], int]]:
        def predict(batch: np.ndarray) -> None:
            if len(batch) not in seen:
                seen.append(len(batch))
                time.sleep(0.002)

        return predict, lambda: len(seen)

    found = run(retrace.probe(way))
    assert found["batch_sizes"] == seen
    assert found["num_traces"] == len(set(seen)) == 20
    assert min(found["first_seconds"]) >= 0.002 > min(found["again_seconds"])


def test_a_peak_is_seen_below_an_earlier_one() -> None:
    """Before the call that counts, the process had twice as much memory for a while."""

    def way(x: np.ndarray) -> tuple[Callable[[], np.ndarray], Callable[[], None]]:
        np.ones(2 * x.size, np.float32)
        return lambda: np.ones_like(x), lambda: None

    found = buffers.probe(way)
    assert found["peak_bytes"] == pytest.approx(found["tensor_bytes"], rel=0.1)


def test_memory_of_a_device_counts_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "TENSOR_BYTES", 40)
    peaks = iter([100, 100, 130])  # the first tells that there is a device
    assert buffers.probe(lambda x: (lambda: x, lambda: next(peaks)))["peak_bytes"] == 30


def test_training_is_timed_per_step() -> None:
    def way(*arguments: Any) -> tuple[Callable[[], None], Callable[[], list[np.ndarray]]]:
        *_, num_steps = arguments
        return lambda: time.sleep(0.0001 * num_steps), list

    found = run(high_level.probe(way))
    assert all(sample >= 0.0001 for sample in found["seconds"])
    assert found["num_steps"] == high_level.NUM_STEPS
