"""The opening: two programs that look alike, their losses, and the certificate that refuses the pair."""

import math
from typing import Any

from reports import lines, numbers
from reports.canvas import Chart
from reports.lesson.cards import Table
from reports.lesson.measured import Record
from reports.lines import Line, Panel

TONES = ("good", "bad", "warn")
SHOWN = (0, 1, 2, 3, 4, 5, 10, 100, 499)


def opening(findings: list[Record]) -> dict[str, Any] | None:
    """Return what the template shows of the audit; None where it was not run."""
    if not findings:
        return None
    return {"chart": _chart(findings), "table": _table(findings), "programs": [_program(one) for one in findings]}


def _program(finding: Record) -> dict[str, Any]:
    return {
        "title": finding["title"],
        "rate": f"{finding['learning_rate']:g}",
        "ending": _ending(finding["losses"]),
        "refused": finding["refused"],
        "explanation": finding["explanation"],
        "source": finding["source"],
    }


def _ending(losses: list[float | None]) -> str:
    """Say where a course of losses ends."""
    first_nan = next((step for step, loss in enumerate(losses) if _is_lost(loss)), None)
    if first_nan is not None:
        return f"its loss is not a number any more after {numbers.count_text(first_nan, 'step')}"
    first, last = (_text(loss) for loss in (losses[0], losses[-1]))
    return f"its loss goes from {first} to {last} in {len(losses) - 1} steps"


def _is_lost(loss: float | None) -> bool:
    return loss is None or not math.isfinite(loss)


def _chart(findings: list[Record]) -> Chart | None:
    drawn = []
    for finding, tone in zip(findings, TONES, strict=False):
        points = []
        for step, loss in enumerate(finding["losses"]):
            if _is_lost(loss) or loss <= 0:
                break
            points.append((float(step + 1), float(loss)))
        if points:
            label = finding["title"].removesuffix(", as printed").replace(", ", ",\n")
            label += " → NaN" if len(points) < len(finding["losses"]) else ""
            drawn.append(Line(label, tone, finding["title"], False, tuple(points)))
    panel = Panel("Loss, as printed step by step", "step", tuple(drawn), y_text=numbers.power_text)
    endings = "; ".join(f"{finding['title']}: {_ending(finding['losses'])}" for finding in findings)
    return lines.chart([panel], f"Losses of the programs over 500 steps. {endings}.")


def _table(findings: list[Record]) -> Table:
    longest = min(len(finding["losses"]) for finding in findings)
    rows: list[tuple[str, list[str]]] = [("learning rate", [f"{finding['learning_rate']:g}" for finding in findings])]
    for step in (step for step in SHOWN if step < longest):
        losses = [finding["losses"][step] for finding in findings]
        rows.append((f"loss after {numbers.count_text(step, 'step')}", [_text(loss) for loss in losses]))
    return Table("The losses in figures", ("of", *(finding["title"] for finding in findings)), rows, kind="plain")


def _text(loss: float | None) -> str:
    return "NaN" if loss is None or math.isnan(loss) else numbers.power_text(loss)
