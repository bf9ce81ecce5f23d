"""Break-even: how much time each variant has taken after n steps, cold costs included, and who overtakes whom."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from reports import lines, numbers
from reports.canvas import Chart
from reports.lines import Line, Panel
from reports.sections import PHASE_TITLES, Cell, Comparison, Section
from reports.words import code, names

BEFORE_FIRST = ("import_s", "build_s", "trace_s", "compile_s", "first_step_s")
FEWEST_STEPS, MOST_STEPS = 1e4, 1e7
MOST_SENTENCES = 6


def charts(section: Section) -> tuple[Chart | None, Chart | None]:
    """Return the chart of the headline variants, and that of all; None where it would show nothing, or the same."""
    phases = section.shown_phases
    headline = _chart(phases, [[cell for cell in _started(one) if cell["headline"]] for one in phases])
    is_all = all(cell["headline"] for one in phases for cell in _started(one))
    everyone = None if headline and is_all else _chart(phases, [_started(one) for one in phases])
    return (headline, everyone) if headline else (everyone, None)


def seconds(cell: Cell, num_steps: float) -> float:
    """Return the time that a cell has taken after `num_steps` steps, 1 or more, from the start of its import."""
    stages = cell["stages"]
    first_s = sum(stages[stage] for stage in BEFORE_FIRST)
    return float(first_s + (stages["second_step_s"] + (num_steps - 2) * cell["step_time_s"] if num_steps > 1 else 0.0))


def _started(comparison: Comparison) -> list[Cell]:
    return [cell for cell in comparison.shown if cell["stages"]]


def _chart(phases: Sequence[Comparison], shown: Sequence[list[Cell]]) -> Chart | None:
    panels, told = [], []
    for comparison, cells in zip(phases, shown, strict=True):
        if len(cells) < 2:
            continue
        last = _last_step(comparison, {cell["variant"] for cell in cells})
        panels.append(
            Panel(
                f"{PHASE_TITLES[comparison.phase]}, time in all",
                "steps taken",
                tuple(_line(cell, last) for cell in cells),
            )
        )
        texts = (f"{cell['variant']} {numbers.time_text(seconds(cell, 1))}" for cell in cells)
        ranked = sorted(cells, key=lambda cell: seconds(cell, last))
        order = ", ".join(cell["variant"] for cell in ranked)
        title = PHASE_TITLES[comparison.phase]
        told.append(f"{title}: time after the first step: {', '.join(texts)}; least after {last:,.0f}: {order}.")
    return lines.chart(panels, " ".join(told))


def _last_step(comparison: Comparison, variants: set[str]) -> float:
    """Return the last step to draw: a decade beyond the last break-even among `variants`."""
    found = [pair["num_steps"] for pair in _pairs(comparison) if {pair["early"], pair["late"]} <= variants]
    last = max((steps for steps in found if steps), default=1)
    return float(min(MOST_STEPS, max(FEWEST_STEPS, 10 ** math.ceil(math.log10(3 * last)))))


def _line(cell: Cell, last: float) -> Line:
    steps = [1, 2, *(10 ** (index / 3) for index in range(1, round(3 * math.log10(last)) + 1))]
    points = tuple((step, seconds(cell, step)) for step in steps)
    return Line(cell["variant"], cell["mode"], cell["backend"], cell["headline"], points)


def _pairs(comparison: Comparison) -> list[dict[str, Any]]:
    return comparison.group["break_even"] if comparison.group else []


def tables(section: Section) -> list[dict[str, Any]]:
    """Return, per phase: the rows of the headline variants, those of all other pairs; of the first also sentences."""
    found: list[dict[str, Any]] = []
    for comparison in section.shown_phases:
        cells = {cell["variant"]: cell for cell in _started(comparison)}
        headline = [cell for cell in cells.values() if cell["headline"]]
        rows = [_headline_row(comparison, one, two) for one, two in itertools.combinations(headline, 2)]
        named = {frozenset((row["early"], row["late"])) for row in rows}
        others = [
            _row(comparison, cells[pair["early"]], cells[pair["late"]], pair)
            for pair in _pairs(comparison)
            if {pair["early"], pair["late"]} <= cells.keys() and frozenset((pair["early"], pair["late"])) not in named
        ]
        if rows or others:
            title = PHASE_TITLES[comparison.phase]
            told = [] if found else _told(rows or others)
            found.append({"title": title, "told": told, "rows": rows, "others": others})
    return found


def _headline_row(comparison: Comparison, one: Cell, two: Cell) -> dict[str, Any]:
    """Return the row of two headline cells, whether or not the document knows a step at which one overtakes."""
    for pair in _pairs(comparison):
        if {pair["early"], pair["late"]} == {one["variant"], two["variant"]}:
            early, late = (one, two) if pair["early"] == one["variant"] else (two, one)
            return _row(comparison, early, late, pair)
    early, late = sorted((one, two), key=lambda cell: seconds(cell, 1))
    has_intervals = comparison.ratio(one) is not None and comparison.ratio(two) is not None
    return _row(comparison, early, late, {"num_steps": None, "low": None, "high": None} if has_intervals else None)


def _row(comparison: Comparison, early: Cell, late: Cell, pair: dict[str, Any] | None) -> dict[str, Any]:
    """Return a row; neither that a variant overtakes nor that it never does is certain within the run's noise."""
    later_s = max(0.0, seconds(late, 1) - seconds(early, 1))
    row = {"early": early["variant"], "late": late["variant"], "later": numbers.time_text(later_s), "interval": ""}
    if pair is None:
        return row | {"step": "not known", "is_certain": False}
    is_shown = comparison.is_apart(*sorted((early, late), key=lambda cell: cell["step_time_s"]))
    if pair["low"] is None:
        return row | {"step": "never" if is_shown else "none shown", "is_certain": False}
    step = "never, by the medians" if pair["num_steps"] is None else _steps(pair["num_steps"], round)
    low = _steps(pair["low"], math.floor)
    if pair["high"] is None or not is_shown:
        return row | {"step": step, "interval": f"{low} or later, perhaps never", "is_certain": False}
    high = _steps(pair["high"], math.ceil)
    return row | {"step": step, "interval": f"{low} to {high}", "is_certain": True}


def _steps(value: float, to_whole: Callable[[float], int]) -> str:
    """Return a number of whole steps, rounded to three digits where it has more: "60", "12,800"."""
    return numbers.outwards(value, to_whole, 3) if value >= 1000 else str(to_whole(value))


def _told(rows: Sequence[dict[str, Any]]) -> list[Markup]:
    """Say which variant pays off after how many steps; first those for which it is certain that they do."""
    form = Markup("{} starts {} later than {} and overtakes it after {} steps.")
    told = [
        form.format(code(row["late"]), row["later"], code(row["early"]), row["interval"])
        for row in rows
        if row["is_certain"]
    ]
    form = Markup("{} starts {} later than {} and overtakes it after {} steps or more, perhaps never.")
    told += [
        form.format(code(row["late"]), row["later"], code(row["early"]), row["interval"].partition(" ")[0])
        for row in rows
        if row["interval"] and not row["is_certain"]
    ]
    beaten: dict[str, list[str]] = {}
    for row in rows:
        if row["step"] == "never":
            beaten.setdefault(row["early"], []).append(row["late"])
    form = Markup("{} is never overtaken by {}, which {} later.")
    told += [
        form.format(code(early), names(late, "or"), "starts" if len(late) == 1 else "start")
        for early, late in beaten.items()
    ]
    return told[:MOST_SENTENCES]
