"""The lesson's page: static and dynamic graphs, shown with what this machine measured; one self-contained file.

One module for each experiment makes its card from the document: claim, rule, verdict, figures. The page needs no
JavaScript; what there is of it is the amortisation slider, and the memory for the chosen tab.
"""

import json
from typing import Any

from markupsafe import Markup

from reports import render as report
from reports.lesson import (
    amortisation,
    asynchrony,
    audit,
    buffers,
    columns,
    debugging,
    dynamic_depth,
    export,
    fusion,
    graphs,
    high_level,
    loops,
    misconceptions,
    per_op,
    python_runs,
    ragged,
    retrace,
    same_numbers,
)
from reports.lesson.cards import Card
from reports.lesson.measured import Lesson
from reports.sections import Document

PARTS = (
    ("What a graph costs, and what it pays", (amortisation, per_op, fusion, buffers)),
    ("What a graph must know in advance", (retrace, loops, ragged, dynamic_depth)),
    ("What Python sees of it", (python_runs, asynchrony, debugging)),
    ("What one gets in the end", (high_level, same_numbers, export)),
)
"""The experiments, in the order of the page."""


def render(document: Document) -> str:
    """Return the page for a result document with a lesson.

    Raises:
        ValueError: the document has no lesson.
        KeyError: it does not follow the schema.
    """
    block = document.get("likeforlike", document)
    if not block.get("lesson"):
        raise ValueError("the document has no lesson; make one with: pytest --benchmark --preset lesson")
    lesson = Lesson(block)
    parts = [(title, [_experiment(lesson, module.card(lesson)) for module in modules]) for title, modules in PARTS]
    return report.fill(
        "lesson/page.html.j2",
        run=block["run"],
        environment=block["environment"],
        opening=audit.opening(lesson.record["audit"]),
        columns=columns.steps(lesson.record["sources"]),
        parts=parts,
        cards=[one["card"] for _, cards in parts for one in cards],
        slider=_embedded(amortisation.slider(lesson)),
        subjects=graphs.subjects(lesson.record["graphs"]),
        misconceptions=misconceptions.sayings(lesson),
        clinic=lesson.record["clinic"],
        exercises=lesson.record["exercises"],
    )


def _experiment(lesson: Lesson, card: Card) -> dict[str, Any]:
    """Return a card with what every card has: the code that ran, and what could not be measured."""
    measured = lesson.of(card.id)
    return {
        "card": card,
        "sources": [(one.name, one.source) for one in measured if one.source],
        "absent": lesson.absent(card.id),
    }


def _embedded(value: Any) -> Markup | None:
    """Return a value as JSON that may stand inside a script element; None for an empty one."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return Markup(text.replace("<", "\\u003c")) if value else None
