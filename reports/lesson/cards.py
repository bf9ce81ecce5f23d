"""What a card shows, and the order of the cards."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.canvas import Chart
from reports.lesson.verdicts import Verdict

Text = str | Markup


@dataclass(frozen=True)
class Figure:
    """A chart and its caption; without a chart nothing is shown."""

    chart: Chart | None
    caption: Text


@dataclass(frozen=True)
class Mark:
    """A table's cell that is a verdict of its own: a text with a tone, "good", "bad" or "" (neither)."""

    text: Text
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of a first column and of others; `kind`: "figures" (can be sorted), "plain", "text" or "strip"."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Text, Sequence[Text | Mark]]]
    kind: str = "figures"


@dataclass(frozen=True)
class Published:
    """A figure that others published, with where."""

    text: str
    source: str


@dataclass(frozen=True)
class Card:
    """One experiment.

    Attributes:
        id: of the experiment.
        title: short, for the contents.
        claim: as people make it.
        who: makes it.
        question: asks for a prediction before the data show.
        rule: by which the verdict is computed, in words.
        explain: paragraphs that say why.
    """

    id: str
    title: str
    claim: str
    who: str
    question: str
    rule: str
    verdict: Verdict
    explain: tuple[Text, ...]
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    published: tuple[Published, ...] = ()
