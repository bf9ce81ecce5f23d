"""The evidence as tables: how close each variant came to its limits, every quantity behind it, and the conventions."""

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from reports import commands, curves, numbers
from reports.canvas import MARKERS
from reports.curves import FLOAT32_FACTOR, Line
from reports.sections import Document, certified_variants, have_charts, title
from reports.words import code

Certificate = dict[str, Any]
Key = tuple[str, str, str]

PRECISIONS = ("float64", "float32")
KINDS = {
    "layer": "Layers, in train mode",
    "forward": "Prediction, in eval mode",
    "loss": "Loss, in train mode",
    "grad": "Gradients",
    "state": "Parameters, statistics and the optimizer’s slots",
}
"""What a quantity's name begins with, in the order of the tables."""


def tables(document: Document) -> list[dict[str, Any]]:
    """Return, per net, size and optimizer: what was found, the charts, the summary, the matrices, and what failed."""
    nets: dict[Key, list[Certificate]] = {}
    places = {variant: index for index, variant in enumerate(document["run"]["variants"])}
    for entry in sorted(document["certificates"], key=lambda entry: places.get(entry["variant"], len(places))):
        nets.setdefault((entry["model"], entry["size"], entry["optimizer"]), []).append(entry)
    order = {model: index for index, model in enumerate(document["run"]["models"])}
    drawn = _with_charts(list(nets))
    lanes = {cell["variant"]: cell["lane"] for cell in document["cells"]}
    found = []
    for key in sorted(nets, key=lambda key: order.get(key[0], len(order))):
        model, size, optimizer = key
        precisions = [one for one in PRECISIONS if any(entry["precision"] == one for entry in nets[key])]
        lines = {one: _curves(document, model, size, optimizer, one) for one in PRECISIONS}
        charted = lines if key in drawn else {one: [] for one in PRECISIONS}
        limits = [entry["limit"] for entry in nets[key] if entry["precision"] == "float64"]
        found.append(
            {
                "title": title(model),
                "model": model,
                "command": commands.certificates(document["run"], model, optimizer),
                "size": size,
                "optimizer": optimizer,
                "drift": _drift(lines, nets[key]),
                "modes": [mode for mode in MARKERS if mode in {line.mode for line in lines["float32"]}],
                "has_refused": any(line.is_refused for line in lines["float32"]),
                "float32_chart": curves.float32_chart(charted["float32"]),
                "float64_chart": curves.float64_chart(charted["float64"], max(limits)) if limits else None,
                "precisions": precisions,
                "lines": _lines(nets[key], precisions, lanes),
                "matrices": [_matrix(nets[key], precision) for precision in precisions],
                "failures": [_failure(entry) for entry in nets[key] if not entry["passed"]],
            }
        )
    return found


def _with_charts(keys: Sequence[Key]) -> set[Key]:
    """Return those of (net, size, optimizer) whose error is drawn: of many sizes the first and the last."""
    nets = {(model, optimizer): [key for key in keys if key[::2] == (model, optimizer)] for model, _, optimizer in keys}
    return {
        key for sizes in nets.values() for key, is_drawn in zip(sizes, have_charts(len(sizes)), strict=True) if is_drawn
    }


def _curves(document: Document, model: str, size: str, optimizer: str, precision: str) -> list[Line]:
    """Return the trajectories of one net, in the order of the run's variants, as lines of a chart.

    Those in float32 are in units of the reference's own float32 error: the limit is `FLOAT32_FACTOR` times that.
    """
    certified = certified_variants(document, model, size)
    cells = {cell["variant"]: cell for cell in document["cells"] if cell["model"] == model}
    lines = []
    for entry in document["trajectories"]:
        variant = entry["variant"]
        about = entry["model"], entry["size"], entry["optimizer"], entry["precision"]
        if about != (model, size, optimizer, precision) or variant not in cells:
            continue
        values: tuple[list[float], ...] = (entry["state_error"],)
        if precision == "float32":
            values = tuple([FLOAT32_FACTOR * share for share in entry[f"{what}_share"]] for what in ("state", "loss"))
        cell = cells[variant]
        lines.append(Line(variant, cell["mode"], cell["headline"], variant not in certified, entry["steps"], values))
    order = {variant: index for index, variant in enumerate(document["run"]["variants"])}
    return sorted(lines, key=lambda line: order.get(line.variant, len(order)))


def _drift(lines: dict[str, list[Line]], certificates: list[Certificate]) -> Markup:
    """Say how far the certified variants are off, at the end and at most; empty if none was followed."""
    told = Markup("")
    last = _furthest(lines["float32"])
    peak = _peak(lines["float32"], certificates, "float32")
    if last and peak:
        steps, off = numbers.count_text(last.steps[-1], "training step"), numbers.multiple_text(last.values[0][-1])
        form = "After {} in float32 the worst certified variant, {}, is off by {} times the reference’s own error"
        told += Markup(form).format(steps, code(last.variant), off)
        if peak["step"] != last.steps[-1]:
            most = numbers.multiple_text(FLOAT32_FACTOR * _share(peak))
            told += Markup("; the most on the way was {} times ({}, step {})").format(
                most, code(peak["variant"]), peak["step"]
            )
        told += Markup(". {:g} times is allowed.").format(FLOAT32_FACTOR)
    peak = _peak(lines["float64"], certificates, "float64")
    if peak:
        form = " In float64 the largest error at any step is {} ({}, step {}), where {} is allowed."
        error, limit = numbers.power_text(peak["rel_error"]), numbers.power_text(peak["limit"])
        told += Markup(form).format(error, code(peak["variant"]), peak["step"], limit)
    return told.strip()


def _peak(lines: Sequence[Line], certificates: list[Certificate], precision: str) -> Certificate | None:
    """Return, among the states of the certified variants drawn, the one that came closest to its limit at any step."""
    drawn = {line.variant for line in lines if line.steps and not line.is_refused}
    states = (
        entry
        for entry in certificates
        if entry["variant"] in drawn and entry["precision"] == precision and entry["quantity"].startswith("state@")
    )
    return max(states, key=_share, default=None)


def _furthest(lines: Sequence[Line]) -> Line | None:
    certified = [line for line in lines if line.steps and not line.is_refused]
    return max(certified, key=lambda line: line.values[0][-1], default=None)


def _lines(certificates: list[Certificate], precisions: Sequence[str], lanes: dict[str, str]) -> list[dict[str, Any]]:
    """Return a line per variant: in each precision the quantity that came closest to its limit, or exceeded it most."""
    lines = []
    for variant in dict.fromkeys(entry["variant"] for entry in certificates):
        mine = [entry for entry in certificates if entry["variant"] == variant]
        gates = [[entry for entry in mine if entry["precision"] == precision] for precision in precisions]
        lines.append(
            {
                "variant": variant,
                "lane": lanes.get(variant, ""),
                "num": len(mine),
                "num_failed": sum(not entry["passed"] for entry in mine),
                "gates": [_closest(max(gate, key=_share)) if gate else None for gate in gates],
            }
        )
    return lines


def _closest(entry: Certificate) -> dict[str, Any]:
    return {
        "share": _share_text(entry),
        "error": numbers.error_text(entry["rel_error"]),
        "limit": numbers.error_text(entry["limit"]),
        "quantity": entry["quantity"],
        "step": entry["step"] if _is_summed_up(entry) else None,
        "passed": entry["passed"],
    }


def _is_summed_up(entry: Certificate) -> bool:
    """Tell whether a certificate stands for every step of a trajectory, of which it shows one."""
    return ".." in entry["quantity"].partition("/")[0]


def _share(entry: Certificate) -> float:
    return float("inf") if entry["rel_error"] is None else float(entry["rel_error"]) / float(entry["limit"])


def _share_text(entry: Certificate) -> str:
    return "not comparable" if entry["rel_error"] is None else numbers.percent_of_text(_share(entry))


def _failure(entry: Certificate) -> dict[str, Any]:
    return {
        **_closest(entry),
        "variant": entry["variant"],
        "precision": entry["precision"],
        "detail": entry["detail"] or "",
    }


def _matrix(certificates: list[Certificate], precision: str) -> dict[str, Any]:
    """Return what was compared in one precision: a row per quantity, by kind, and a column per variant."""
    entries = [entry for entry in certificates if entry["precision"] == precision]
    variants = list(dict.fromkeys(entry["variant"] for entry in entries))
    limits = {entry["limit"] for entry in entries}
    one_limit = numbers.error_text(limits.pop()) if len(limits) == 1 else None
    groups: dict[str, dict[str, dict[str, Certificate]]] = {}
    for entry in entries:
        kind = entry["quantity"].partition("@")[0]
        groups.setdefault(kind, {}).setdefault(entry["quantity"], {})[entry["variant"]] = entry
    with_share = one_limit is None
    order = {kind: index for index, kind in enumerate(KINDS)}
    return {
        "precision": precision,
        "variants": variants,
        "limit": one_limit,
        "groups": [
            {
                "title": KINDS.get(kind, "Other"),
                "prefix": _common_prefix(groups[kind]),
                "rows": [
                    (
                        quantity.removeprefix(_common_prefix(groups[kind])),
                        [_matrix_cell(found.get(variant), with_share) for variant in variants],
                    )
                    for quantity, found in groups[kind].items()
                ],
            }
            for kind in sorted(groups, key=lambda kind: order.get(kind, len(order)))
        ],
    }


def _common_prefix(quantities: Iterable[str]) -> str:
    """Return the "grad@0/" that all names of a kind begin with; empty if they differ in that."""
    prefixes = {quantity[: quantity.find("/") + 1] for quantity in quantities}
    return prefixes.pop() if len(prefixes) == 1 else ""


def _matrix_cell(entry: Certificate | None, with_share: bool) -> dict[str, Any]:
    if entry is None:
        return {"text": "", "note": "", "passed": True}
    notes = [_share_text(entry)] if with_share and entry["rel_error"] is not None else []
    if _is_summed_up(entry):
        notes.append(f"step {entry['step']}")
    return {"text": numbers.error_text(entry["rel_error"]), "note": ", ".join(notes), "passed": entry["passed"]}


def conventions(document: Document) -> dict[str, Any]:
    """Return the table of what each framework takes for granted: {"frameworks", "rows", "num_different"}."""
    table = document["conventions"]
    frameworks = list(dict.fromkeys(name for row in table for name in row["values"]))
    rows = []
    for row in table:
        texts = {name: _value_text(value) for name, value in row["values"].items()}
        agreement = "differ" if len(set(texts.values())) > 1 else "agree" if len(texts) > 1 else ""
        rows.append(
            {
                "title": row["title"],
                "agreement": agreement,
                "values": [texts.get(name, numbers.NOT_KNOWN) for name in frameworks],
            }
        )
    return {
        "frameworks": frameworks,
        "rows": rows,
        "num_different": sum(row["agreement"] == "differ" for row in rows),
    }


def _value_text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:.12g}".replace("e-0", "e-")
