"""What a notebook shows of the lesson, cell by cell: HTML in a browser, text in a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports import render
from reports.lesson.cards import Card
from reports.lesson.measured import Measurement


@dataclass(frozen=True, repr=False)
class Shown:
    """The same in both forms. A notebook asks for `_repr_html_`, `print` for the representation."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def question(card: Card) -> Shown:
    """Return what a class reads before it predicts: the claim, the question, and the rule of the verdict."""
    return _filled("lesson/cell_question.html.j2", card=card)


def verdict(card: Card, absent: Sequence[Measurement] = ()) -> Shown:
    """Return what a class reads afterwards: the verdict, the figures that decided, why, and what is missing.

    Args:
        card: of the experiment.
        absent: its measurements without data.
    """
    return _filled("lesson/cell_verdict.html.j2", card=card, absent=absent)


def side_by_side(sources: Mapping[str, str]) -> Shown:
    """Return programs by title next to each other; in a terminal, one below the other."""
    text = "\n\n".join(f"{title}\n\n{source.rstrip()}" for title, source in sources.items())
    return Shown(render.fill("lesson/cell_sources.html.j2", sources=sources), text)


def _filled(template: str, **values: object) -> Shown:
    """Fill a template that has a paragraph a line, so that the lines without their tags are the text."""
    html = render.fill(template, **values)
    return Shown(html, "\n".join(Markup(line).striptags() for line in html.splitlines()))
