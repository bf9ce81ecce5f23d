"""A sheet for charts: matplotlib's figure as a small SVG, once in light colours and recoloured for the dark scheme.

So the two schemes never differ in anything else. Lengths are in CSS pixels: matplotlib's point is made to be one.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports import svg
from reports.palette import LIGHT

MARKERS = {"eager": "o", "graph": "s", "compiled": "D"}
MARKER_SIZES = {"eager": 8.0, "graph": 7.0, "compiled": 7.0}
SHAPES = ("o", "s", "D", "^", "v", "P")
"""One a framework, where colour tells the mode."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)), (0, (9, 3)), (0, (1, 4)))
LABEL_GAP = 14
_RC: dict[Any, Any] = {
    "svg.hashsalt": "likeforlike",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 12.0,
    "axes.linewidth": 0.8,
    "path.simplify": False,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Rendering:
    """One SVG in both schemes, as data addresses."""

    width: int
    height: int
    light: str
    dark: str


@dataclass(frozen=True)
class Chart:
    """A chart for wide and for narrow screens, and what it shows in words."""

    wide: Rendering
    narrow: Rendering
    alt: str


@dataclass(frozen=True)
class End:
    """Where a line ends, in data, and what is written beside it."""

    x: float
    y: float
    label: str
    colour: str
    bold: bool = False


def render(width: int, height: int, fill: Callable[[Figure], None]) -> Rendering:
    """Return what `fill` draws on an empty figure of `width` × `height` pixels."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own style would change the page
        matplotlib.rcParams.update(_RC)
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        FigureCanvasSVG(figure)
        fill(figure)
        raw = io.StringIO()
        figure.savefig(raw, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    light = svg.tidy(raw.getvalue())
    return Rendering(width, height, svg.address(light), svg.address(svg.darken(light)))


@dataclass(frozen=True)
class Grid:
    """Panels in columns; lengths in pixels.

    Attributes:
        width: of the whole chart.
        ticks, labels: left and right of each panel's axes.
        body: height of the axes.
        num_ticks: about as many on a horizontal axis.
    """

    width: int
    ticks: int
    labels: int
    body: int
    num_columns: int = 1
    num_ticks: int = 6
    font: int = 11


ABOVE, BELOW = 30, 44
"""Room for a panel's heading, and for what its axis shows."""


def render_panels(grid: Grid, num_panels: int, draw: Callable[[Axes, int], None]) -> Rendering:
    """Return the panels, row by row, each as `draw` fills its axes, given its number."""
    column, row = grid.width / grid.num_columns, ABOVE + grid.body + BELOW

    def fill(figure: Figure) -> None:
        for index in range(num_panels):
            down, across = divmod(index, grid.num_columns)
            left, top = across * column + grid.ticks, down * row + ABOVE
            draw(add_axes(figure, left, top, column - grid.ticks - grid.labels, grid.body), index)

    return render(grid.width, math.ceil(num_panels / grid.num_columns) * row, fill)


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes with no frame but the bottom line; all lengths in pixels, from the upper left corner."""
    whole_width, whole_height = 72 * figure.get_size_inches()
    place = (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    axes = figure.add_axes(place)
    axes.patch.set_visible(False)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT["line"])
    axes.tick_params(axis="both", which="both", length=0, labelsize=11, labelcolor=LIGHT["muted"], pad=6)
    return axes


def note(axes: Axes, at: tuple[float, float], offset: tuple[float, float], text: str, **style: Any) -> None:
    """Write `text` at a point (fraction of the axes' width, data), moved by `offset` pixels."""
    kwargs = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center", **style}
    axes.annotate(text, at, offset, annotation_clip=False, **kwargs)


def grid(axes: Axes, values: Sequence[float]) -> None:
    """Draw a thin upright line at each of `values`."""
    axes.vlines(values, 0, 1, transform=axes.get_xaxis_transform(), color=LIGHT["line"], linewidth=0.6, zorder=0)


def heading(axes: Axes, title: str, xlabel: str = "") -> None:
    """Write a panel's title above it, and what its axis shows below."""
    axes.set_title(title, loc="left", fontsize=12, color=LIGHT["ink"], pad=10)
    axes.set_xlabel(xlabel, fontsize=11, color=LIGHT["muted"], labelpad=4)


def spaced(axes: Axes, values: Sequence[float], labels: Sequence[str]) -> list[str]:
    """Return the labels of a horizontal axis, empty those that would touch the one before."""
    end = -math.inf
    kept = []
    for value, label in zip(values, labels, strict=True):
        middle, half = axes.transData.transform((value, 0))[0], 3.6 * len(label)
        kept.append(label if middle - half > end + 6 else "")
        end = middle + half if kept[-1] else end
    return kept


def label_ends(axes: Axes, ends: Sequence[End], font: int) -> None:
    """Write every line's name to the right of the axes, none upon another, with a thin line that leads to it."""
    to_axes = axes.transData + axes.transAxes.inverted()
    placed = sorted(((*to_axes.transform((end.x, end.y)), end) for end in ends), key=lambda one: one[1])
    extent = axes.get_window_extent()
    gap = LABEL_GAP * max(end.label.count("\n") + 1 for end in ends)
    places = spread([y for _, y, _ in placed], gap / extent.height, 0.0, 1.0)
    for (x, y, end), place in zip(placed, places, strict=True):
        xs, ys = [x, 1 + 4 / extent.width, 1 + 14 / extent.width], [y, y, place]
        axes.plot(xs, ys, transform=axes.transAxes, color=end.colour, linewidth=0.8, clip_on=False, zorder=1)
        weight = "bold" if end.bold else "normal"
        style: dict[str, Any] = {"ha": "left", "color": LIGHT["ink"], "fontsize": font, "fontweight": weight}
        note(axes, (1, place), (18, 0), end.label, xycoords="axes fraction", **style)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places near `wanted` (ascending), `gap` apart or more, from `low` to `high` if they fit.

    Neighbours that would touch form a block about the mean of what they want (pool adjacent violators).
    """
    blocks: list[list[float]] = []  # what each asks of its block: its wanted place, less the gaps before it
    for index, place in enumerate(wanted):
        blocks.append([place - index * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) >= fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    top = high - (len(wanted) - 1) * gap
    starts = [min(max(fmean(block), low), top) for block in blocks for _ in block]
    return [start + index * gap for index, start in enumerate(starts)]
