"""Records: what several launches, a control and other modes become in the result document."""

import random
from typing import Any

import pytest

from harness import records
from harness.problem import Problem
from harness.programs import Launch
from harness.records import CONTROL, Timing
from harness.schedule import Measurement, Series
from impls import registry

STAGES = ("import_s", "build_s", "trace_s", "compile_s", "first_step_s", "second_step_s")
ENTRY = next(entry for entry in registry.variants().values() if entry.backend == "reference")
PROBLEM = Problem.of("two_layer", "tiny", seed=0)
NUM_ROUNDS = 12


def series(step_s: float, seed: int, dispatch_share: float = 0.25, num_rounds: int = NUM_ROUNDS) -> Series:
    """Rounds of two blocks of four steps, scattered by 0.2 %."""
    draw = random.Random(seed)
    found = Series(num_iterations=4, block_s=4 * step_s)
    for _ in range(num_rounds):
        walls_s = [4 * step_s * draw.uniform(0.998, 1.002) for _ in range(2)]
        found.rounds_s.append([wall_s / 4 for wall_s in walls_s])
        found.samples += [(wall_s, wall_s, 0, dispatch_share * wall_s) for wall_s in walls_s]
    return found


def measurement(**steps_s: float) -> Measurement:
    """One launch; the control is the baseline's twin."""
    found = {name: series(step_s, seed) for seed, (name, step_s) in enumerate(steps_s.items())}
    if ENTRY.name in steps_s:
        found[CONTROL] = series(steps_s[ENTRY.name], 99)
    return Measurement(found, {}, "median", NUM_ROUNDS, "rounds")


def launch(first_step_s: float) -> Launch:
    stages = dict.fromkeys(STAGES, 1.0) | {"first_step_s": first_step_s}
    return Launch({"train_step": stages}, {"train_step": int(1e6 * first_step_s)}, teardown_s=0.5)


def record_of(name: str, timing: Timing, *launches: Launch) -> dict[str, Any]:
    cold = records.launch_record(launches, "train_step")
    empty = records.untimed_cell(PROBLEM, "train_step", ENTRY, "cpu", {})
    return empty | cold | records.timed_record(name, timing, cold["launches"])


def test_launches_that_agree_are_pooled() -> None:
    timing = Timing(ENTRY, [measurement(numpy=1e-3, other=2e-3) for _ in range(3)])
    record = record_of("other", timing, *map(launch, (3.0, 1.0, 2.0)))
    assert len(record["rounds_s"]) == 3 * NUM_ROUNDS
    assert record["launches_agree"] is True
    assert record["ratio"] == pytest.approx(2, rel=0.01)
    assert record["verdict"] == "slower"
    assert record["stages"]["first_step_s"] == 2.0, "the median over launches"
    assert record["peak_memory_bytes"] == 3_000_000, "the largest of any launch"
    assert [found["stages"]["first_step_s"] for found in record["launches"]] == [3.0, 1.0, 2.0]
    assert all(found["ratio"] == pytest.approx(2, rel=0.01) for found in record["launches"])


def test_launches_that_differ_are_told_by_their_range() -> None:
    timing = Timing(ENTRY, [measurement(numpy=1e-3, other=step_s) for step_s in (1.9e-3, 2e-3, 2.1e-3)])
    record = record_of("other", timing, *map(launch, (1.0, 1.0, 1.0)))
    assert record["launches_agree"] is False
    assert record["ratio_low"] <= 1.9 < 2.1 <= record["ratio_high"]


def test_a_cell_without_rounds_in_a_later_launch_keeps_those_it_has() -> None:
    timing = Timing(ENTRY, [measurement(numpy=1e-3, other=2e-3), measurement(numpy=1e-3)])
    record = record_of("other", timing, launch(1.0), launch(1.0))
    assert len(record["rounds_s"]) == NUM_ROUNDS
    assert [found["ratio"] is None for found in record["launches"]] == [False, True]


def test_dispatch_is_a_share_of_the_same_samples() -> None:
    record = record_of(ENTRY.name, Timing(ENTRY, [measurement(numpy=1e-3)]), launch(1.0))
    assert record["dispatch_s"]["median"] == pytest.approx(record["step_time_s"] / 4)
    assert record["dispatch_s"]["low"] <= record["dispatch_s"]["median"] <= record["dispatch_s"]["high"]
    assert record["latency_s"] is None
    assert record["verdict"] == "baseline"


def test_other_modes_have_figures_of_their_own() -> None:
    timing = Timing(ENTRY, [measurement(numpy=1e-3)])
    timing.latency, timing.resident = [measurement(numpy=3e-3)], [measurement(numpy=0.5e-3)]
    record = record_of(ENTRY.name, timing, launch(1.0))
    assert record["latency_s"]["median"] == pytest.approx(3e-3, rel=0.01)
    assert record["resident_step_time_s"]["median"] == pytest.approx(0.5e-3, rel=0.01)


def test_a_group_says_who_overtakes_whom() -> None:
    """`other` starts 10 s later and gains 0.5 ms a step: level after 20,000 steps or so."""
    timing = Timing(ENTRY, [measurement(numpy=1e-3, other=0.5e-3)])
    cells = [
        record_of(ENTRY.name, timing, launch(1.0)) | {"variant": ENTRY.name},
        record_of("other", timing, launch(11.0)) | {"variant": "other"},
    ]
    group = records.group_record(PROBLEM, "train_step", timing, cells)
    (found,) = group["break_even"]
    assert (found["early"], found["late"]) == (ENTRY.name, "other")
    assert found["low"] <= found["num_steps"] <= found["high"]
    assert found["num_steps"] == pytest.approx(20_000, rel=0.05)
    assert group["control"]["ratio"] == pytest.approx(1, rel=0.01)
    assert group["launches"] == [{"num_rounds": NUM_ROUNDS, "stopped_by": "rounds"}]
