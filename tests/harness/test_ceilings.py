"""Ceilings and the roofline: best times become rates, the highest of them is the roof, and nothing is clipped."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from harness import ceilings
from harness.ceilings import Ceiling, Rate
from harness.workers import Worker
from impls import registry

MEMORY = 512 * 2**20


def ceiling(backend: str = "a", matmul: float = 100e9, copies: tuple[float, ...] = (80e9, 30e9, 10e9, 8e9)) -> Ceiling:
    sizes = zip(ceilings.FOOTPRINTS, copies, strict=True)
    return Ceiling("cpu", "float32", Rate(backend, 1024, matmul), tuple(Rate(backend, *rate) for rate in sizes))


class Machine:
    """A worker on an imaginary machine with 1 GFLOP/s and 1 GB/s, whose operations take `overhead_s` more."""

    def __init__(self, overhead_s: float) -> None:
        self.entry, self.device = SimpleNamespace(backend="imaginary"), "cpu"
        self.overhead_s = overhead_s

    def call(self, name: str, *, kind: str, size: int, precision: str, min_s: float) -> float:
        assert (name, precision, min_s) == ("ceiling", "float32", 8.0)
        work = 2 * size**3 if kind == "matmul" else 2 * size
        return work / 1e9 + self.overhead_s


def measure(overhead_s: float) -> Ceiling:
    worker: Any = Machine(overhead_s)
    return ceilings.measure(worker, min_s=8.0)


def test_rates_count_two_operations_per_multiply_add_and_two_bytes_per_byte_copied() -> None:
    found = measure(overhead_s=0)
    assert found.matmul.per_s == pytest.approx(1e9)
    assert [rate.per_s for rate in found.copies] == pytest.approx([1e9] * 4)
    assert tuple(rate.size for rate in found.copies) == ceilings.FOOTPRINTS


def test_matrices_grow_until_starting_a_product_costs_nothing_against_it() -> None:
    """2·1024³ operations take 2.1 s, over a quarter of the trial's 8 s; the smaller ones suffer more from the start."""
    assert measure(overhead_s=0.01).matmul == Rate("imaginary", 1024, 2 * 1024**3 / (2 * 1024**3 / 1e9 + 0.01))


def test_the_roof_is_the_highest_of_all_and_names_who_reached_it() -> None:
    one = ceiling("one", matmul=100e9, copies=(80e9, 30e9, 9e9, 8e9))
    other = ceiling("other", matmul=90e9, copies=(60e9, 40e9, 10e9, 7e9))
    found = ceilings.best([one, other])
    assert found.matmul == Rate("one", 1024, 100e9)
    assert [(rate.backend, rate.per_s) for rate in found.copies] == [
        ("one", 80e9),
        ("other", 40e9),
        ("other", 10e9),
        ("one", 8e9),
    ]


def test_a_small_copy_that_is_slow_to_start_has_the_roof_of_the_large_one() -> None:
    found = ceilings.best([ceiling(copies=(5e9, 300e9, 200e9, 250e9))])
    assert [rate.per_s for rate in found.copies] == [300e9, 300e9, 250e9, 250e9]
    assert tuple(rate.size for rate in found.copies) == ceilings.FOOTPRINTS


def test_ceilings_of_different_devices_are_not_combined() -> None:
    gpu = Ceiling("gpu", "float32", Rate("a", 1024, 1e12), ceiling().copies)
    for several in ([], [ceiling(), gpu]):
        with pytest.raises(ValueError, match="of one device and precision"):
            ceilings.best(several)


@pytest.mark.parametrize(
    ("num_bytes", "expected"), [(10, 80e9), (2**20, 80e9), (2**23 - 1, 80e9), (2**23, 30e9), (10 * MEMORY, 8e9)]
)
def test_bandwidth_is_that_of_the_footprint_that_the_traffic_reaches(num_bytes: int, expected: float) -> None:
    assert ceiling().bandwidth(num_bytes).per_s == expected


def test_the_roof_slopes_and_is_flat_beyond_the_ridge() -> None:
    """In memory at 8 GB/s and 100 GFLOP/s the ridge is at 12.5 FLOP per byte."""
    one_each = ceilings.attainable_flops_per_s(MEMORY, MEMORY, ceiling())
    assert one_each == 8e9
    assert ceilings.attainable_flops_per_s(25 * MEMORY // 2, MEMORY, ceiling()) == 100e9
    assert ceilings.attainable_flops_per_s(1000 * MEMORY, MEMORY, ceiling()) == 100e9


@pytest.mark.parametrize("fraction", [0.25, 1.0, 1.5])
def test_a_fraction_is_not_clipped(fraction: float) -> None:
    step_time_s = MEMORY / 8e9 / fraction
    assert ceilings.achieved_fraction(MEMORY, MEMORY, step_time_s, ceiling()) == pytest.approx(fraction)


def test_a_real_worker_is_measured() -> None:
    entry = next(entry for entry in registry.variants().values() if entry.backend == "reference")
    with Worker(entry, num_threads=1, device="cpu") as worker:
        worker.start()
        small, large = (
            worker.call("ceiling", kind="matmul", size=n, precision="float32", min_s=0.01) for n in (64, 256)
        )
        copy_s = worker.call("ceiling", kind="copy", size=2**20, precision="float32", min_s=0.01)
    assert 0 < copy_s < math.inf
    assert large > 8 * small > 0, "64 times the work took about the same time: it was not done"
