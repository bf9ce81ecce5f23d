"""What tuning gained: each framework's tuned variants against what its documentation teaches, from the same rounds."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from reports import numbers
from reports.sections import PHASE_TITLES, Cell, Comparison, Section

CONFIDENCE = 0.95
FEWEST_ROUNDS = 6
Ratio = tuple[float, float | None, float | None]


def table(section: Section) -> list[dict[str, Any]]:
    """Return a row per phase and tuned variant whose framework has an as-written variant with a time."""
    rows = []
    for comparison in section.shown_phases:
        for cell in comparison.lane("tuned"):
            written = _written(comparison, cell["backend"])
            if written is None:
                continue
            ratio, low, high = ratio_between(comparison, cell, written)
            rows.append(
                {
                    "phase": PHASE_TITLES[comparison.phase],
                    "tuned": cell["variant"],
                    "written": written["variant"],
                    "ratio": numbers.ratio_text(ratio),
                    "interval": numbers.interval_text(low, high, " – "),
                    "gain": _gain(low, high, comparison.noise_floor),
                }
            )
    return rows


def _written(comparison: Comparison, backend: str) -> Cell | None:
    """Return the framework's headline variant, or else its fastest as-written one."""
    cells = [cell for cell in comparison.lane("as-written") if cell["backend"] == backend]
    return next((cell for cell in cells if cell["headline"]), cells[0] if cells else None)


def _gain(low: float | None, high: float | None, floor: float) -> str:
    if low is None or high is None:
        return "too few rounds to say"
    if math.log(high) < -floor:
        return "faster"
    if math.log(low) > floor:
        return "slower"
    return "not shown"


def ratio_between(comparison: Comparison, one: Cell, other: Cell) -> Ratio:
    """Return the ratio of two cells' step times with its interval: of the rounds that both took.

    The ends are None where there are too few rounds; the same where a cell missed some, so that it is not known which
    rounds belong together. Launches that differ make the interval go from the lowest of theirs to the highest, as
    `ratio` of the baseline does.
    """
    if comparison.group is None or len(one["rounds_s"]) != len(other["rounds_s"]):
        return one["step_time_s"] / other["step_time_s"], None, None
    both = zip(comparison.times_of_rounds(one), comparison.times_of_rounds(other), strict=True)
    logs = [math.log(a / b) for a, b in both]
    ratio = math.exp(statistics.median(logs))
    lengths = comparison.rounds_of_launches(one)
    is_split = False in (one["launches_agree"], other["launches_agree"])
    starts = [sum(lengths[:index]) for index in range(len(lengths))] if is_split else [0]
    parts = [logs[start:end] for start, end in zip(starts, [*starts[1:], len(logs)], strict=True)]
    ends = [end for part in parts for end in sign_test_interval(part) or ()]
    return (ratio, math.exp(min(ends)), math.exp(max(ends))) if ends else (ratio, None, None)


def sign_test_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the order-statistic interval of the median, the same as the harness's; None with too few values."""
    if len(values) < FEWEST_ROUNDS:
        return None
    outside = [0.0]  # 2·P(binomial < k) for k = 0, 1, …
    while outside[-1] <= 1 - CONFIDENCE:
        outside.append(outside[-1] + 2 * math.comb(len(values), len(outside) - 1) / 2 ** len(values))
    k = len(outside) - 2
    ordered = sorted(values)
    return ordered[k - 1], ordered[-k]
