"""How the step time grows with the batch or the width of a net, and what a unit of work costs at each size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reports import lines, numbers
from reports.canvas import Chart
from reports.lines import Line, Panel
from reports.sections import LANES, PHASE_TITLES, PHASES, Cell, Comparison, Net, Section
from reports.words import PHASE_WORDS, code, listed, names

GFLOP = 1e9


@dataclass(frozen=True)
class Point:
    """One size of a net in one phase.

    Attributes:
        value: of what varies.
        flops: of a step.
        units: what the cost is per: samples of a batch, or GFLOP.
    """

    value: int
    flops: int
    units: float
    comparison: Comparison


def value(net: Net, section: Section) -> int:
    """Return what the sweep has made of the size that varies."""
    return section.batch_size if net.parameter == "batch" else next(iter(section.changes.values()), 0)


def point_name(net: Net, section: Section) -> str:
    """Return "batch 4", or "width 8"."""
    return f"{net.parameter} {value(net, section):,}"


def unit(net: Net) -> str:
    """Return what a cost is per."""
    return "sample" if net.parameter == "batch" else "GFLOP"


def points(net: Net, phase: str) -> list[Point]:
    """Return the sizes at which a phase was timed, ascending."""
    found = []
    for section in net.sizes:
        comparison = section.comparisons.get(phase)
        if comparison is not None and comparison.shown and comparison.group is not None:
            flops = comparison.group["flops"]
            units = section.batch_size if net.parameter == "batch" else flops / GFLOP
            found.append(Point(value(net, section), flops, units, comparison))
    return found


def chart(net: Net) -> Chart | None:
    """Draw step time and cost per unit of work against the size; None where fewer than two sizes have a time."""
    panels, told = [], []
    for phase in PHASES:
        found = points(net, phase)
        if len(found) < 2:
            continue
        title, xs = PHASE_TITLES[phase], tuple(float(point.value) for point in found)
        steps = _lines(found, lambda _: 1.0)
        guide = {"∝ the work": _guide(found, steps)}
        panels.append(Panel(f"{title}, time of a step", str(net.parameter), steps, xs, guide))
        costs = _lines(found, lambda point: point.units)
        panels.append(Panel(f"{title}, time per {unit(net)}", str(net.parameter), costs, xs))
        last = ", ".join(f"{line.label} {numbers.time_text(line.points[-1][1])}" for line in steps)
        told.append(f"{title} at {net.parameter} {found[-1].value:,}: {last}.")
    return lines.chart(panels, " ".join(told))


def _lines(found: list[Point], per: Callable[[Point], float]) -> tuple[Line, ...]:
    cells: dict[str, list[tuple[Point, Cell]]] = {}
    for point in found:
        for cell in point.comparison.shown:
            cells.setdefault(cell["variant"], []).append((point, cell))
    made = []
    for variant, mine in cells.items():
        at = tuple((float(point.value), cell["step_time_s"] / per(point)) for point, cell in mine)
        ends = [(cell["step_time_low_s"], cell["step_time_high_s"], per(point)) for point, cell in mine]
        has_ends = all(None not in end for end in ends)
        spread = tuple((low / units, high / units) for low, high, units in ends) if has_ends else ()
        last = mine[-1][1]
        made.append(Line(variant, last["mode"], last["backend"], last["headline"], at, spread))
    return tuple(made)


def _guide(found: list[Point], steps: tuple[Line, ...]) -> lines.Points:
    """Return a line that grows as the work does and meets the fastest variant at the largest size."""
    largest = float(found[-1].value)
    fastest_s = min(line.points[-1][1] for line in steps if line.points[-1][0] == largest)
    return tuple((float(point.value), fastest_s * point.flops / found[-1].flops) for point in found)


def tables(net: Net) -> list[dict[str, Any]]:
    """Return, per phase, what a unit of work costs at each size, and how much the step time and the work grew."""
    made = []
    for phase in PHASES:
        found = points(net, phase)
        if len(found) < 2:
            continue
        made.append(
            {
                "title": PHASE_TITLES[phase],
                "unit": unit(net),
                "columns": [f"{net.parameter} {point.value:,}" for point in found],
                "work": numbers.significant(found[-1].flops / found[0].flops),
                "lanes": [(lane, rows) for lane in LANES if (rows := _rows(lane, found))],
            }
        )
    return made


def _rows(lane: str, found: list[Point]) -> list[dict[str, Any]]:
    """Return a row per variant of a lane, in the order of the largest size at which it has a time."""
    variants = dict.fromkeys(cell["variant"] for point in reversed(found) for cell in point.comparison.lane(lane))
    return [_row(variant, found) for variant in variants]


def _row(variant: str, found: list[Point]) -> dict[str, Any]:
    cells = [_cell(point, variant) for point in found]
    figures = [
        _cost(point, cell) if cell else (numbers.NOT_KNOWN, "") for point, cell in zip(found, cells, strict=True)
    ]
    growth = (numbers.NOT_KNOWN, "")
    first, last = cells[0], cells[-1]
    if first and last:
        ratio, low, high = _growth(first, last)
        text = numbers.interval_text(low, high, " – ")
        growth = (f"{numbers.significant(ratio)} ×", "" if text == numbers.NOT_KNOWN else text)
    return {"variant": variant, "figures": figures, "growth": growth}


def _cell(point: Point, variant: str) -> Cell | None:
    return next((cell for cell in point.comparison.shown if cell["variant"] == variant), None)


def _cost(point: Point, cell: Cell) -> tuple[str, str]:
    median, low, high = (cell[key] for key in ("step_time_s", "step_time_low_s", "step_time_high_s"))
    text = numbers.time_text(median / point.units)
    if low is None or high is None:
        return text, ""
    return text, numbers.time_interval_text(median / point.units, low / point.units, high / point.units, " – ")


def told(net: Net) -> list[Markup]:
    """Say, per phase, who leads at which size, and how the time grows with the work."""
    return [_told(net, phase, found) for phase in PHASES if (found := points(net, phase))]


def _told(net: Net, phase: str, found: list[Point]) -> Markup:
    leaders: dict[Markup, list[str]] = {}
    for point in found:
        leaders.setdefault(_leading(point.comparison), []).append(f"{point.value:,}")
    parts = [Markup("{} at {} {}").format(who, net.parameter, listed(sizes)) for who, sizes in leaders.items()]
    text = Markup("<strong>For {}, {}</strong>.").format(PHASE_WORDS[phase], Markup("; ").join(parts))
    if len(found) < 2:
        return text
    grown = [
        (*_growth(first, last), last["variant"])
        for last in found[-1].comparison.lane("as-written")
        if (first := _cell(found[0], last["variant"]))
    ]
    if not grown:
        return text
    grown.sort(key=lambda one: one[0])
    extremes = dict.fromkeys((grown[0], grown[-1]))
    times = Markup(" to ").join(
        Markup("{} times ({})").format(_growth_text(ratio, low, high), code(variant))
        for ratio, low, high, variant in extremes
    )
    form = Markup(" From {} {} to {} the work of a step grows {} times, its time {}.")
    work = numbers.significant(found[-1].flops / found[0].flops)
    return text + form.format(net.parameter, f"{found[0].value:,}", f"{found[-1].value:,}", work, times)


def _growth(first: Cell, last: Cell) -> tuple[float, float | None, float | None]:
    """Return how many times as long the last size's step takes, with the extremes that both intervals allow."""
    ratio = last["step_time_s"] / first["step_time_s"]
    ends = [one[f"step_time_{end}_s"] for one in (first, last) for end in ("low", "high")]
    return (ratio, None, None) if None in ends else (ratio, ends[2] / ends[1], ends[3] / ends[0])


def _growth_text(ratio: float, low: float | None, high: float | None) -> str:
    return numbers.significant(ratio) if low is None else numbers.interval_text(low, high)


def _leading(comparison: Comparison) -> Markup:
    """Say which as-written variant leads; never one that had nobody to beat."""
    written = comparison.lane("as-written")
    leaders = sorted(cell["variant"] for cell in comparison.leaders(written))
    if len(written) == 1:
        return Markup("only {} was timed").format(code(written[0]["variant"]))
    if not leaders:
        return Markup("too few rounds were taken to compare")
    if len(leaders) == 1:
        return Markup("{} leads").format(code(leaders[0]))
    return Markup("{}, not set apart, lead").format(names(leaders))
