"""One HTML file from one result document: self-contained, offline, the same bytes every time."""

import base64
import binascii
import re
import struct
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import charts, numbers, proof, words
from reports.palette import DARK, LIGHT, STAGES, css_variables
from reports.sections import (
    LANES,
    PHASE_TITLES,
    PHASES,
    UNCERTIFIED,
    Cell,
    Comparison,
    Document,
    Section,
    sections,
)

NARROW_BELOW_PX = 860
MARKERS = {"eager": "●", "graph": "■", "compiled": "◆"}
VERDICT_MARKS = {"baseline": "●", "faster": "▼", "slower": "▲", "no difference shown": "="}
MOST_AUTOCORRELATION = 0.3


def render(document: Document) -> str:
    """Return the page for a result document (pytest-benchmark's JSON, or its `likeforlike` block alone).

    Raises:
        KeyError: the document does not follow the schema.
    """
    block = document.get("likeforlike", document)
    run, cut = block["run"], sections(block)
    models = [section.model for section in cut]
    general, warnings = _place_warnings(run["warnings"], cut)
    return _template().render(
        run=run,
        environment=block["environment"],
        answers=words.answers(block),
        proven=words.proven(block),
        missing=words.missing(block) if run["status"] == "interrupted" else [],
        warnings=general,
        flags=_flags(block),
        nets=[_net(block, section, warnings[section.anchor], models.count(section.model) > 1) for section in cut],
        proofs=proof.tables(block),
        conventions=proof.conventions(block),
        light=Markup(css_variables(LIGHT)),
        dark=Markup(css_variables(DARK)),
    )


@cache
def _template() -> Any:
    folder = Path(__file__).with_name("templates")
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bytes": numbers.bytes_text, "code": words.code, "sentence": _sentence}
    environment.globals |= {"count": numbers.count_text, "markers": MARKERS, "narrow_below": NARROW_BELOW_PX}
    return environment.get_template("report.html.j2")


def _sentence(text: str) -> str:
    """Return `text` with a full stop, for strings that others wrote."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _place_warnings(warnings: list[str], cut: list[Section]) -> tuple[list[str], dict[str, list[str]]]:
    """Put a warning that names a net beside that net, and all others on top."""
    placed: dict[str, list[str]] = {section.anchor: [] for section in cut}
    general = []
    for warning in warnings:
        homes = [one for one in cut if re.search(rf"\b({re.escape(one.model)}|{re.escape(one.title)})\b", warning)]
        for section in homes:
            placed[section.anchor].append(warning)
        if not homes:
            general.append(warning)
    return general, placed


def _net(document: Document, section: Section, warnings: list[str], is_one_of_many: bool) -> dict[str, Any]:
    comparisons = list(section.comparisons.values())
    modes = {cell["mode"] for comparison in comparisons for cell in comparison.shown}
    return {
        "section": section,
        "is_one_of_many": is_one_of_many,
        "described": words.described(section),
        "warnings": warnings,
        "modes": [mode for mode in MARKERS if mode in modes],
        "ratios": charts.ratio_chart(section),
        "times": charts.time_chart(section),
        "stages": charts.stage_chart(section),
        "tables": [_table(comparison) for comparison in comparisons if comparison.shown],
        "stage_rows": [row for comparison in comparisons for row in _stage_rows(comparison)],
        "absent": _absent(section),
        "pictures": [_picture(one) for one in document["pictures"] if _is_of(one, section)],
    }


def _flags(document: Document) -> list[tuple[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for cell in document["cells"]:
        found.setdefault(cell["variant"], {}).update({name: str(value) for name, value in cell["flags"].items()})
    return [(variant, ", ".join(f"{k} = {v}" for k, v in flags.items())) for variant, flags in found.items() if flags]


def _is_of(picture: dict[str, Any], section: Section) -> bool:
    return picture["model"] == section.model and picture["size"] == section.size


def _table(comparison: Comparison) -> dict[str, Any]:
    lanes = [(lane, [_row(comparison, cell) for cell in comparison.lane(lane)]) for lane in LANES]
    return {
        "title": PHASE_TITLES[comparison.phase],
        "lanes": [(lane, rows) for lane, rows in lanes if rows],
        "baseline": comparison.baseline["variant"] if comparison.baseline else None,
        "measured": _measured(comparison),
        "control": words.control(comparison),
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
    statistic = "minimum" if group["statistic"] == "min" else group["statistic"]
    return f"{rounds}, {reasons[group['stopped_by']]}; of each round the {statistic} of its samples counts."


def _row(comparison: Comparison, cell: Cell) -> dict[str, Any]:
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
        "memory": numbers.bytes_text(cell["peak_memory_bytes"]),
        "samples": _samples(cell),
        "notes": _notes(cell),
    }


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
    return notes


def _stage_rows(comparison: Comparison) -> list[dict[str, str]]:
    return [
        {
            "variant": cell["variant"],
            "phase": PHASE_TITLES[comparison.phase],
            **{stage: numbers.time_text(cell["stages"][f"{stage}_s"]) for stage in STAGES},
            "total": numbers.time_text(sum(cell["stages"].values())),
        }
        for cell in comparison.shown
        if cell["stages"]
    ]


def _absent(section: Section) -> list[dict[str, Any]]:
    """Return the cells without a bar; one line where both phases fail for the same reason."""
    merged: dict[tuple[str, str, str], dict[str, Any]] = {}
    for comparison in section.comparisons.values():
        for cell in comparison.cells:
            if comparison.is_shown(cell):
                continue
            status = comparison.status(cell)
            reason = cell["reason"] or ""
            if status == UNCERTIFIED:
                reason = "It has a time, but the document holds no passed certificate for it."
            entry = merged.setdefault(
                (cell["variant"], status, reason),
                {
                    "variant": cell["variant"],
                    "status": status,
                    "reason": reason,
                    "phases": [],
                    "explanation": cell["explanation"],
                    "stderr": cell["stderr_tail"],
                },
            )
            entry["phases"].append(PHASE_TITLES[comparison.phase].lower())
    for entry in merged.values():
        entry["phases"] = "both phases" if len(entry["phases"]) == len(PHASES) else ", ".join(entry["phases"])
    return list(merged.values())


def _picture(picture: dict[str, Any]) -> dict[str, Any]:
    panels = []
    for panel in picture["panels"]:
        width, height = _png_size(panel["png_base64"])
        panels.append({"caption": panel["caption"], "png": panel["png_base64"], "width": width, "height": height})
    is_strip = any(panel["width"] > 2.5 * panel["height"] for panel in panels)
    is_small = all(panel["height"] <= 64 for panel in panels)
    return {"told": words.picture_told(picture), "panels": panels, "is_strip": is_strip, "is_small": is_small}


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
