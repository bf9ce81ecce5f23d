"""A model that leaves Python: saved, then loaded where its source is not."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.lesson import plots
from reports.lesson.cards import Card, Mark, Table
from reports.lesson.measured import Lesson, Measurement, by_framework
from reports.lesson.verdicts import Verdict, over


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("export")
    return Card(
        id="export",
        title="Leaving Python",
        claim="A graph can leave Python.",
        who="the lecture notes; every deployment guide",
        question=(
            "A trained model is saved, and loaded in a process that has the framework but not the model’s source code. "
            "Which kinds of file still predict the same numbers? Which can be loaded without the framework?"
        ),
        rule=(
            "In a framework: at least one of its files was loaded in a process without the model’s source and "
            "predicted the same numbers. It holds if that is so in every framework measured, two at least."
        ),
        verdict=_verdict(measured),
        explain=(
            "A graph is data: a list of operations and where their inputs come from. Whoever has that list can run "
            "it, in another process, another language, on a phone. An eager model is a program; a file of its "
            "weights, or a pickle that names its class, is useless without the source.",
            "So frameworks that are used eagerly have a way to make a graph after all, by tracing. What the trace did "
            "not see, another branch, another shape, is not in the file.",
            "A Keras model that is put together from Keras’s own layers (`Sequential`, or functional) is data from the "
            "start, and its .keras file needs no source. The net here is a class of its own.",
        ),
        tables=(_table(measured), _messages(measured)) if measured else (),
    )


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    graphs = [one for one in measured if not one.framework.startswith(plots.PLAIN)]
    for framework, ways in by_framework(graphs).items():
        free = [one.values["artefact"] for one in ways if one.values["reloads_without_source"]]
        bound = [one.values["artefact"] for one in ways if not one.values["reloads_without_source"]]
        found[framework] = bool(free)
        parts = [f"{what} {', '.join(names)}" for what, names in (("works:", free), ("does not:", bound)) if names]
        told.append(Markup("{}: {}.").format(framework, "; ".join(parts)))
    return over(found, told)


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        data = one.values
        works = data["reloads_without_source"]
        cells: list[str | Mark] = [
            data["artefact"],
            Mark("✓ made" if data["exported"] else "✗ not made", "good" if data["exported"] else "bad"),
            Mark("✓ yes" if works else "✗ no", "good" if works else "bad"),
            *(numbers.time_text(data[name]) for name in ("export_seconds", "load_seconds", "import_seconds")),
            _size(data["num_bytes"]),
        ]
        rows.append((one.name, cells))
    columns = ("way", "file", "export", "runs without the source", "exported in", "loaded in", "import before", "size")
    return Table("Saved, and loaded in a new process", columns, rows, kind="text")


def _size(num_bytes: int | None) -> str:
    if num_bytes is None:
        return numbers.NOT_KNOWN
    return f"{num_bytes / 1000:,.0f}{numbers.NBSP}kB"


def _messages(measured: Sequence[Measurement]) -> Table:
    rows = [(one.name, [one.values["message"]]) for one in measured if one.values["message"]]
    return Table("What they said", ("way", "message"), rows, kind="text")
