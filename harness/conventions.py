"""The table of conventions: what each framework takes for granted, read from what is installed.

A snapshot is committed beside this file, so that an upgrade that changes a default shows up as a difference.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.results import write_atomically
from harness.workers import Worker
from impls import registry
from impls.conventions import SUBJECTS
from impls.registry import Entry

SNAPSHOT = Path(__file__).with_name("conventions.json")

Answers = Mapping[str, Mapping[str, Any]]
"""Values by framework (see `framework`), then by subject."""


def read(entries: Iterable[Entry]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Ask one variant of each framework, in a worker of its own; returns the answers, and the versions installed."""
    answers: dict[str, dict[str, Any]] = {}
    versions: dict[str, str] = {}
    for entry in entries:
        if framework(entry) in answers or not registry.offers(entry, "conventions"):
            continue
        with Worker(entry, 1, "cpu") as worker:
            versions |= worker.start()["versions"]
            answers[framework(entry)] = worker.call("conventions")
    return answers, versions


def framework(entry: Entry) -> str:
    """Return what a variant's answers hold for: "PyTorch", but "Keras on jax": a backend that runs on several."""
    runs_on = {other.variant.requires for other in registry.variants().values() if other.backend == entry.backend}
    return entry.title if len(runs_on) == 1 else f"{entry.title} on {entry.variant.requires[-1]}"


def rows(answers: Answers) -> list[dict[str, Any]]:
    """Return the table as the result document holds it: a row per subject that anyone answered."""
    table = []
    for subject, title in SUBJECTS.items():
        values = {name: found[subject] for name, found in answers.items() if subject in found}
        if values:
            table.append({"subject": subject, "title": title, "values": values})
    return table


def answers(table: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the answers that `rows` made into a table."""
    found: dict[str, dict[str, Any]] = {}
    for row in table:
        for name, value in row["values"].items():
            found.setdefault(name, {})[row["subject"]] = value
    return found


def load_snapshot() -> dict[str, Any]:
    """Return {"versions", "conventions"} as they were committed."""
    return json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def save_snapshot(answers: Answers, versions: Mapping[str, str]) -> None:
    """Replace the committed snapshot."""
    content = {
        "versions": dict(sorted(versions.items())),
        "conventions": {name: answers[name] for name in sorted(answers)},
    }
    write_atomically(SNAPSHOT, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def differences(before: Answers, now: Answers) -> list[str]:
    """Say, a line each, what differs in the frameworks that both know."""
    lines = []
    for name in sorted(before.keys() & now.keys()):
        for subject in sorted(before[name].keys() | now[name].keys()):
            old, new = (answers[name].get(subject, "not answered") for answers in (before, now))
            if old != new:
                lines.append(f"{name}, {SUBJECTS.get(subject, subject)}: {new}, was {old}")
    return lines
