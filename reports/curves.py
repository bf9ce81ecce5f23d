"""The charts of error against step: how far each variant moves away from the reference while it trains."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from reports import canvas, numbers
from reports.canvas import Chart, Grid
from reports.palette import LIGHT

FLOAT32_FACTOR = 8.0
"""The float32 limit in units of the reference's own float32 error; a test ties it to the harness."""
NUM_MARKERS = 3


@dataclass(frozen=True)
class Line:
    """One variant's error.

    Attributes:
        steps: training steps taken.
        values: one list per panel, each as long as `steps`.
        is_refused: a certificate of the variant failed.
    """

    variant: str
    mode: str
    headline: bool
    is_refused: bool
    steps: list[int]
    values: tuple[list[float], ...]


@dataclass(frozen=True)
class Scale:
    """The upright axis of a chart.

    Attributes:
        floor, ceiling: what lies outside is drawn on the edge.
        rules: horizontal lines, by value.
        decades: between two ticks.
        tick, value: what turns a power of ten, and an error, into text.
    """

    floor: float
    ceiling: float
    limit: float
    rules: dict[float, str]
    decades: int
    tick: Callable[[float], str]
    value: Callable[[float], str]


IN_OWN_ERRORS = Scale(
    floor=0.01,
    ceiling=1e3,
    limit=FLOAT32_FACTOR,
    rules={1.0: "NumPy: 1", FLOAT32_FACTOR: f"limit: {FLOAT32_FACTOR:g}"},
    decades=1,
    tick=lambda value: f"{value:,g}",
    value=numbers.multiple_text,
)


WIDE = Grid(width=960, ticks=74, labels=148, body=250, num_columns=2)
SINGLE = Grid(width=680, ticks=74, labels=148, body=250)
NARROW = Grid(width=344, ticks=68, labels=118, body=250, font=10)


def float32_chart(lines: Sequence[Line]) -> Chart | None:
    """Draw state and loss in units of the reference's own float32 error; None where no step was compared."""
    titles = [f"{what}, in units of NumPy’s own error" for what in ("State", "Loss")]
    return _chart(lines, titles, IN_OWN_ERRORS, WIDE)


def float64_chart(lines: Sequence[Line], limit: float) -> Chart | None:
    """Draw the relative error of the state; None where no step was compared."""
    rules = {limit: f"limit: {numbers.power_text(limit)}"}
    scale = Scale(1e-17, 1.0, limit, rules, 2, numbers.power_text, numbers.error_text)
    return _chart(lines, ("State, relative error",), scale, SINGLE)


def _chart(lines: Sequence[Line], titles: Sequence[str], scale: Scale, wide: Grid) -> Chart | None:
    lines = [line for line in lines if line.steps]
    if not lines:
        return None
    wide_one, narrow_one = (_render(lines, titles, scale, grid) for grid in (wide, NARROW))
    return Chart(wide_one, narrow_one, " ".join(_alt(lines, index, title, scale) for index, title in enumerate(titles)))


def _render(lines: Sequence[Line], titles: Sequence[str], scale: Scale, grid: Grid) -> canvas.Rendering:
    def draw(axes: Axes, index: int) -> None:
        canvas.heading(axes, titles[index], "training steps taken")
        _frame(axes, lines, index, scale, grid)
        _draw(axes, lines, index, grid)

    return canvas.render_panels(grid, len(titles), draw)


def _frame(axes: Axes, lines: Sequence[Line], index: int, scale: Scale, grid: Grid) -> None:
    values = [value for line in lines for value in line.values[index]]
    inside = [value for value in values if scale.floor <= value <= scale.ceiling]
    low = scale.floor if min(values) < scale.floor else min([*inside, *scale.rules])
    high = scale.ceiling if max(values) > scale.ceiling else 1.5 * max([*inside, *scale.rules])
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    decades = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    ticks = {10.0**decade: scale.tick(10.0**decade) for decade in decades if decade % scale.decades == 0}
    if min(values) < scale.floor:
        ticks[low] = f"≤ {scale.tick(low)}"
    if max(values) > scale.ceiling:
        ticks[high] = f"≥ {scale.tick(high)}"
    ticks = {at: text for at, text in ticks.items() if all(abs(math.log10(at / rule)) > 0.3 for rule in scale.rules)}
    ticks |= scale.rules
    axes.set_yticks(list(ticks), list(ticks.values()), fontsize=grid.font)
    axes.set_yticks([], minor=True)
    for at in ticks:
        is_limit = at == scale.limit
        style: dict[str, Any] = {"color": LIGHT["line"], "linewidth": 0.6}
        if at in scale.rules:
            style = {"color": LIGHT["bad" if is_limit else "rule"], "linewidth": 1.6 if is_limit else 1.2}
        axes.axhline(at, zorder=0.5, **style)
    last = max(step for line in lines for step in line.steps)
    axes.set_xscale("log")
    axes.set_xlim(0.95, 1.05 * last)
    steps = [step for step in numbers.ticks(1, max(2, last), 4) if step == int(step) and step <= last]
    axes.set_xticks(steps, [f"{step:,.0f}" for step in steps])
    axes.set_xticks([], minor=True)
    canvas.grid(axes, steps)


def _draw(axes: Axes, lines: Sequence[Line], index: int, grid: Grid) -> None:
    low, high = axes.get_ylim()
    num_drawn: dict[str, int] = {}
    ends = []
    for line in lines:
        number = num_drawn[line.mode] = num_drawn.get(line.mode, -1) + 1
        values = [min(max(value, low), high) for value in line.values[index]]
        colour = LIGHT[line.mode]
        axes.plot(
            line.steps,
            values,
            color=colour,
            linewidth=1.8 if line.headline else 1.3,
            linestyle=canvas.DASHES[number % len(canvas.DASHES)],
            marker=canvas.MARKERS[line.mode],
            markevery=_marked(len(values), number),
            markersize=canvas.MARKER_SIZES[line.mode] - 2,
            markerfacecolor=colour if line.headline else LIGHT["background"],
            markeredgecolor=colour,
            markeredgewidth=1.3,
            zorder=3 if line.headline else 2,
        )
        label = f"{line.variant} ✗" if line.is_refused else line.variant
        ends.append(canvas.End(line.steps[-1], values[-1], label, colour, line.headline))
    canvas.label_ends(axes, ends, grid.font)


def _marked(length: int, number: int) -> list[int]:
    """Return the points that get a marker: a few, at other places for each line, so that all can be seen."""
    stride = max(1, length // NUM_MARKERS)
    return list(range(number % stride, length, stride))


def _alt(lines: Sequence[Line], index: int, title: str, scale: Scale) -> str:
    last = max(step for line in lines for step in line.steps)
    parts = [
        f"{line.variant} {scale.value(line.values[index][-1])}"
        + (f" after {line.steps[-1]:,}" if line.steps[-1] != last else "")
        + (" (refused)" if line.is_refused else "")
        for line in lines
    ]
    steps = numbers.count_text(last, "training step")
    return f"{title}, after {steps}, limit {scale.value(scale.limit)}: {', '.join(parts)}."
