"""What `python -m harness` prints: cells, certificates, mutants, conventions and the doctor's findings, as tables."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from harness import doctor
from harness.certify import Certificate
from harness.compare import Comparison, Estimate, GroupChange, StatusChange
from harness.mutation import Verdict
from harness.run import Cell
from impls import registry, specs
from impls.faults import FAULTS
from impls.registry import Entry

WIDTH = 118
Checked = Mapping[tuple[str, str], Sequence[Cell]]
"""Cells by (model, optimizer)."""


def print_cells(variants: Iterable[Entry]) -> None:
    """Print variants × models with the availability of each."""
    table = Table("variant", "mode", "lane", *specs.MODELS, box=SIMPLE)
    reasons = []
    for entry in variants:
        found = [registry.availability(model, entry, "gpu") for model in specs.MODELS]
        reasons += [f"{entry.name}: {cell.reason}" for cell in found if cell.status == "not installed"][:1]
        name = entry.name + (" *" if entry.variant.headline else " †" if entry.variant.gpu_only else "")
        table.add_row(name, entry.variant.mode, entry.variant.lane, *(cell.status for cell in found))
    broken = [
        f"impls/{folder} is broken: {type(error).__name__}: {error}"
        for folder, error in registry.backends().items()
        if isinstance(error, Exception)
    ]
    _print(table, ["* headline: timed by every preset; † on a GPU alone", *reasons, *broken])


def print_certificates(certificates: Iterable[Certificate], checked: Checked, explain: bool) -> None:
    """Print the worst errors of each cell, and why any was refused; with `explain`, where it first differs."""
    table = Table(
        "model", "optimizer", "variant", "float64: worst error", "float32: of its limit", "verdict", box=SIMPLE
    )
    mine: dict[tuple[str, str, str], list[Certificate]] = {}
    for certificate in certificates:
        mine.setdefault((certificate.model, certificate.optimizer, certificate.variant), []).append(certificate)
    lines = []
    for (model, optimizer), cells in checked.items():
        for cell in cells:
            key = model, optimizer, cell.entry.name
            comparable = [c for c in mine.get(key, []) if c.rel_error is not None]
            errors = [c.rel_error or 0.0 for c in comparable if c.precision == "float64"]
            shares = [(c.rel_error or 0.0) / c.limit for c in comparable if c.precision == "float32"]
            table.add_row(
                *key,
                f"{max(errors):.1e}" if errors else "",
                f"{max(shares):.0%}" if shares else "",
                "passed" if cell.status == "not timed" else cell.status,
            )
            if cell.reason:
                lines.append(f"{model} ({optimizer}) {cell.entry.name}: {cell.status}: {cell.reason}")
                lines += [f"    {line}" for line in cell.explanation] if explain else []
    if not explain and any(cell.explanation for cells in checked.values() for cell in cells):
        lines.append("Where each refused variant first differs: the same command with --explain")
    _print(table, lines)


def print_mutants(verdicts: Sequence[Verdict]) -> None:
    """Print faults × variants, and details of those that were not caught where they were planted."""
    header, rows = mutant_rows(verdicts)
    table = Table(*header, box=SIMPLE)
    for row in rows:
        table.add_row(*row)
    lines = [
        f"{v.fault} in {v.model}, {v.variant}: {v.outcome}; expected at {v.expected}, found at {v.found}: {v.detail}"
        for v in verdicts
        if v.outcome not in ("caught", "inexpressible")
    ]
    reasons = dict.fromkeys(
        f"{v.fault} in {v.variant}: not expressible: {v.detail}" for v in verdicts if v.outcome == "inexpressible"
    )
    _print(table, [*reasons, *lines])


def mutant_rows(verdicts: Sequence[Verdict]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table of mutants: a row per fault and model, a column per variant."""
    variants = list(dict.fromkeys(verdict.variant for verdict in verdicts))
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for verdict in verdicts:
        text = "–" if verdict.outcome == "inexpressible" else verdict.outcome
        rows.setdefault((verdict.fault, verdict.model, verdict.expected), {})[verdict.variant] = text
    return ["fault", "model", "must be found at", *variants], [
        [*key, *(found.get(variant, "") for variant in variants)] for key, found in rows.items()
    ]


def mutants_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return the table of mutants as a page of Markdown."""
    header, rows = mutant_rows(verdicts)
    rows = [[FAULTS[fault].title, model, f"`{place}`", *found] for fault, model, place, *found in rows]
    lines = [
        "# Mutants",
        "",
        "Made by `python -m harness mutants --markdown docs/mutants.md`. Each fault was planted in each variant, by",
        "patching the implementation while it ran. *Caught*: the certificate refused it, and the first quantity that",
        "differed was the one it had to be. A dash: the framework cannot make this mistake; the reasons are below.",
        "",
        *("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]),
        "",
    ]
    reasons = [
        f"- {FAULTS[verdict.fault].title}, {verdict.model}, `{verdict.variant}`: {verdict.detail}"
        for verdict in verdicts
        if verdict.outcome == "inexpressible"
    ]
    return "\n".join(lines + (["Not expressible:", "", *reasons, ""] if reasons else []))


def print_conventions(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print subjects × frameworks (what each subject means: `impls/conventions.py`)."""
    frameworks = list(dict.fromkeys(name for row in rows for name in row["values"]))
    table = Table(Column("convention", no_wrap=True), *frameworks, box=SIMPLE)
    for row in rows:
        table.add_row(row["subject"], *(str(row["values"].get(name, "–")) for name in frameworks))
    _print(table, [])


def print_findings(findings: Sequence[doctor.Finding]) -> None:
    """Print the doctor's findings, warnings first, and how many there are of each kind."""
    table = Table("", Column("check", no_wrap=True), "found, and what to do", "blurs", box=SIMPLE)
    for status in get_args(doctor.Status):
        for finding in findings:
            if finding.status == status:
                text = finding.found if finding.remedy is None else f"{finding.found}\n→ {finding.remedy}"
                table.add_row(status, finding.check, escape(text), ", ".join(finding.affects))
        table.add_section()
    num = {status: sum(finding.status == status for finding in findings) for status in get_args(doctor.Status)}
    plural = "" if num["warning"] == 1 else "s"
    _print(table, [f"{num['warning']} warning{plural}, {num['fine']} fine, {num['unknown']} unknown"])


def print_comparison(comparison: Comparison) -> None:
    """Print what became of each ratio, worst first, and what helps to judge it; at the end one sentence."""
    columns = "phase", "variant", "ratio", "change", "95 % interval", "verdict"
    table = Table("net", *(Column(title, no_wrap=True) for title in columns), box=SIMPLE)
    rows = [(group, change) for group in comparison.groups for change in group.changes]
    for group, change in sorted(rows, key=lambda row: -row[1].ratio.change.value):
        place, ratio = group.place, change.ratio
        table.add_row(
            f"{place.model} {place.size}/{place.batch_size}",
            place.phase,
            change.variant,
            f"{ratio.old.value:.2f} → {ratio.new.value:.2f}",
            f"{ratio.change.value:.2f}×",
            _interval(ratio.change),
            change.verdict,
        )
    lines = [f"not the same: {difference}" for difference in comparison.differences]
    lines += [f"another version: {difference}" for difference in comparison.versions]
    lines += [line for group in comparison.groups for line in _group_lines(group)]
    lines += _status_lines(comparison.statuses)
    lines += [f"--fail-if {text}: {cell}" for text, cells in comparison.failures.items() for cell in cells]
    _print(table, [*lines, comparison.answer])


def print_steps(block: Mapping[str, Any]) -> None:
    """Print a row per timed cell of a document's block: a step's time, ratio, kernels and energy, and its proof."""
    columns = "step, ms", "ratio", "95 % interval", "kernels", "energy, mJ", "float64 error"
    table = Table(
        "net", "phase", "variant", *(Column(title, justify="right") for title in columns),
        box=SIMPLE, pad_edge=False, collapse_padding=True,
    )  # fmt: skip
    errors: dict[tuple[str, str, str], float] = {}
    for found in block["certificates"]:
        if found["precision"] == "float64" and found["rel_error"] is not None:
            key = found["model"], found["size"], found["variant"]
            errors[key] = max(errors.get(key, 0.0), found["rel_error"])
    others = []
    for cell in block["cells"]:
        if cell["status"] != "timed":
            others.append(f"{cell['model']}, {cell['phase']}, {cell['variant']}: {cell['status']}, {cell['reason']}")
            continue
        has_interval = cell["ratio_low"] is not None
        activity, energy = cell.get("activity"), cell.get("energy")
        error = errors.get((cell["model"], cell["size"], cell["variant"]))
        table.add_row(
            f"{cell['model']} {cell['size']}/{cell['batch_size']}",
            cell["phase"],
            cell["variant"],
            f"{1e3 * cell['step_time_s']:.4g}",
            "" if cell["ratio"] is None else f"{cell['ratio']:.2f}",
            f"{cell['ratio_low']:.2f} to {cell['ratio_high']:.2f}" if has_interval else "",
            f"{activity['num_kernels']:.0f}" if activity else "",
            f"{1e3 * energy['step_energy_j']:.3g}" if energy else "",
            "" if error is None else f"{error:.1e}",
        )
    failed = sum(not found["passed"] for found in block["certificates"])
    num_passed = len(block["certificates"]) - failed
    _print(table, [*others, f"certificates: {num_passed} quantities passed, {failed} failed"])


def _group_lines(group: GroupChange) -> list[str]:
    times, baseline = group.baseline_time_s, group.baseline
    if times is None:
        return [f"{group.place}: no baseline was timed in both runs, so no ratios are compared"]
    ms = [f"{1e3 * time_s.value:.4g} ms" for time_s in (times.old, times.new)]
    lines = [
        f"{group.place}: no change below {math.expm1(group.noise_floor):.1%} is claimed; the baseline {baseline} took "
        f"{ms[0]}, now {ms[1]}, {_interval(times.change)} times as long (the machine's own changes included)"
    ]
    if group.is_rebased:
        lines.append(f"{group.place}: one run had another baseline, so its ratios were taken anew, to {baseline}")
    if group.moved is not None:
        lines.append(f"{group.place}: all became {group.moved} together: more likely the baseline {baseline} changed")
    return lines


def _status_lines(statuses: Sequence[StatusChange]) -> list[str]:
    variants: dict[str, list[str]] = {}
    for one in statuses:
        reason = f" ({one.reason})" if one.reason else ""
        variants.setdefault(f"{one.place}: {one.old} before, now {one.new}{reason}", []).append(one.variant)
    return [f"{text}: {', '.join(names)}" for text, names in variants.items()]


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "too few rounds"
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def _print(table: Table, lines: Iterable[str]) -> None:
    console = Console(width=WIDTH)
    console.print(table)
    for line in lines:
        console.print(line, highlight=False, markup=False)
