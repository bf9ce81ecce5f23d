"""How much memory the temporaries of a wide sum take."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import Estimate, Lesson, Measurement, by_framework, split
from reports.lesson.verdicts import Verdict, over
from reports.words import code, listed

SAVED = 2.0


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("buffers")
    terms = measured[0].values["num_terms"] if measured else 10
    return Card(
        id="buffers",
        title="Memory for temporaries",
        claim="A graph reuses buffers.",
        who="the lecture notes; the guides of XLA",
        question=(
            f"A sum of {terms} large terms, each computed before any are added. How many tensors’ worth of memory does "
            "the process need at its peak: in eager mode, as a graph, compiled?"
        ),
        rule=(
            "For a way other than eager: its peak is lower than that of the framework’s most frugal eager way by "
            f"{SAVED:g} tensors or more. It holds if it does for every such way, two at least. Each peak is that of a "
            "fresh process, taken once."
        ),
        verdict=_verdict(measured),
        explain=(
            "In eager mode a temporary lives as long as Python holds a name for it, and Python cannot know that the "
            "line after next is the last to use it. A runtime that has the whole graph knows when each value is used "
            "for the last time, and gives its memory to the next one.",
            "A compiler goes further: a fused loop never writes the temporaries at all, and is left with the input and "
            "the result. A graph whose runtime starts all ten terms at once, to use the cores, saves less.",
        ),
        figures=(
            Figure(
                _chart(measured),
                "Growth of the process’s peak memory during the call, in units of one tensor, on an axis from zero.",
            ),
        ),
        tables=(_table(measured),) if measured else (),
    )


def in_tensors(one: Measurement) -> float:
    """Return the peak in units of one tensor."""
    return float(one.values["peak_bytes"] / one.values["tensor_bytes"])


def _text(one: Measurement) -> str:
    value = in_tensors(one)
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for framework, ways in by_framework(measured).items():
        eager, others = split(ways)
        if not eager or not others:
            continue
        least = min(in_tensors(one) for one in eager)
        found |= {code(one.name): least - in_tensors(one) >= SAVED for one in others}
        parts = listed(f"{one.way} {_text(one)}" for one in ways)
        told.append(Markup("{}, in tensors: {}.").format(framework, parts))
    return over(found, told, form="with {yes}, not with {no}")


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    rows = []
    for one in measured:
        value = in_tensors(one)
        rows.append(
            plots.Row(one.framework, one.way, one.mode, (Estimate(value, value, value),), f"{_text(one)} tensors")
        )
    alt = f"Peak memory in tensors: {'; '.join(f'{row.group} {row.label} {row.text}' for row in rows)}."
    return plots.dots(rows, "peak memory, in tensors", alt, text=lambda value: f"{value:g}", is_log=False)


def _table(measured: Sequence[Measurement]) -> Table:
    rows = [
        (
            one.name,
            [_text(one), *(numbers.bytes_text(one.values[k]) for k in ("peak_bytes", "tensor_bytes"))],
        )
        for one in measured
    ]
    return Table("Peak memory", ("way", "tensors", "peak", "one tensor"), rows)
