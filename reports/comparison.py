"""The page of a comparison of two runs: self-contained, with the look of the report, from the comparison alone."""

import math
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import canvas, numbers
from reports import render as report
from reports.canvas import Chart
from reports.palette import LIGHT
from reports.sections import PHASE_TITLES, title

Record = dict[str, Any]

MARKS = {"slower": "▲", "faster": "▼", "no change shown": "="}
TOP, ROW, BOTTOM = 8, 25, 44


@dataclass(frozen=True)
class Layout:
    """Where things are, in pixels."""

    width: int
    label: int
    value: int
    num_ticks: int
    font: int


WIDE = Layout(width=680, label=146, value=92, num_ticks=7, font=12)
NARROW = Layout(width=344, label=122, value=80, num_ticks=4, font=11)


def render(comparison: Record) -> str:
    """Return the page for a comparison, as `python -m harness compare --json` writes it."""
    return report.fill(
        "comparison.html.j2",
        comparison=comparison,
        groups=[_group(group) for group in comparison["groups"]],
        statuses=[{**status, "where": _where(status["place"])} for status in comparison["statuses"]],
    )


def _where(place: Record) -> str:
    return f"{title(place['model'])}, {PHASE_TITLES[place['phase']].lower()}"


def _group(group: Record) -> Record:
    place, times = group["place"], group["baseline_time_s"]
    modes = {change["mode"] for change in group["changes"]}
    return {
        "title": _where(place),
        "size": f"{place['size']}, batch {place['batch_size']}, {place['precision']}",
        "baseline": group["baseline"],
        "is_rebased": group["is_rebased"],
        "moved": group["moved"],
        "floor": numbers.percent_text(math.expm1(group["noise_floor"])),
        "old_time": _time(times["old"]) if times else None,
        "new_time": _time(times["new"]) if times else None,
        "time_change": _interval(times["change"]) if times else None,
        "modes": [mode for mode in report.MARKERS if mode in modes],
        "chart": chart(group),
        "rows": [_row(change) for change in group["changes"]],
    }


def _row(change: Record) -> Record:
    ratio, verdict = change["ratio"], change["verdict"]
    return {
        "variant": change["variant"],
        "headline": change["headline"],
        "mode": change["mode"],
        "old": numbers.ratio_text(ratio["old"]["value"]),
        "old_interval": _interval(ratio["old"]),
        "new": numbers.ratio_text(ratio["new"]["value"]),
        "new_interval": _interval(ratio["new"]),
        "change": numbers.ratio_text(ratio["change"]["value"]),
        "change_interval": _interval(ratio["change"]),
        "verdict": verdict,
        "mark": MARKS.get(verdict, "?"),
        "verdict_class": verdict.replace(" ", "-"),
    }


def _time(estimate: Record) -> str:
    spread = numbers.time_interval_text(estimate["value"], estimate["low"], estimate["high"])
    return numbers.time_text(estimate["value"]) + ("" if spread == numbers.NOT_KNOWN else f" ({spread})")


def _interval(estimate: Record, between: str = " to ") -> str:
    return numbers.interval_text(estimate["low"], estimate["high"], between)


# ---------------------------------------------------------------- the chart


def chart(group: Record) -> Chart | None:
    """Draw each variant's change with its interval, and the noise floor as a band; None without any interval."""
    changes = [change for change in group["changes"] if change["ratio"]["change"]["low"] is not None]
    if not changes:
        return None
    wide, narrow = (_render(changes, group["noise_floor"], layout) for layout in (WIDE, NARROW))
    parts = [f"{change['variant']} {_interval(change['ratio']['change'])}" for change in changes]
    return Chart(wide, narrow, f"{_where(group['place'])}, new ratio over old, as intervals: {', '.join(parts)}.")


def _render(changes: list[Record], floor: float, layout: Layout) -> canvas.Rendering:
    body = ROW * len(changes)

    def fill(figure: Figure) -> None:
        width = layout.width - layout.label - layout.value
        axes = canvas.add_axes(figure, layout.label, TOP, width, body)
        _scale(axes, changes, floor, layout)
        for level, change in enumerate(changes):
            _draw(axes, level, change, layout)

    return canvas.render(layout.width, TOP + body + BOTTOM, fill)


def _scale(axes: Axes, changes: list[Record], floor: float, layout: Layout) -> None:
    """Draw the axis, which is logarithmic, and what lies behind the marks."""
    ends = [change["ratio"]["change"][end] for change in changes for end in ("low", "high")]
    low, high = min(*ends, math.exp(-floor), 0.95), max(*ends, math.exp(floor), 1.05)
    pad = (high / low) ** 0.05
    axes.set_xscale("log")
    axes.set_xlim(low / pad, high * pad)
    axes.set_ylim(len(changes) - 0.5, -0.5)
    ticks = numbers.ticks(low / pad, high * pad, layout.num_ticks)
    axes.set_xticks(ticks, [f"{tick:.4g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks([])
    canvas.heading(axes, "", "new ratio / old ratio")
    canvas.grid(axes, ticks)
    axes.axvspan(math.exp(-floor), math.exp(floor), color=LIGHT["band"], linewidth=0, zorder=0.5)
    axes.axvline(1, color=LIGHT["rule"], linewidth=1.2, zorder=1)


def _draw(axes: Axes, level: int, change: Record, layout: Layout) -> None:
    estimate, mode = change["ratio"]["change"], change["mode"]
    colour = LIGHT[mode]
    ends = [estimate["low"], estimate["high"]]
    axes.plot(ends, [level, level], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
    axes.vlines(ends, level - 0.16, level + 0.16, color=colour, linewidth=1.4, zorder=2)
    axes.plot(
        [estimate["value"]],
        [level],
        linestyle="none",
        marker=canvas.MARKERS[mode],
        markersize=canvas.MARKER_SIZES[mode],
        markerfacecolor=colour if change["headline"] else LIGHT["background"],
        markeredgecolor=colour,
        markeredgewidth=1.8,
        zorder=3,
    )
    weight = "bold" if change["headline"] else "normal"
    style: dict[str, Any] = {"ha": "left", "fontsize": layout.font, "color": LIGHT["ink"], "fontweight": weight}
    canvas.note(axes, (0, level), (-layout.label, 0), change["variant"], **style)
    canvas.note(axes, (1, level), (10, 0), _interval(estimate, "–"), ha="left", fontsize=11, color=LIGHT["muted"])
