"""The cold stages: what a process pays before its third step, with and without a filled compile cache."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from reports import canvas, charts, numbers
from reports.canvas import Chart
from reports.charts import Layout, Row
from reports.palette import LIGHT, STAGES
from reports.sections import PHASE_TITLES, Cell, Comparison, Section

Stages = dict[str, float]

LABELS = {
    "import": "import",
    "build": "build",
    "trace": "trace",
    "compile": "compile",
    "first_step": "first step",
    "second_step": "second step",
}
COLUMNS = (*STAGES, "teardown")
COLD, WARM = (-0.3, 0.6), (0.06, 0.24)  # upper edge and height of a bar, in rows; warm where both are drawn


def stage_chart(section: Section) -> Chart | None:
    """Draw what each variant costs up to its second step, as stacked bars; None where no stage is known."""
    for comparison in section.shown_phases:
        if any(cell["stages"] for cell in comparison.shown):
            return charts.chart(section, [comparison], _draw, _alt)
    return None


def table(section: Section) -> list[dict[str, Any]]:
    """Return a row per phase and variant, and one more for a warm start; each stage with its range over launches."""
    rows = []
    for comparison in section.comparisons.values():
        for cell in (cell for _, cells in comparison.lanes for cell in cells):
            if cell["stages"]:
                launches = [launch["stages"] for launch in cell["launches"] if launch["stages"]]
                rows.append(_row(comparison, cell, "cold", cell["stages"], launches))
            if cell["warm_stages"]:
                rows.append(_row(comparison, cell, "warm cache", cell["warm_stages"], []))
    return rows


def total(stages: Stages) -> float:
    """Return the seconds from the import to the end of the second step."""
    return sum(stages[f"{stage}_s"] for stage in STAGES)


def totals(cell: Cell) -> list[float]:
    """Return that of every launch, ascending."""
    return sorted(total(launch["stages"]) for launch in cell["launches"] if launch["stages"])


def _row(comparison: Comparison, cell: Cell, start: str, stages: Stages, launches: list[Stages]) -> dict[str, Any]:
    figures = [
        (numbers.time_text(stages.get(f"{stage}_s")), _range([launch.get(f"{stage}_s") for launch in launches]))
        for stage in COLUMNS
    ]
    return {
        "variant": cell["variant"],
        "lane": cell["lane"],
        "phase": PHASE_TITLES[comparison.phase],
        "start": start,
        "figures": [*figures, (numbers.time_text(total(stages)), _range([total(launch) for launch in launches]))],
    }


def _range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known or min(known) == max(known):
        return ""
    size, symbol = numbers.time_unit(max(known))
    return f"{numbers.significant(min(known) / size)} – {numbers.significant(max(known) / size)}{numbers.NBSP}{symbol}"


def _draw(axes: Axes, comparison: Comparison, rows: Sequence[Row], layout: Layout) -> None:
    found = [(row, cell) for row, cell in charts.cells_of(comparison, rows) if cell["stages"]]
    longest = max(max([total(cell["stages"]), *totals(cell)]) for _, cell in found)
    axes.set_xlim(0, longest * 1.04)
    values = [value for value in axes.xaxis.get_major_locator().tick_values(0, longest) if 0 <= value <= longest]
    values = values[:: 1 + len(values) // (layout.num_ticks + 2)]
    axes.set_xticks(values, [f"{value:g} s" for value in values])
    canvas.grid(axes, values)
    canvas.heading(axes, f"Up to the second {PHASE_TITLES[comparison.phase].lower()}")
    for row, cell in found:
        warm = cell["warm_stages"]
        _bar(axes, row.y + COLD[0], COLD[1] - (WARM[1] if warm else 0), cell["stages"])
        if warm:
            _bar(axes, row.y + WARM[0], WARM[1], warm)
        launches = totals(cell)
        if len(launches) > 1:
            middle = row.y + COLD[0] + (COLD[1] - (WARM[1] if warm else 0)) / 2
            axes.plot(launches[:: len(launches) - 1], [middle] * 2, color=LIGHT["ink"], linewidth=1.4, zorder=3)
        text = numbers.time_text(total(cell["stages"]))
        canvas.note(axes, (1, row.y), (10, 0), text, ha="left", color=LIGHT["muted"], fontsize=11)
    charts.mark_absent(axes, rows, {row.variant for row, _ in found})


def _bar(axes: Axes, top: float, height: float, stages: Stages) -> None:
    start = 0.0
    for stage in STAGES:
        length = stages[f"{stage}_s"]
        if length == 0:
            continue
        box = Rectangle((start, top), length, height, facecolor=LIGHT[stage], edgecolor=LIGHT["background"])
        box.set_linewidth(0.8)
        axes.add_patch(box)
        start += length


def _alt(comparison: Comparison) -> str:
    parts = []
    for cell in comparison.shown:
        if cell["stages"]:
            warm = cell["warm_stages"]
            also = f" ({numbers.time_text(total(warm))} with a filled compile cache)" if warm else ""
            parts.append(f"{cell['variant']} {numbers.time_text(total(cell['stages']))}{also}")
    unit = PHASE_TITLES[comparison.phase].lower()
    return f"From the import to the end of the second {unit}: {', '.join(parts)}."
