"""A chart of lines, by default on logarithmic axes: a mode is a colour, a framework the shape of a marker."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from reports import canvas, numbers
from reports.canvas import Chart, End, Grid
from reports.palette import LIGHT

NUM_MARKERS = 3
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Line:
    """One variant's line.

    Attributes:
        mode: its colour.
        framework: its marker.
        points: (x, y), ascending in x.
        ends: (low, high) of each point's interval; empty: none is drawn.
    """

    label: str
    mode: str
    framework: str
    headline: bool
    points: Points
    ends: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        xs: values with a tick on the horizontal axis; empty: round ones.
        guides: lines to compare with, by their name.
        y_text: what turns a value into text.
        counts: the horizontal axis is linear, for things counted one by one.
        marks: places on the horizontal axis with an upright line.
        limits: heights that the upright axis reaches in any case, so that panels can share a scale.
    """

    title: str
    xlabel: str
    lines: tuple[Line, ...]
    xs: tuple[float, ...] = ()
    guides: dict[str, Points] = field(default_factory=dict)
    y_text: Callable[[float], str] = numbers.tick_text
    counts: bool = False
    limits: tuple[float, ...] = ()
    marks: tuple[float, ...] = ()


WIDE = Grid(width=960, ticks=58, labels=156, body=240, num_columns=2)
SINGLE = Grid(width=680, ticks=58, labels=156, body=240, num_ticks=7)
NARROW = Grid(width=344, ticks=52, labels=126, body=240, num_ticks=4, font=10)


def chart(panels: Sequence[Panel], alt: str, body: int = WIDE.body) -> Chart | None:
    """Draw the panels that have a line, each `body` pixels high; None where none has."""
    panels = [panel for panel in panels if panel.lines]
    if not panels:
        return None
    wide = WIDE if len(panels) > 1 else SINGLE
    return Chart(_render(panels, replace(wide, body=body)), _render(panels, replace(NARROW, body=body)), alt)


def _render(panels: Sequence[Panel], grid: Grid) -> canvas.Rendering:
    frameworks = list(dict.fromkeys(line.framework for panel in panels for line in panel.lines))

    def draw(axes: Axes, index: int) -> None:
        panel = panels[index]
        canvas.heading(axes, panel.title, panel.xlabel)
        _frame(axes, panel, grid)
        _draw(axes, panel, frameworks, grid)

    return canvas.render_panels(grid, len(panels), draw)


def _frame(axes: Axes, panel: Panel, grid: Grid) -> None:
    points = [point for line in panel.lines for point in line.points]
    points += [point for guide in panel.guides.values() for point in guide]
    heights = [y for _, y in points] + [end for line in panel.lines for ends in line.ends for end in ends]
    axes.set_yscale("log")
    axes.set_ylim(_padded([*heights, *panel.limits]))
    across = [x for x, _ in points]
    if panel.counts:
        axes.set_xlim(min(across) - 0.5, max(across) + 0.5)
        xs: Sequence[float] = panel.xs or _whole_ticks(axes, grid.num_ticks)
    else:
        axes.set_xscale("log")
        axes.set_xlim(_padded(across))
        xs = panel.xs or numbers.ticks(*axes.get_xlim(), grid.num_ticks)
    ys = numbers.ticks(*axes.get_ylim(), grid.num_ticks)
    axes.set_xticks(xs, canvas.spaced(axes, xs, [_count_text(x) for x in xs]))
    axes.set_yticks(ys, [panel.y_text(y) for y in ys], fontsize=grid.font)
    axes.set_xticks([], minor=True)
    axes.set_yticks([], minor=True)
    canvas.grid(axes, xs)
    axes.hlines(ys, 0, 1, transform=axes.get_yaxis_transform(), color=LIGHT["line"], linewidth=0.6, zorder=0)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    pad = max(1.05, (high / low) ** 0.04)
    return low / pad, high * pad


def _whole_ticks(axes: Axes, most: int) -> list[float]:
    low, high = axes.get_xlim()
    return [tick for tick in MaxNLocator(most, integer=True).tick_values(low, high) if low <= tick <= high]


def _count_text(value: float) -> str:
    return numbers.power_text(value) if value >= 1e5 else f"{value:,g}"


def _draw(axes: Axes, panel: Panel, frameworks: Sequence[str], grid: Grid) -> None:
    num_drawn: dict[str, int] = {}
    ends = []
    for mark in panel.marks:
        axes.axvline(mark, color=LIGHT["rule"], linewidth=1, zorder=0.5)
    for name, guide in panel.guides.items():
        xs, ys = zip(*guide, strict=True)
        axes.plot(xs, ys, color=LIGHT["rule"], linewidth=1.2, linestyle=":", zorder=1)
        ends.append(End(xs[-1], ys[-1], name, LIGHT["rule"]))
    for line in panel.lines:
        number = num_drawn[line.mode] = num_drawn.get(line.mode, -1) + 1
        xs, ys = zip(*line.points, strict=True)
        colour = LIGHT[line.mode]
        if line.ends:
            axes.vlines(xs, *zip(*line.ends, strict=True), color=colour, linewidth=1.2, zorder=2)
        axes.plot(
            xs,
            ys,
            color=colour,
            linewidth=1.8 if line.headline else 1.3,
            linestyle=canvas.DASHES[number % len(canvas.DASHES)],
            marker=canvas.SHAPES[frameworks.index(line.framework) % len(canvas.SHAPES)],
            markevery=max(1, math.ceil(len(xs) / NUM_MARKERS)) if len(xs) > 2 * NUM_MARKERS else 1,
            markersize=6,
            markerfacecolor=colour if line.headline else LIGHT["background"],
            markeredgecolor=colour,
            markeredgewidth=1.3,
            zorder=3 if line.headline else 2,
        )
        ends.append(End(xs[-1], ys[-1], line.label, colour, line.headline))
    canvas.label_ends(axes, ends, grid.font)
