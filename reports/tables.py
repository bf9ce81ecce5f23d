"""The tables of a net: the times of every phase, what has no bar and why, and the pictures that the net makes."""

import base64
import binascii
import struct
from typing import Any

from reports import answers, limits, numbers, words
from reports.sections import PHASE_TITLES, PHASES, UNCERTIFIED, Cell, Comparison, Section

MARKERS = {"eager": "●", "graph": "■", "compiled": "◆"}
VERDICT_MARKS = {"baseline": "●", "faster": "▼", "slower": "▲", "no difference shown": "="}
MOST_AUTOCORRELATION = 0.3


def times(comparison: Comparison, roof: dict[str, Any] | None) -> dict[str, Any]:
    """Return the table of a phase: a block of rows a lane, fastest first. `roof` is what the machine could do."""
    return {
        "title": PHASE_TITLES[comparison.phase],
        "lanes": [(lane, [_row(comparison, cell, roof) for cell in cells]) for lane, cells in comparison.lanes],
        "baseline": comparison.baseline["variant"] if comparison.baseline else None,
        "measured": _measured(comparison),
        "control": answers.control(comparison),
    }


def _measured(comparison: Comparison) -> str:
    group = comparison.group
    if group is None:
        return ""
    reasons = {
        "precision": "stopped when the headline intervals were narrow enough",
        "rounds": "stopped at the largest number of rounds",
        "time": "stopped by the time limit",
        "interrupted": "interrupted",
    }
    rounds = numbers.count_text(group["num_rounds"], "interleaved round")
    if comparison.num_launches > 1:
        rounds += f" in {comparison.num_launches} launches"
    reason = reasons[group["launches"][-1]["stopped_by"]]
    statistic = "minimum" if group["statistic"] == "min" else group["statistic"]
    return f"{rounds}, {reason}; of each round the {statistic} of its samples counts."


def _row(comparison: Comparison, cell: Cell, roof: dict[str, Any] | None) -> dict[str, Any]:
    claim, ratio, seconds = comparison.claim(cell), comparison.ratio(cell), cell["step_time_s"]
    flops = comparison.group["flops"] if comparison.group else None
    return {
        "variant": cell["variant"],
        "headline": cell["headline"],
        "mode": cell["mode"],
        "marker": MARKERS[cell["mode"]],
        "time": numbers.time_text(seconds),
        "time_interval": numbers.time_interval_text(seconds, cell["step_time_low_s"], cell["step_time_high_s"], " – "),
        "ratio": numbers.ratio_text(cell["ratio"]) if ratio and claim != "baseline" else numbers.NOT_KNOWN,
        "ratio_interval": numbers.interval_text(*ratio[1:], " – ")
        if ratio and claim != "baseline"
        else numbers.NOT_KNOWN,
        "verdict": claim or "not compared",
        "verdict_mark": VERDICT_MARKS.get(claim or "", "?"),
        "verdict_class": (claim or "none").replace(" ", "-"),
        "rate": numbers.significant(flops / seconds / 1e9) if flops else numbers.NOT_KNOWN,
        "share": limits.share_text(comparison, cell, roof),
        "memory": _memory(cell),
        "samples": _samples(cell),
        "notes": _notes(cell),
    }


def _memory(cell: Cell) -> str:
    on_host, on_device = (numbers.bytes_text(cell[name]) for name in ("peak_memory_bytes", "peak_device_memory_bytes"))
    return on_host if cell["peak_device_memory_bytes"] is None else f"{on_host}, {on_device} on the device"


def _samples(cell: Cell) -> str:
    total = sum(map(len, cell["rounds_s"]))
    steps = cell["num_iterations"]
    return f"{total:,}" + (f" × {numbers.count_text(steps, 'step')}" if steps else "")


def _notes(cell: Cell) -> list[str]:
    notes = []
    if cell["is_steady"] is False:
        notes.append("not steady")
    if cell["autocorrelation"] is not None and cell["autocorrelation"] > MOST_AUTOCORRELATION:
        notes.append(f"rounds correlated ({cell['autocorrelation']:.2f})")
    if cell["num_contaminated"]:
        notes.append(f"{numbers.count_text(cell['num_contaminated'], 'sample')} shared a core")
    if cell["launches_agree"] is False:
        notes.append(f"launches disagree: {_launched(cell)}")
    return notes


def _launched(cell: Cell) -> str:
    """Return the ratio that each launch found, in order."""
    return ", ".join(numbers.ratio_text(launch["ratio"]) for launch in cell["launches"])


def absent(section: Section) -> list[dict[str, Any]]:
    """Return what has no bar: a line for all variants and phases that have the same reason but for their name."""
    merged: dict[tuple[str, ...], dict[str, Any]] = {}
    for comparison in section.comparisons.values():
        for cell in comparison.cells:
            if comparison.is_shown(cell):
                continue
            entry = _absent(comparison, cell)
            own = "" if cell["status"] == "not timed" else cell["variant"]
            same = merged.setdefault((entry["status"], entry["reason"], own), entry)
            for name in ("variants", "phases"):
                same[name] = list(dict.fromkeys([*same[name], *entry[name]]))
    return [
        entry | {"phases": "both phases" if len(entry["phases"]) == len(PHASES) else ", ".join(entry["phases"])}
        for entry in merged.values()
    ]


def _absent(comparison: Comparison, cell: Cell) -> dict[str, Any]:
    status, reason = comparison.status(cell), cell["reason"] or ""
    if status == UNCERTIFIED:
        reason = "It has a time, but the document holds no passed certificate for it."
    return {
        "variants": [cell["variant"]],
        "status": status,
        "reason": reason,
        "phases": [PHASE_TITLES[comparison.phase].lower()],
        "explanation": cell["explanation"],
        "stderr": cell["stderr_tail"],
    }


def picture(one: dict[str, Any]) -> dict[str, Any]:
    """Return a picture's panels with their sizes, and what is told about it."""
    panels = []
    for panel in one["panels"]:
        width, height = _png_size(panel["png_base64"])
        panels.append({"caption": panel["caption"], "png": panel["png_base64"], "width": width, "height": height})
    is_strip = any(panel["width"] > 2.5 * panel["height"] for panel in panels)
    is_small = all(panel["height"] <= 64 for panel in panels)
    return {"told": words.picture_told(one), "panels": panels, "is_strip": is_strip, "is_small": is_small}


def _png_size(text: str) -> tuple[int, int]:
    """Return (width, height) in pixels from a PNG's header; (1, 1) for anything else, which then shows its caption."""
    try:
        header = base64.b64decode(text[:64], validate=True)
    except (binascii.Error, ValueError):
        return 1, 1
    if len(header) < 24 or not header.startswith(b"\x89PNG"):
        return 1, 1
    width, height = struct.unpack(">II", header[16:24])
    return width, height
