"""A step in other ways of taking it: waited for one by one, until the call returns, with its batch on the device."""

from collections.abc import Sequence
from typing import Any

from reports import numbers
from reports.sections import PHASE_TITLES, Cell, Comparison, Section

HOST_BOUND_SHARE, QUEUED_SHARE = 0.9, 0.5
Interval = dict[str, Any]
COLUMNS = {
    "latency_s": "latency",
    "dispatch_s": "dispatch, share of the step",
    "resident_step_time_s": "step time, batches resident",
}


def tables(section: Section) -> list[dict[str, Any]]:
    """Return a table per phase in which something was measured beside the step time."""
    return [
        {
            "title": PHASE_TITLES[comparison.phase],
            "columns": [COLUMNS[mode] for mode in known],
            "lanes": [(lane, [_row(comparison, cell, known) for cell in cells]) for lane, cells in comparison.lanes],
        }
        for comparison in section.shown_phases
        if (known := [mode for mode in COLUMNS if any(cell[mode] for cell in comparison.shown)])
    ]


def _row(comparison: Comparison, cell: Cell, known: Sequence[str]) -> dict[str, Any]:
    seconds = cell["step_time_s"]
    num_steps = _num_steps(comparison, cell)
    step = {"median": seconds, "low": cell["step_time_low_s"], "high": cell["step_time_high_s"]}
    return {
        "variant": cell["variant"],
        "headline": cell["headline"],
        "calls": f"{num_steps} steps a call" if num_steps > 1 else "",
        "figures": [_figure(step), *(_figure(cell[mode]) for mode in known)],
        "shares": ["", *(_share(cell) if mode == "dispatch_s" else "" for mode in known)],
        "told": _told(cell),
    }


def _share(cell: Cell) -> str:
    dispatch = cell["dispatch_s"]
    return f"{100 * dispatch['median'] / cell['step_time_s']:.0f}{numbers.NBSP}%" if dispatch else ""


def _num_steps(comparison: Comparison, cell: Cell) -> int:
    return int(cell["steps_per_call"]) if comparison.phase == "train_step" else 1


def _figure(interval: Interval | None) -> tuple[str, str]:
    if interval is None or interval["median"] is None:
        return numbers.NOT_KNOWN, ""
    median, low, high = interval["median"], interval["low"], interval["high"]
    spread = numbers.time_interval_text(median, low, high, " – ")
    return numbers.time_text(median), "" if spread == numbers.NOT_KNOWN else spread


def _told(cell: Cell) -> str:
    """Say what the figures show: a difference only where the intervals do not touch."""
    told = []
    if cell["dispatch_s"]:
        share = cell["dispatch_s"]["median"] / cell["step_time_s"]
        if share >= HOST_BOUND_SHARE:
            told.append("the host computes or waits")
        elif share <= QUEUED_SHARE:
            told.append("the work goes on after the call")
    step = {"median": cell["step_time_s"], "low": cell["step_time_low_s"], "high": cell["step_time_high_s"]}
    if (waiting := _excess(cell["latency_s"], step)) is not None:
        told.append(f"waiting adds {numbers.percent_text(waiting)}")
    if (feeding := _excess(step, cell["resident_step_time_s"])) is not None:
        told.append(f"feeding adds {numbers.percent_text(feeding)}")
    return ", ".join(told)


def _excess(long: Interval | None, short: Interval | None) -> float | None:
    """Return by what share one time exceeds the other; None where their intervals touch, or one is not known."""
    low, high = (long or {}).get("low"), (short or {}).get("high")
    if long is None or short is None or low is None or high is None or low <= high:
        return None
    return float(long["median"] / short["median"] - 1)
