"""The roofline: how near each variant comes to what the machine could do (Williams, Waterman and Patterson 2009)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from reports import canvas, numbers
from reports.canvas import SHAPES, Chart, Grid
from reports.palette import LIGHT

COLOURS = ("first_step", "compile", "compiled", "build", "import")
CLOSE = 1.5
"""Slopes nearer to each other than this factor would be written upon each other."""


@dataclass(frozen=True)
class Mark:
    """One timed step.

    Attributes:
        label: the variant.
        framework: marks of one framework look alike.
        intensity: FLOP per byte, as counted.
        flops_per_s: achieved: FLOP as counted, over the step time.
        bytes_per_s: the bandwidth that limits this step, one of the ceiling's.
        headline: its label is bold.
    """

    label: str
    framework: str
    intensity: float
    flops_per_s: float
    bytes_per_s: float
    headline: bool = False

    def attainable_flops_per_s(self, peak_flops_per_s: float) -> float:
        """Return the height of the roof over this mark."""
        return min(peak_flops_per_s, self.intensity * self.bytes_per_s)


WIDE = Grid(width=960, ticks=44, labels=186, body=270, num_columns=2)
SINGLE = Grid(width=680, ticks=44, labels=186, body=270)
NARROW = Grid(width=344, ticks=38, labels=158, body=270, num_ticks=4, font=10)


def roofline_chart(panels: Mapping[str, Sequence[Mark]], ceiling: Mapping[str, Any]) -> Chart | None:
    """Draw the roofs and every mark below them; None where there is no mark.

    Args:
        panels: marks by the panel's title; one net's phases, for instance.
        ceiling: {"matmul": {"per_s": FLOP/s, …}, "copies": [{"size": footprint in bytes, "per_s": bytes/s, …}, …]}.
    """
    panels = {title: marks for title, marks in panels.items() if marks}
    if not panels:
        return None
    wide = WIDE if len(panels) > 1 else SINGLE
    alt = " ".join(_alt(title, marks, ceiling) for title, marks in panels.items())
    return Chart(_render(panels, ceiling, wide), _render(panels, ceiling, NARROW), alt)


def _render(panels: Mapping[str, Sequence[Mark]], ceiling: Mapping[str, Any], grid: Grid) -> canvas.Rendering:
    frameworks = list(dict.fromkeys(mark.framework for marks in panels.values() for mark in marks))
    titles = list(panels)

    def draw(axes: Axes, index: int) -> None:
        marks = panels[titles[index]]
        canvas.heading(axes, f"{titles[index]}, GFLOP/s", "FLOP per byte moved")
        _frame(axes, marks, ceiling, grid)
        _draw_roofs(axes, marks, ceiling, grid)
        _draw_marks(axes, marks, frameworks, ceiling, grid)

    return canvas.render_panels(grid, len(panels), draw)


def _frame(axes: Axes, marks: Sequence[Mark], ceiling: Mapping[str, Any], grid: Grid) -> None:
    """Make room for all marks and for each roof's ridge, with a part of its slope."""
    peak = ceiling["matmul"]["per_s"]
    across = [mark.intensity for mark in marks] + [peak / roof["per_s"] for roof in _roofs(marks, ceiling)]
    up = [mark.flops_per_s for mark in marks] + [peak, peak / 30]
    for axis, low, high, most in (
        ("x", min(across) / 6, max(across) * 5, grid.num_ticks),
        ("y", min(up) / 2, max(up) * 2.2, 6),
    ):
        unit = 1.0 if axis == "x" else 1e9
        values = numbers.ticks(low / unit, high / unit, most)
        getattr(axes, f"set_{axis}scale")("log")
        getattr(axes, f"set_{axis}lim")(low, high)
        getattr(axes, f"set_{axis}ticks")([value * unit for value in values], [f"{value:,g}" for value in values])
        getattr(axes, f"set_{axis}ticks")([], minor=True)
    canvas.grid(axes, list(axes.get_xticks()))
    axes.hlines(axes.get_yticks(), 0, 1, transform=axes.get_yaxis_transform(), color=LIGHT["line"], linewidth=0.6)


def _roofs(marks: Sequence[Mark], ceiling: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the bandwidths that limit a mark, and the memory's unless one of them lies close to it."""
    used, memory = {mark.bytes_per_s for mark in marks}, ceiling["copies"][-1]["per_s"]
    used |= set() if any(rate / memory < CLOSE for rate in used) else {memory}
    first = {copy["per_s"]: copy for copy in reversed(ceiling["copies"])}  # one line for equal rates
    return [first[rate] for rate in sorted(used, reverse=True)]


def _draw_roofs(axes: Axes, marks: Sequence[Mark], ceiling: Mapping[str, Any], grid: Grid) -> None:
    peak = ceiling["matmul"]["per_s"]
    (left, right), (bottom, _) = axes.get_xlim(), axes.get_ylim()
    style: dict[str, Any] = {"color": LIGHT["muted"], "fontsize": grid.font, "xycoords": "data"}
    roofs = _roofs(marks, ceiling)
    axes.plot([peak / roofs[0]["per_s"], right], [peak, peak], color=LIGHT["rule"], linewidth=1.2, zorder=1)
    canvas.note(axes, (right, peak), (0, 9), f"matrix products: {numbers.significant(peak / 1e9)}", ha="right", **style)
    for roof in roofs:
        start = max(left, bottom / roof["per_s"])
        ends = [start, peak / roof["per_s"]]
        axes.plot(ends, [end * roof["per_s"] for end in ends], color=LIGHT["rule"], linewidth=1.2, zorder=1)
        (x0, y0), (x1, y1) = axes.transData.transform([(end, end * roof["per_s"]) for end in ends])
        words = f"{roof['size'] / 2**20:g}{numbers.NBSP}MiB: {numbers.big_text(roof['per_s'], 'B/s')}"
        slope = {"rotation": math.degrees(math.atan2(y1 - y0, x1 - x0)), "rotation_mode": "anchor"}
        canvas.note(axes, (start, start * roof["per_s"]), (1, 8), words, ha="left", **slope, **style)


def _draw_marks(
    axes: Axes, marks: Sequence[Mark], frameworks: Sequence[str], ceiling: Mapping[str, Any], grid: Grid
) -> None:
    peak = ceiling["matmul"]["per_s"]
    ranked = sorted(marks, key=lambda mark: mark.flops_per_s)
    lowest = {(mark.intensity, mark.attainable_flops_per_s(peak)): mark.flops_per_s for mark in reversed(ranked)}
    for (intensity, roof), flops_per_s in lowest.items():
        axes.plot([intensity] * 2, [flops_per_s, roof], color=LIGHT["rule"], linewidth=0.8, linestyle=":", zorder=1)
        axes.plot(
            [intensity],
            [roof],
            linestyle="none",
            marker="_",
            markersize=14,
            markeredgewidth=2,
            color=LIGHT["ink"],
            zorder=2,
        )
    ends = []
    for mark in ranked:
        index = frameworks.index(mark.framework)
        colour = LIGHT[COLOURS[index % len(COLOURS)]]
        axes.plot(
            [mark.intensity],
            [mark.flops_per_s],
            linestyle="none",
            marker=SHAPES[index % len(SHAPES)],
            markersize=8,
            markerfacecolor=colour if mark.headline else LIGHT["background"],
            markeredgecolor=colour,
            markeredgewidth=1.6,
            zorder=3,
        )
        label = f"{mark.label} {_share(mark, ceiling)}"
        ends.append(canvas.End(mark.intensity, mark.flops_per_s, label, colour, mark.headline))
    canvas.label_ends(axes, ends, grid.font)


def _share(mark: Mark, ceiling: Mapping[str, Any]) -> str:
    """Return what the mark achieves of what it could; more than 100 % is shown as that."""
    return numbers.percent_of_text(mark.flops_per_s / mark.attainable_flops_per_s(ceiling["matmul"]["per_s"]))


def _alt(title: str, marks: Sequence[Mark], ceiling: Mapping[str, Any]) -> str:
    ranked = sorted(marks, key=lambda mark: -mark.flops_per_s)
    shares = ", ".join(f"{mark.label} {_share(mark, ceiling)}" for mark in ranked)
    return f"{title}, share of the attainable FLOP/s: {shares}."
