"""The index over runs: one page with what each run found, any two side by side, and the history of every ratio."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

from reports import numbers
from reports import render as report
from reports.sections import MARGIN, PHASE_TITLES, Comparison, Document, Section, sections, title

MOST_RUNS = 40
"""Of a longer history the latest runs are drawn."""


@dataclass(frozen=True)
class Figure:
    """A variant's ratio to the baseline in one run.

    Attributes:
        place: net, size and phase, in words.
        low, high: the 95 % interval.
        floor: how far from 1 a single run claims nothing, as |log|.
        control: (low, high) of the A/A control's interval; None without one.
    """

    place: str
    model: str
    phase: str
    variant: str
    mode: str
    headline: bool
    baseline: str
    ratio: float
    low: float
    high: float
    floor: float
    control: tuple[float, float] | None


@dataclass(frozen=True)
class Run:
    """What the index keeps of a run.

    Attributes:
        href: of its report, seen from the index.
        compared: (id, address) of the run before it on the same machine, and of the page that compares the two.
    """

    id: str
    started_utc: str
    machine: str
    preset: str
    status: str
    figures: tuple[Figure, ...]
    href: str | None
    compared: tuple[str, str] | None = None


Change = Callable[[Figure, Figure], str]
"""Says what became of a ratio from an earlier run to a later: "slower", "faster", or something else."""


# ---------------------------------------------------------------- one run


def summary(document: Document, href: str | None) -> Run:
    """Return what the index keeps of a result document.

    Raises:
        KeyError, TypeError, ValueError: the document does not follow the schema.
    """
    block = document.get("likeforlike", document)
    run, environment = block["run"], block["environment"]
    gpus = [str(gpu.get("name", "GPU")) for gpu in environment["gpus"]]
    threads = numbers.count_text(run["num_threads"], "thread")
    return Run(
        id=str(run["id"]),
        started_utc=str(run["started_utc"]),
        machine=", ".join([str(environment["cpu"]), threads, str(run["device"]).upper(), *gpus]),
        preset=str(run["preset"]),
        status=str(run["status"]),
        figures=tuple(
            figure
            for section in sections(block)
            for comparison in section.comparisons.values()
            for figure in _figures(section, comparison)
        ),
        href=href,
    )


def _figures(section: Section, comparison: Comparison) -> Iterator[Figure]:
    baseline, control = comparison.baseline, comparison.control
    reach = max((abs(math.log(end)) for end in control or ()), default=0.0)
    for cell in comparison.shown:
        ratio = comparison.ratio(cell)
        if baseline is None or ratio is None or cell is baseline:
            continue
        yield Figure(
            f"{section.title} ({section.size}, batch {section.batch_size}), {PHASE_TITLES[comparison.phase].lower()}",
            section.model,
            comparison.phase,
            cell["variant"],
            cell["mode"],
            cell["headline"],
            baseline["variant"],
            *ratio,
            max(reach, math.log1p(MARGIN)),
            control,
        )


# ---------------------------------------------------------------- the page


def render(runs: Sequence[Run], broken: Sequence[tuple[str, str]], change: Change) -> str:
    """Return the page.

    Args:
        runs: in any order.
        broken: (path, reason) of the documents that could not be read.
        change: the rule by which a ratio has changed from one run to another.
    """
    newest = sorted(runs, key=lambda run: (run.started_utc, run.id), reverse=True)
    models = list(dict.fromkeys(figure.model for run in newest for figure in run.figures))
    return report.fill(
        "index.html.j2",
        runs=[_row(run, models) for run in newest],
        titles=[title(model) for model in models],
        broken=_by_reason(broken),
        machines=list(dict.fromkeys(run.machine for run in newest)),
        filters=[
            (name, label, [(value, value) for value in values])
            for name, label, values in (
                ("machine", "Machine", dict.fromkeys(run.machine for run in newest)),
                ("preset", "Preset", dict.fromkeys(run.preset for run in newest)),
            )
            if len(values) > 1
        ],
        histories=histories(newest[::-1], change),
        most_runs=MOST_RUNS,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        data=_embedded(newest),
    )


def _by_reason(broken: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, reason in broken:
        found.setdefault(reason, []).append(path)
    return found


def _row(run: Run, models: Sequence[str]) -> dict[str, Any]:
    return {
        "run": run,
        "started": run.started_utc[:16].replace("T", " "),
        "headlines": [_headline([one for one in run.figures if one.model == model]) for model in models],
    }


def _headline(figures: Sequence[Figure]) -> dict[str, str] | None:
    """Return the ratio of the headline variant that is fastest beside the baseline, in the first phase."""
    of_phase = [one for one in figures if one.headline and one.phase == figures[0].phase]
    if not of_phase:
        return None
    best = min(of_phase, key=lambda one: one.ratio)
    return {
        "variant": best.variant,
        "ratio": numbers.ratio_text(best.ratio),
        "interval": numbers.interval_text(best.low, best.high, " – "),
        "baseline": best.baseline,
    }


def _embedded(runs: Sequence[Run]) -> Markup:
    """Return what the page's script needs to put two runs side by side, as JSON that no tag can end."""
    kept = [
        {
            "id": run.id,
            "machine": run.machine,
            "preset": run.preset,
            "cells": {
                f"{one.place}|{one.variant}": [one.ratio, one.low, one.high, one.floor, one.baseline]
                for one in run.figures
            },
        }
        for run in runs
    ]
    return Markup(json.dumps({"margin": MARGIN, "runs": kept}, allow_nan=False).replace("<", "\\u003c"))


# ---------------------------------------------------------------- histories


@dataclass(frozen=True)
class Point:
    """One run in a history, in pixels from the upper left corner."""

    x: float
    y: float
    top: float
    bottom: float
    told: str
    change: str


WIDTH, HEIGHT, LEFT, EDGE = 300, 92, 44, 10
LEAST_SPAN = 1.3
"""The axis spans this factor at least, so that a few per cent look like a few per cent."""


def histories(runs: Sequence[Run], change: Change) -> list[dict[str, Any]]:
    """Return, per machine, net and phase, a small chart a variant: its ratio from run to run; `runs`: oldest first."""
    found: dict[tuple[str, str], dict[tuple[str, str], list[tuple[Run, Figure]]]] = {}
    for run in runs:
        for figure in run.figures:
            charts = found.setdefault((run.machine, figure.place), {})
            charts.setdefault((figure.variant, figure.baseline), []).append((run, figure))
    return [
        {"machine": machine, "place": place, "charts": [_history(points, change) for points in sorted(long, key=_rank)]}
        for (machine, place), charts in found.items()
        if (long := [points for points in charts.values() if len(points) > 1])
    ]


def _rank(points: Sequence[tuple[Run, Figure]]) -> bool:
    """Put headline variants first, all others after them, each in the order of the runs."""
    return not points[-1][1].headline


def _history(points: Sequence[tuple[Run, Figure]], change: Change) -> dict[str, Any]:
    points = points[-MOST_RUNS:]
    last = points[-1][1]
    changes = ["", *(change(old, new) for (_, old), (_, new) in itertools.pairwise(points))]
    low, high = min(one.low for _, one in points), max(one.high for _, one in points)
    widen = max(1.0, math.sqrt(LEAST_SPAN / (high / low)))
    bottom, top = low / widen, high * widen

    def level(ratio: float) -> float:
        share = math.log(ratio / bottom) / math.log(top / bottom)
        return round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 1)

    step = (WIDTH - LEFT - 2 * EDGE) / max(1, len(points) - 1)
    drawn = [
        Point(
            round(LEFT + EDGE + index * step, 1),
            level(one.ratio),
            level(one.high),
            level(one.low),
            f"{run.id}: {numbers.ratio_text(one.ratio)} ({numbers.interval_text(one.low, one.high)})"
            + (f", {word} than the run before" if word in ("slower", "faster") else ""),
            word if word in ("slower", "faster") else "",
        )
        for index, ((run, one), word) in enumerate(zip(points, changes, strict=True))
    ]
    num = {word: sum(point.change == word for point in drawn) for word in ("slower", "faster")}
    first = points[0][1]
    return {
        "variant": last.variant,
        "baseline": last.baseline,
        "mode": last.mode,
        "headline": last.headline,
        "ticks": [(level(tick), f"{tick:.4g}") for tick in numbers.ticks(bottom, top, 4)],
        "points": [asdict(point) for point in drawn],
        "told": f"{last.variant} to {last.baseline} in {len(drawn)} runs: from {numbers.ratio_text(first.ratio)} to "
        f"{numbers.ratio_text(last.ratio)}; became slower {num['slower']} times, faster {num['faster']} times",
    }
