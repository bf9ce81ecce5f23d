"""Charts with a row a variant: ratios, samples; each for a wide and for a narrow screen."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from reports import canvas, numbers
from reports.canvas import Chart, Rendering
from reports.palette import LIGHT
from reports.sections import LANES, PHASE_TITLES, Cell, Comparison, Section


@dataclass(frozen=True)
class Row:
    """A line of a chart: a variant, or (variant None) the heading of a lane."""

    y: float
    label: str
    variant: str | None = None
    headline: bool = False


@dataclass(frozen=True)
class Layout:
    """Where things are, in pixels."""

    width: int
    label: int
    value: int
    row: int
    num_columns: int
    num_ticks: int


WIDE = Layout(width=960, label=146, value=92, row=25, num_columns=2, num_ticks=6)
SINGLE = Layout(width=680, label=146, value=92, row=25, num_columns=1, num_ticks=7)
OVERVIEW = Layout(width=960, label=112, value=78, row=25, num_columns=3, num_ticks=4)
NARROW = Layout(width=344, label=122, value=80, row=24, num_columns=1, num_ticks=4)

MOST_DOTS = 250
"""Of a line with more samples, every k-th is drawn, and the fastest and the slowest."""
Point = tuple[float, float]
Draw = Callable[[Axes, Comparison, Sequence[Row], Layout], None]


def make_rows(section: Section, comparisons: Sequence[Comparison]) -> list[Row]:
    """Return the lines of a section's charts: each lane apart, fastest first."""
    shown = {cell["variant"]: cell for comparison in reversed(comparisons) for cell in comparison.shown}
    order = [name for name in section.variants() if name in shown]
    rows: list[Row] = []
    y = 0.0
    lanes = [lane for lane in LANES if any(shown[name]["lane"] == lane for name in order)]
    for lane in lanes:
        if len(lanes) > 1 or lane == "tuned":
            rows.append(Row(y, f"{lane} lane"))
            y += 1
        for name in (name for name in order if shown[name]["lane"] == lane):
            rows.append(Row(y, name, name, shown[name]["headline"]))
            y += 1
        y += 0.35
    return rows


def ratio_chart(section: Section) -> Chart | None:
    """Draw each variant's ratio to the baseline with its interval; None where there is nothing to compare."""
    comparisons = [
        one for one in section.shown_phases if one.baseline and sum(bool(one.ratio(cell)) for cell in one.shown) > 1
    ]
    return chart(section, comparisons, _draw_ratios, _ratio_alt)


def time_chart(section: Section) -> Chart | None:
    """Draw each variant's step time, with every sample as a dot; None where nothing was timed."""
    return chart(section, section.shown_phases, _draw_times, _time_alt)


def overview(sections: Sequence[Section]) -> Chart | None:
    """Draw the ratios of the headline variants in training, or the first phase timed, a panel a net.

    None for one net, whose own chart says the same.
    """
    found = {section.title: one for section in sections for one in section.shown_phases[:1] if one.baseline}
    names = [cell["variant"] for one in found.values() for cell in one.shown if cell["headline"] and one.ratio(cell)]
    rows = [Row(y, name, name, headline=True) for y, name in enumerate(dict.fromkeys(names))]
    if len(found) < 2 or len(rows) < 2:
        return None
    titles = {id(one): title for title, one in found.items()}

    def draw(axes: Axes, comparison: Comparison, rows: Sequence[Row], layout: Layout) -> None:
        _draw_ratios(axes, comparison, rows, layout)
        title = f"{titles[id(comparison)]}, {PHASE_TITLES[comparison.phase].lower()}"
        canvas.heading(axes, title, axes.get_xlabel())

    comparisons = list(found.values())
    words = " ".join(f"{title}: {_ratio_alt(one)}" for title, one in found.items())
    return Chart(_render(comparisons, rows, draw, OVERVIEW), _render(comparisons, rows, draw, NARROW), words)


def chart(
    section: Section, comparisons: list[Comparison], draw: Draw, alt: Callable[[Comparison], str]
) -> Chart | None:
    """Draw a panel a comparison, with a row a variant; None without a comparison."""
    if not comparisons:
        return None
    rows = make_rows(section, comparisons)
    wide = WIDE if len(comparisons) > 1 else SINGLE
    words = " ".join(map(alt, comparisons))
    return Chart(_render(comparisons, rows, draw, wide), _render(comparisons, rows, draw, NARROW), words)


def _render(comparisons: list[Comparison], rows: list[Row], draw: Draw, layout: Layout) -> Rendering:
    top, bottom, gap = 30, 44, 8
    lines = -(-len(comparisons) // layout.num_columns)
    body = round((rows[-1].y + 1) * layout.row)
    height = lines * (top + body + bottom)
    room = layout.width - layout.label - layout.num_columns * layout.value - (layout.num_columns - 1) * gap
    width = room / layout.num_columns

    def fill(figure: Figure) -> None:
        for index, comparison in enumerate(comparisons):
            line, column = divmod(index, layout.num_columns)
            left = layout.label + column * (width + layout.value + gap)
            axes = canvas.add_axes(figure, left, line * (top + body + bottom) + top, width, body)
            _frame(axes, rows, layout, has_labels=column == 0)
            draw(axes, comparison, rows, layout)

    return canvas.render(layout.width, height, fill)


def _frame(axes: Axes, rows: list[Row], layout: Layout, has_labels: bool) -> None:
    axes.set_ylim(rows[-1].y + 0.5, -0.5)
    axes.set_yticks([])
    levels = [row.y for row in rows if row.variant is not None]
    axes.hlines(levels, 0, 1, transform=axes.get_yaxis_transform(), color=LIGHT["line"], linewidth=0.6, zorder=0)
    for row in rows:
        if has_labels:
            style: dict[str, Any] = {
                "color": LIGHT["ink"],
                "fontsize": 12,
                "fontweight": "bold" if row.headline else "normal",
            }
            if row.variant is None:
                style = {"color": LIGHT["muted"], "fontsize": 11, "fontstyle": "italic"}
            elif layout is NARROW:
                style["fontsize"] = 11
            canvas.note(axes, (0, row.y), (-layout.label, 0), row.label, ha="left", **style)


def _log_axis(axes: Axes, low: float, high: float, layout: Layout, text: Callable[[float], str]) -> None:
    pad = (high / low) ** 0.05 * 1.02
    axes.set_xscale("log")
    axes.set_xlim(low / pad, high * pad)
    values = numbers.ticks(low / pad, high * pad, layout.num_ticks)
    axes.set_xticks(values, canvas.spaced(axes, values, [text(value) for value in values]))
    axes.set_xticks([], minor=True)
    canvas.grid(axes, values)


def cells_of(comparison: Comparison, rows: Sequence[Row]) -> list[tuple[Row, Cell]]:
    """Return the rows that have a cell in this comparison, each with it."""
    cells = {cell["variant"]: cell for cell in comparison.shown}
    return [(row, cells[row.variant]) for row in rows if row.variant in cells]


def _draw_ratios(axes: Axes, comparison: Comparison, rows: Sequence[Row], layout: Layout) -> None:
    found = [(row, cell, ratio) for row, cell in cells_of(comparison, rows) if (ratio := comparison.ratio(cell))]
    floor = comparison.noise_floor
    ends = [end for _, _, ratio in found for end in ratio] + [math.exp(-floor), math.exp(floor), 0.9, 1.1]
    baseline = comparison.baseline["variant"] if comparison.baseline else ""
    _log_axis(axes, min(ends), max(ends), layout, lambda value: f"{value:.4g}")
    canvas.heading(axes, PHASE_TITLES[comparison.phase], f"× the time of {baseline}")
    if floor:
        axes.axvspan(math.exp(-floor), math.exp(floor), color=LIGHT["band"], linewidth=0, zorder=0.5)
    axes.axvline(1, color=LIGHT["rule"], linewidth=1.2, zorder=1)
    for row, cell, (value, low, high) in found:
        colour = LIGHT[cell["mode"]]
        axes.plot([low, high], [row.y, row.y], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
        axes.vlines([low, high], row.y - 0.16, row.y + 0.16, color=colour, linewidth=1.4, zorder=2)
        face = colour if cell["headline"] else LIGHT["background"]
        size = canvas.MARKER_SIZES[cell["mode"]]
        style: dict[str, Any] = {"markerfacecolor": face, "markeredgecolor": colour, "markeredgewidth": 1.8}
        axes.plot(
            [value], [row.y], linestyle="none", marker=canvas.MARKERS[cell["mode"]], markersize=size, zorder=3, **style
        )
        text = "baseline" if cell is comparison.baseline else numbers.interval_text(low, high, "–")
        canvas.note(axes, (1, row.y), (10, 0), text, ha="left", color=LIGHT["muted"], fontsize=11)
    mark_absent(axes, rows, {row.variant for row, _, _ in found})


def mark_absent(axes: Axes, rows: Sequence[Row], drawn: set[str | None]) -> None:
    """Say "no bar" where a row has nothing in this panel."""
    for row in rows:
        if row.variant is not None and row.variant not in drawn:
            canvas.note(
                axes, (1, row.y), (10, 0), "no bar", ha="left", color=LIGHT["muted"], fontsize=11, fontstyle="italic"
            )


def _draw_times(axes: Axes, comparison: Comparison, rows: Sequence[Row], layout: Layout) -> None:
    found = cells_of(comparison, rows)
    samples = [sample for _, cell in found for one in cell["rounds_s"] for sample in one]
    samples += [cell["step_time_s"] for _, cell in found]
    _log_axis(axes, min(samples), max(samples), layout, numbers.tick_text)
    canvas.heading(axes, PHASE_TITLES[comparison.phase], "time of one step, logarithmic")
    for row, cell in found:
        _dots(axes, row.y, cell["rounds_s"], LIGHT[cell["mode"]])
        median = cell["step_time_s"]
        axes.plot([median, median], [row.y - 0.42, row.y + 0.42], color=LIGHT["ink"], linewidth=1.6, zorder=1.5)
        canvas.note(axes, (1, row.y), (10, 0), numbers.time_text(median), ha="left", color=LIGHT["muted"], fontsize=11)
    mark_absent(axes, rows, {row.variant for row, _ in found})


def _dots(axes: Axes, y: float, rounds_s: list[list[float]], colour: str) -> None:
    """Draw samples as dots, the first round on top: one path, on a grid of a pixel, no dot twice."""
    heights = [y + 0.34 * (2 * (index + 0.5) / len(rounds_s) - 1) for index in range(len(rounds_s))]
    points = [(sample, height) for samples, height in zip(rounds_s, heights, strict=True) for sample in samples]
    if not points:
        return
    pixels = np.round(axes.transData.transform(thinned(points)))
    spots = np.unique(pixels[:, ::-1], axis=0)[:, ::-1]  # sorted line by line, which makes for short steps
    corners = [spot for spot in spots for _ in range(2)]
    path = Path(corners, [Path.MOVETO, Path.LINETO] * len(spots))
    path.should_simplify = False
    patch = PathPatch(path, fill=False, edgecolor=colour, linewidth=2.6, capstyle="round", alpha=0.6, zorder=2)
    patch.set_transform(IdentityTransform())
    axes.add_artist(patch)
    patch.set_clip_path(None)


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return every k-th of the points, so that `MOST_DOTS` are left at most, and those with the least and most x."""
    stride = math.ceil(len(points) / MOST_DOTS)
    kept = list(points[::stride])
    return kept if stride == 1 else [*kept, min(points), max(points)]


def _ratio_alt(comparison: Comparison) -> str:
    baseline = comparison.baseline["variant"] if comparison.baseline else ""
    parts = [
        f"{cell['variant']} {numbers.ratio_text(ratio[0])} ({numbers.interval_text(*ratio[1:])})"
        for cell in comparison.shown
        if (ratio := comparison.ratio(cell)) and cell["variant"] != baseline
    ]
    return f"{PHASE_TITLES[comparison.phase]}, ratio to {baseline} with interval: {', '.join(parts)}."


def _time_alt(comparison: Comparison) -> str:
    parts = [f"{cell['variant']} {numbers.time_text(cell['step_time_s'])}" for cell in comparison.shown]
    return f"{PHASE_TITLES[comparison.phase]}, median time of a step: {', '.join(parts)}."
