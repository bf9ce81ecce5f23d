"""The certificates as tables: a line per variant and precision, and every quantity behind it."""

from typing import Any

from reports import numbers
from reports.sections import Document, title

Certificate = dict[str, Any]


def tables(document: Document) -> list[dict[str, Any]]:
    """Return one table per net and size: its summary lines, its matrices of errors, and what failed."""
    nets: dict[tuple[str, str], list[Certificate]] = {}
    for entry in document["certificates"]:
        nets.setdefault((entry["model"], entry["size"]), []).append(entry)
    order = {model: index for index, model in enumerate(document["run"]["models"])}
    keys = sorted(nets, key=lambda key: order.get(key[0], len(order)))
    return [
        {
            "title": title(model),
            "size": size,
            "lines": _lines(nets[model, size]),
            "matrices": _matrices(nets[model, size]),
            "failures": [_failure(entry) for entry in nets[model, size] if not entry["passed"]],
        }
        for model, size in keys
    ]


def _lines(certificates: list[Certificate]) -> list[dict[str, Any]]:
    cells: dict[tuple[str, str], list[Certificate]] = {}
    for entry in certificates:
        cells.setdefault((entry["variant"], entry["precision"]), []).append(entry)
    lines = []
    for (variant, precision), entries in cells.items():
        worst = max(entries, key=_badness)
        closest = max(entries, key=_share)
        lines.append(
            {
                "variant": variant,
                "precision": precision,
                "num": len(entries),
                "error": numbers.error_text(worst["rel_error"]),
                "quantity": worst["quantity"],
                "limit": numbers.error_text(worst["limit"]),
                "share": _share_text(_share(closest)),
                "closest": closest["quantity"],
                "num_failed": sum(not entry["passed"] for entry in entries),
            }
        )
    return lines


def _badness(entry: Certificate) -> float:
    return float("inf") if entry["rel_error"] is None else float(entry["rel_error"])


def _share(entry: Certificate) -> float:
    error = _badness(entry)
    if entry["limit"] == 0:
        return 0.0 if error == 0 else float("inf")
    return error / float(entry["limit"])


def _share_text(share: float) -> str:
    if share == float("inf"):
        return numbers.NOT_KNOWN
    percent = 100 * share
    if 0 < percent < 0.01:
        return "< 0.01 %"
    return f"{numbers.significant(percent, 2)} %"


def _failure(entry: Certificate) -> dict[str, str]:
    return {
        "variant": entry["variant"],
        "precision": entry["precision"],
        "quantity": entry["quantity"],
        "error": numbers.error_text(entry["rel_error"]),
        "limit": numbers.error_text(entry["limit"]),
        "detail": entry["detail"] or "",
    }


def _matrices(certificates: list[Certificate]) -> list[dict[str, Any]]:
    """Return per precision a matrix with a row per quantity and a column per variant."""
    matrices = []
    for precision in dict.fromkeys(entry["precision"] for entry in certificates):
        entries = [entry for entry in certificates if entry["precision"] == precision]
        variants = list(dict.fromkeys(entry["variant"] for entry in entries))
        quantities: dict[str, dict[str, Certificate]] = {}
        for entry in entries:
            quantities.setdefault(entry["quantity"], {})[entry["variant"]] = entry
        rows = [_matrix_row(quantity, variants, found) for quantity, found in quantities.items()]
        matrices.append({"precision": precision, "variants": variants, "rows": rows})
    return matrices


def _matrix_row(quantity: str, variants: list[str], found: dict[str, Certificate]) -> dict[str, Any]:
    limits = {entry["limit"] for entry in found.values()}
    is_one_limit = len(limits) == 1
    cells = []
    for variant in variants:
        entry = found.get(variant)
        if entry is None:
            cells.append({"text": "", "passed": True})
            continue
        text = numbers.error_text(entry["rel_error"])
        if not is_one_limit:
            text += (
                f" ≤ {numbers.error_text(entry['limit'])}"
                if entry["passed"]
                else f" > {numbers.error_text(entry['limit'])}"
            )
        cells.append({"text": text, "passed": entry["passed"]})
    limit = numbers.error_text(limits.pop()) if is_one_limit else "in each cell"
    return {"quantity": quantity, "limit": limit, "cells": cells}
