"""How near each step comes to what the machine could do: the ceilings of the run, and the marks below them."""

from collections.abc import Sequence
from typing import Any

from reports import numbers
from reports.canvas import Chart
from reports.roofline import Mark, roofline_chart
from reports.sections import PHASE_TITLES, Cell, Comparison, Document, Section

MEBIBYTE = 2**20


def mark(comparison: Comparison, cell: Cell) -> Mark | None:
    """Return a cell's place on the roofline; None where the bandwidth for so many bytes is not known."""
    group = comparison.group
    if group is None or group["bytes_per_s"] is None:
        return None
    intensity, rate = group["flops"] / group["bytes"], group["flops"] / cell["step_time_s"]
    return Mark(cell["variant"], cell["backend"], intensity, rate, group["bytes_per_s"], cell["headline"])


def share_text(comparison: Comparison, cell: Cell, roof: dict[str, Any] | None) -> str:
    """Return the achieved share of the attainable rate; it is never clipped."""
    one = mark(comparison, cell)
    if one is None or roof is None:
        return numbers.NOT_KNOWN
    return numbers.percent_of_text(one.flops_per_s / one.attainable_flops_per_s(roof["matmul"]["per_s"]))


def chart(roof: dict[str, Any] | None, sections: Sequence[Section]) -> Chart | None:
    """Draw every cell with a time under the roofs, a panel per net and phase; None without a roof."""
    if roof is None:
        return None
    panels = {
        f"{section.title}, {PHASE_TITLES[comparison.phase].lower()}": [
            one for cell in comparison.shown if (one := mark(comparison, cell))
        ]
        for section in sections
        for comparison in section.shown_phases
    }
    return roofline_chart(panels, roof)


def table(roof: dict[str, Any] | None) -> list[dict[str, str]]:
    """Return the ceilings in figures, with who reached them."""
    if roof is None:
        return []
    best = roof["matmul"]
    what = f"products of {best['size']:,} × {best['size']:,} matrices in {roof['precision']}"
    rows = [{"what": what, "rate": numbers.big_text(best["per_s"], "FLOP/s"), "backend": best["backend"]}]
    for copy in roof["copies"]:
        what = f"copies, {copy['size'] / MEBIBYTE:g}{numbers.NBSP}MiB read and written"
        rows.append({"what": what, "rate": numbers.big_text(copy["per_s"], "B/s"), "backend": copy["backend"]})
    return rows


def harness_cost(document: Document) -> list[dict[str, str]]:
    """Return what a step takes in a worker over what it takes in a bare loop, by variant."""
    return [
        {
            "variant": entry["variant"],
            "ratio": numbers.ratio_text(entry["ratio"]),
            "interval": numbers.interval_text(entry["ratio_low"], entry["ratio_high"], " – "),
        }
        for entry in document["harness_cost"]
    ]
