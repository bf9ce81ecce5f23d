"""Drift: how each variant's time moved from round to round, against its own median."""

import itertools
import math
import statistics
from collections.abc import Sequence

from reports import lines, numbers
from reports.canvas import Chart
from reports.lines import Line, Panel
from reports.sections import PHASE_TITLES, Cell, Comparison, Section

FEWEST_ROUNDS = 3
MOST_POINTS = 40
"""A line with more rounds has the medians of as many neighbours each as it takes to have no more points."""


def chart(section: Section) -> Chart | None:
    """Draw the time of each round over the median round, a line per headline variant; None with too few rounds."""
    found = [
        (comparison, cells)
        for comparison in section.shown_phases
        if (cells := [cell for cell in comparison.shown if cell["headline"] and len(cell["rounds_s"]) >= FEWEST_ROUNDS])
    ]
    return lines.chart([_panel(*one) for one in found], " ".join(_alt(*one) for one in found))


def by_round(comparison: Comparison, cell: Cell) -> list[float]:
    """Return the time of each round over the median of all."""
    times_s = comparison.times_of_rounds(cell)
    return [time_s / statistics.median(times_s) for time_s in times_s]


def _panel(comparison: Comparison, cells: Sequence[Cell]) -> Panel:
    drawn = tuple(
        Line(cell["variant"], cell["mode"], cell["backend"], True, _points(by_round(comparison, cell)))
        for cell in cells
    )
    last = max(line.points[-1][0] for line in drawn)
    starts = itertools.accumulate(comparison.rounds_of_launches(cells[0])[:-1])
    return Panel(
        f"{PHASE_TITLES[comparison.phase]}, time over its own median",
        "round",
        drawn,
        guides={"its median": ((1, 1), (last, 1))},
        y_text=lambda ratio: f"{ratio:.4g}",
        counts=True,
        marks=tuple(start + 0.5 for start in starts),
    )


def _points(ratios: Sequence[float]) -> lines.Points:
    """Return (round, ratio), neighbours taken together where there are too many; the round is that in their middle."""
    size = math.ceil(len(ratios) / MOST_POINTS)
    starts = range(0, len(ratios), size)
    blocks = [(start, ratios[start : start + size]) for start in starts]
    return tuple((start + (len(block) + 1) / 2, statistics.median(block)) for start, block in blocks)


def _alt(comparison: Comparison, cells: Sequence[Cell]) -> str:
    parts = []
    for cell in cells:
        ratios = by_round(comparison, cell)
        spread = numbers.interval_text(min(ratios), max(ratios), is_ratio=False)
        parts.append(f"{cell['variant']} {spread}{_trend(ratios)}")
    return f"{PHASE_TITLES[comparison.phase]}, time of each round over the median: {', '.join(parts)}."


def _trend(ratios: Sequence[float]) -> str:
    """Say how the median of the second half of the rounds compares with that of the first."""
    half = len(ratios) // 2
    change = statistics.median(ratios[-half:]) / statistics.median(ratios[:half])
    return f" (second half {numbers.ratio_text(change)} times the first)"
