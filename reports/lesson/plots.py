"""The lesson's own charts: a row of marks for each way, and panels of lines over a linear axis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports import canvas, numbers
from reports.canvas import Chart, Grid, Rendering
from reports.lesson.measured import Estimate
from reports.palette import LIGHT

PLAIN = "NumPy"
"""Whose way is the measure in the frameworks' panels, being none of theirs."""
LONGEST_LABEL = 17


def wrapped(label: str) -> str:
    """Return a label with a new line at its first comma or bracket, if it is long."""
    if len(label) <= LONGEST_LABEL:
        return label
    return label.replace(", ", ",\n", 1) if ", " in label else label.replace("(", "\n(", 1)


@dataclass(frozen=True)
class Row:
    """One way's marks on a common axis.

    Attributes:
        group: its framework; rows of one group stand together under its name.
        estimates: of each mark; several are joined by a line, and the first is hollow.
        text: beside the row, on the right.
    """

    group: str
    label: str
    mode: str
    estimates: tuple[Estimate, ...]
    text: str


@dataclass(frozen=True)
class Layout:
    """Where things are, in pixels; `is_stacked`: labels stand above their marks, not beside them."""

    width: int
    label: int
    value: int
    num_ticks: int
    font: int
    row: int
    is_stacked: bool = False


WIDE = Layout(width=860, label=300, value=190, num_ticks=6, font=12, row=24)
NARROW = Layout(width=344, label=8, value=12, num_ticks=4, font=11, row=38, is_stacked=True)
TOP, BOTTOM = 8, 44
ABOVE = 0.36
"""How far above its marks a stacked label stands, in rows."""


def dots(
    rows: Sequence[Row], xlabel: str, alt: str, text: Callable[[float], str] = numbers.tick_text, is_log: bool = True
) -> Chart | None:
    """Draw a row of marks for each way; on a logarithmic axis, or on one that begins at zero. None without a row."""
    if not rows:
        return None
    wide, narrow = (_render(rows, xlabel, layout, text, is_log) for layout in (WIDE, NARROW))
    return Chart(wide, narrow, alt)


def _render(rows: Sequence[Row], xlabel: str, layout: Layout, text: Callable[[float], str], is_log: bool) -> Rendering:
    levels: list[tuple[float, Row | str]] = []
    for index, row in enumerate(rows):
        if index == 0 or rows[index - 1].group != row.group:
            levels.append((len(levels), row.group))
        levels.append((len(levels), row))
    body = layout.row * len(levels)

    def fill(figure: Figure) -> None:
        axes = canvas.add_axes(figure, layout.label, TOP, layout.width - layout.label - layout.value, body)
        _scale(axes, rows, layout, text, is_log)
        axes.set_ylim(len(levels) - 0.5, -0.5)
        axes.set_yticks([])
        canvas.heading(axes, "", xlabel)
        for level, row in levels:
            if isinstance(row, str):
                _label(axes, level, row, layout, 0, bold=True)
            else:
                _draw(axes, level, row, layout)

    return canvas.render(layout.width, TOP + body + BOTTOM, fill)


def _scale(axes: Axes, rows: Sequence[Row], layout: Layout, text: Callable[[float], str], is_log: bool) -> None:
    ends = [end for row in rows for one in row.estimates for end in (one.low, one.high)]
    low, high = min(ends), max(ends)
    if is_log:
        pad = max(1.1, (high / low) ** 0.05)
        axes.set_xscale("log")
        axes.set_xlim(low / pad, high * pad)
        ticks = numbers.ticks(low / pad, high * pad, layout.num_ticks)
    else:
        axes.set_xlim(0, 1.05 * high)
        ticks = [tick for tick in MaxNLocator(layout.num_ticks).tick_values(0, high) if 0 <= tick <= 1.05 * high]
    axes.set_xticks(ticks, canvas.spaced(axes, ticks, [text(tick) for tick in ticks]))
    axes.set_xticks([], minor=True)
    canvas.grid(axes, ticks)


def _label(axes: Axes, level: float, text: str, layout: Layout, indent: int, bold: bool = False) -> None:
    style: dict[str, Any] = {"ha": "left", "fontsize": layout.font, "color": LIGHT["ink"]}
    level -= ABOVE if layout.is_stacked and not bold else 0
    canvas.note(axes, (0, level), (indent - layout.label, 0), text, fontweight="bold" if bold else "normal", **style)


def _draw(axes: Axes, level: float, row: Row, layout: Layout) -> None:
    colour = LIGHT[row.mode]
    axes.axhline(level, color=LIGHT["line"], linewidth=0.6, zorder=0)
    middles = [one.value for one in row.estimates]
    axes.plot([min(middles), max(middles)], [level, level], color=colour, linewidth=1.2, linestyle=":", zorder=1)
    for index, one in enumerate(row.estimates):
        is_hollow = index == 0 and len(row.estimates) > 1
        axes.plot([one.low, one.high], [level, level], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
        axes.plot(
            [one.value],
            [level],
            marker=canvas.MARKERS[row.mode],
            markersize=canvas.MARKER_SIZES[row.mode],
            markerfacecolor=LIGHT["background"] if is_hollow else colour,
            markeredgecolor=colour,
            markeredgewidth=1.8,
            zorder=3,
        )
    _label(axes, level, row.label, layout, 10)
    style: dict[str, Any] = {"fontsize": 11, "color": LIGHT["muted"]}
    if layout.is_stacked:
        canvas.note(axes, (1, level - ABOVE), (0, 0), row.text, ha="right", **style)
    else:
        canvas.note(axes, (1, level), (10, 0), row.text, ha="left", **style)


# ---------------------------------------------------------------- lines over a linear axis


@dataclass(frozen=True)
class Course:
    """One way's values in their order: the first is at 1."""

    label: str
    mode: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Strip:
    """A panel of courses with a title."""

    title: str
    courses: tuple[Course, ...]


MOST_MARKERS = 20
STRIPS_WIDE = Grid(width=960, ticks=58, labels=176, body=170, num_columns=2, num_ticks=5)
STRIPS_NARROW = Grid(width=344, ticks=52, labels=148, body=170, num_ticks=4, font=10)


def strips(panels: Sequence[Strip], xlabel: str, alt: str) -> Chart | None:
    """Draw the panels on one logarithmic scale of seconds; None where none has a course."""
    panels = [panel for panel in panels if panel.courses]
    if not panels:
        return None
    values = [value for panel in panels for course in panel.courses for value in course.values]
    low, high = min(values) / 1.4, max(values) * 1.4

    def rendered(grid: Grid) -> Rendering:
        def draw(axes: Axes, index: int) -> None:
            canvas.heading(axes, panels[index].title, xlabel)
            _strip(axes, panels[index], (low, high), grid)

        return canvas.render_panels(grid, len(panels), draw)

    return Chart(rendered(STRIPS_WIDE), rendered(STRIPS_NARROW), alt)


def _strip(axes: Axes, panel: Strip, limits: tuple[float, float], grid: Grid) -> None:
    longest = max(len(course.values) for course in panel.courses)
    axes.set_xlim(0, longest + 1)
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    xs = [
        int(tick) for tick in MaxNLocator(grid.num_ticks, integer=True).tick_values(1, longest) if 0 < tick <= longest
    ]
    ys = numbers.ticks(*limits, grid.num_ticks)
    axes.set_xticks(xs, [str(x) for x in xs])
    axes.set_yticks(ys, [numbers.tick_text(y) for y in ys], fontsize=grid.font)
    axes.set_yticks([], minor=True)
    canvas.grid(axes, xs)
    axes.hlines(ys, 0, 1, transform=axes.get_yaxis_transform(), color=LIGHT["line"], linewidth=0.6, zorder=0)
    num_drawn: dict[str, int] = {}
    ends = []
    for course in panel.courses:
        number = num_drawn[course.mode] = num_drawn.get(course.mode, -1) + 1
        colour = LIGHT[course.mode]
        axes.plot(
            range(1, len(course.values) + 1),
            course.values,
            color=colour,
            linewidth=1.1,
            linestyle=canvas.DASHES[number % len(canvas.DASHES)],
            marker=canvas.MARKERS[course.mode],
            markevery=max(1, longest // MOST_MARKERS),
            markersize=4,
            markerfacecolor=colour if number == 0 else LIGHT["background"],
            markeredgecolor=colour,
            zorder=2,
        )
        ends.append(canvas.End(len(course.values), course.values[-1], wrapped(course.label), colour))
    canvas.label_ends(axes, ends, grid.font)
