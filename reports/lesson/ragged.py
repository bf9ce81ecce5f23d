"""Sequences of different lengths: example by example, padded, bucketed, or with a mask."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import Estimate, Lesson, Measurement, by_framework, split
from reports.lesson.verdicts import Verdict, decided, over
from reports.words import code

MARGIN = 1.1
AS_THEY_ARE = "as they are"
"""How examples are handed over that are taken one by one, each at its own length."""


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("ragged")
    return Card(
        id="ragged",
        title="A different length per example",
        claim="A different length per example needs a dynamic graph.",
        who="the lecture notes, of recurrent nets; jcjohnson/pytorch-examples",
        question=(
            "Sixty sequences or more, of many lengths. Eager takes them one by one. A static graph pads all to "
            "the longest, sorts them into a few buckets, or masks the steps after an end. Who is through first, the "
            "start included?"
        ),
        rule=(
            "In a framework: the eager way that takes examples one by one needs less time for all examples, cold "
            f"start included, by a factor of {MARGIN:g} or more, than the fastest static way. It fails if a static way "
            "is faster by that factor. It holds if it does in every framework that decides, two at least. Each pass "
            "is timed once."
        ),
        verdict=_verdict(measured),
        explain=(
            "“Needs” is too strong: padding, buckets and masks make shapes regular again, and pay with steps that "
            "compute nothing useful. What remains is a trade: work wasted on padding against Python’s price for every "
            "step of every example.",
            "What a dynamic graph does save is thought. The loop over an example’s own length is one line of Python; "
            "buckets and masks are where bugs live.",
        ),
        figures=(
            Figure(
                _chart(measured),
                "Time for one pass over all examples: hollow without the first call (none where one call does it "
                "all), filled with it. On a logarithmic axis, each timed once.",
            ),
        ),
        tables=(_table(measured),) if measured else (),
    )


def _total(one: Measurement) -> float:
    return float(one.values["total_seconds"])


def _rest(one: Measurement) -> float:
    """Return the seconds of all calls but the first; nothing where one call takes all examples."""
    return _total(one) - float(one.values["first_seconds"])


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for framework, ways in by_framework(measured).items():
        eager, others = split(ways)
        eager = [one for one in eager if one.values["packing"] == AS_THEY_ARE]
        if not eager or not others:
            continue
        dynamic, static = (min(side, key=_total) for side in (eager, others))
        ratio = _total(static) / _total(dynamic)
        found[framework] = decided(holds=ratio >= MARGIN, fails=ratio <= 1 / MARGIN)
        form = "{}: {} takes {}, {} {}, {}; {} of its steps are padding."
        wasted = static.values["num_wasted_steps"] / (static.values["num_wasted_steps"] + sum(static.values["lengths"]))
        times = numbers.time_text(_total(dynamic)), code(static.way), numbers.time_text(_total(static))
        first = f"of which {numbers.time_text(static.values['first_seconds'])} for the first call"
        first = "in one call" if _rest(static) <= 0 else first
        told.append(Markup(form).format(framework, code(dynamic.way), *times, first, numbers.percent_of_text(wasted)))
    return over(found, told)


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    rows = []
    for one in measured:
        total = _total(one)
        marks = tuple(Estimate(value, value, value) for value in (_rest(one), total) if value > 0)
        rows.append(plots.Row(one.framework, one.way, one.mode, marks, numbers.time_text(total)))
    alt = f"Time of one pass over all examples: {'; '.join(f'{row.group} {row.label} {row.text}' for row in rows)}."
    return plots.dots(rows, "time of one pass", alt)


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        data = one.values
        traces = numbers.NOT_KNOWN if data["num_traces"] is None else f"{data['num_traces']:,}"
        times = [numbers.time_text(data[name]) for name in ("total_seconds", "first_seconds")]
        rows.append((one.name, [*times, traces, f"{data['num_wasted_steps']:,}", f"{sum(data['lengths']):,}"]))
    columns = ("way", "one pass", "of it the first call", "traces", "wasted steps", "useful steps")
    num = len(measured[0].values["lengths"])
    return Table(f"One pass over {num} examples", columns, rows)
