"""The table that a run ends with: each size on its own, and the lanes apart."""

from typing import Any

from harness import summary
from harness.bare_loop import Against, Cost
from harness.stats import Ratio


def cell(variant: str, size: str, step_time_s: float, lane: str = "as-written", **changes: Any) -> dict[str, Any]:
    return {
        **place(size),
        "variant": variant,
        "lane": lane,
        "status": "timed",
        "step_time_s": step_time_s,
        "ratio": 1.5,
        "ratio_low": 1.4,
        "ratio_high": 1.6,
        "verdict": "slower",
        "launches_agree": None,
        **changes,
    }


def place(size: str) -> dict[str, Any]:
    return {"model": "net", "size": size, "batch_size": 4, "phase": "train_step", "precision": "float32"}


def lines(*cells: dict[str, Any]) -> list[str]:
    groups = [{**place(size), "baseline": "eager"} for size in dict.fromkeys(one["size"] for one in cells)]
    return list(summary.headline({"groups": groups, "cells": list(cells), "certificates": []}))


def test_a_tuned_variant_never_leads_the_others() -> None:
    found = lines(cell("slow", "small", 2e-3), cell("fast", "small", 1e-3), cell("best", "small", 1e-4, "tuned"))
    assert [line.split()[0] for line in found] == ["net", "fast", "slow", "tuned:", "best", "certificates:"]


def test_each_size_of_a_sweep_has_its_own_cells() -> None:
    found = lines(cell("one", "small, batch_size=1", 1e-3), cell("two", "small, batch_size=4", 2e-3))
    assert [line.split()[0] for line in found] == ["net", "one", "net", "two", "certificates:"]


def test_launches_that_disagree_are_named_and_what_was_not_timed_has_its_reason() -> None:
    found = lines(
        cell("one", "small", 1e-3, launches_agree=False),
        cell("two", "small", 0.0, status="crashed", reason="signal 9"),
    )
    assert found[1].endswith("slower, launches disagree")
    assert found[2] == "  two: crashed, signal 9"


def test_a_reason_that_many_variants_share_takes_one_line() -> None:
    left_out = {"status": "not timed", "reason": "left out"}
    found = lines(
        cell("one", "small", 1e-3), cell("two", "small", 0.0, **left_out), cell("three", "small", 0.0, **left_out)
    )
    assert found[2:-1] == ["  two, three: not timed, left out"]


def test_what_the_harness_costs_is_told_with_its_interval() -> None:
    cost = Cost([], [], 1, Ratio(1.004, 0.99, 1.02, (), None))
    title, line = summary.costs({Against("eager", "net", "bare_loop.loop"): cost})
    assert title.startswith("training step in a worker")
    assert line.split() == ["eager", "1.00×", "[0.99,", "1.02]", "net,", "bare_loop.loop"]
    assert list(summary.costs({})) == []
