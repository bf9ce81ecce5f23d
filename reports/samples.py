"""Every sample of a run, packed into the page, for its script to hand out as CSV or JSON without a server."""

import base64
import json
import math
import statistics
import zlib
from typing import Any

from reports.sections import Cell, Comparison, Document, sections

DIGITS = 4
"""Significant digits of a cell's median sample: finer than samples scatter. The run's results.json has them all."""
FIGURES = (
    "status",
    "verdict",
    "step_time_s",
    "step_time_low_s",
    "step_time_high_s",
    "ratio",
    "ratio_low",
    "ratio_high",
    "num_iterations",
)


def count(document: Document) -> int:
    """Return how many samples are in the page."""
    return sum(len(one) for _, cell in _shown(document) for one in cell["rounds_s"])


def packed(document: Document) -> str:
    """Return the cells that are shown, with their figures and samples: JSON, compressed by zlib, in base64.

    A sample is a whole number of its cell's `unit_s`, which digits compress well: a million take about 2.2 MB.
    """
    cells = [_cell(comparison.rounds_of_launches(cell), cell) for comparison, cell in _shown(document)]
    run = {key: document["run"][key] for key in ("id", "started_utc", "preset", "command")}
    text = json.dumps({"run": run, "cells": cells}, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _shown(document: Document) -> list[tuple[Comparison, Cell]]:
    return [
        (comparison, cell)
        for section in sections(document)
        for comparison in section.comparisons.values()
        for cell in comparison.shown
    ]


def _cell(num_rounds: list[int], cell: Cell) -> dict[str, Any]:
    unit_s = _unit_s(cell["rounds_s"])
    return {
        **{key: cell[key] for key in ("model", "size", "batch_size", "phase", "variant", "lane", "mode", *FIGURES)},
        "unit_s": unit_s,
        "rounds_of_launches": num_rounds,
        "rounds": [[round(sample_s / unit_s) for sample_s in one] for one in cell["rounds_s"]],
    }


def _unit_s(rounds_s: list[list[float]]) -> float:
    median_s = statistics.median([sample_s for one in rounds_s for sample_s in one] or [1.0])
    return float(f"1e{math.floor(math.log10(median_s)) - DIGITS + 1}")
