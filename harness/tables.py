"""What `python -m harness` prints: cells, certificates, mutants and conventions, as tables for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from harness.certify import Certificate
from harness.mutation import Verdict
from harness.run import Cell
from impls import registry, specs
from impls.faults import FAULTS

WIDTH = 118
Checked = Mapping[tuple[str, str], Sequence[Cell]]
"""Cells by (model, optimizer)."""


def print_cells() -> None:
    """Print variants × models with the availability of each."""
    table = Table("variant", "mode", "lane", *specs.MODELS, box=SIMPLE)
    reasons = []
    for entry in registry.find_variants():
        found = [registry.availability(model, entry) for model in specs.MODELS]
        reasons += [f"{entry.name}: {cell.reason}" for cell in found if cell.status == "not installed"][:1]
        name = f"{entry.name} *" if entry.variant.headline else entry.name
        table.add_row(name, entry.variant.mode, entry.variant.lane, *(cell.status for cell in found))
    broken = [
        f"impls/{folder} is broken: {type(error).__name__}: {error}"
        for folder, error in registry.backends().items()
        if isinstance(error, Exception)
    ]
    _print(table, ["* headline: timed by every preset", *reasons, *broken])


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


def _print(table: Table, lines: Iterable[str]) -> None:
    console = Console(width=WIDTH)
    console.print(table)
    for line in lines:
        console.print(line, highlight=False, markup=False)
