"""What a new shape costs: twenty batch sizes arrive, one after the other, and then again."""

import statistics
from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import Lesson, Measurement, by_framework
from reports.lesson.plots import Course, Strip
from reports.lesson.verdicts import Verdict, over
from reports.words import code, listed

FACTOR = 3.0


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("retrace")
    return Card(
        id="retrace",
        title="A new shape arrives",
        claim="A new shape costs a retrace.",
        who="the guides of TensorFlow, JAX and PyTorch, each in its own words",
        question=(
            "Twenty batches of twenty different sizes pass through one small net. For each way of running: how many of "
            "the twenty calls are slow? All, the first, the first two, or none?"
        ),
        rule=(
            f"A call pays if it takes more than {FACTOR:g} times the median of the same calls made again. Calls after "
            "the first are counted, since the first pays for much else. The claim holds for a way other than eager if "
            "at least half of its new shapes pay, and not if fewer do."
        ),
        verdict=_verdict(measured),
        explain=(
            "A trace is made for what the function was called with. If the shape is part of that, another shape is "
            "another program: it is traced and, with a compiler behind it, compiled anew. The old one stays in a "
            "cache, so each shape pays once.",
            "There are three ways out. Leave the dimension open when tracing (`None` in TensorFlow, `dynamic=True` in "
            "torch.compile, which also tries it by itself after the first change). Pad to a few sizes, say powers of "
            "two: fewer programs, some wasted work. Or stay eager, where there is nothing to retrace.",
        ),
        figures=(
            Figure(
                _chart(measured),
                "Each mark is the first call with a new batch size, in order of arrival, on a logarithmic axis. A line "
                "that stays high pays for every shape; one that falls has learnt.",
            ),
        ),
        tables=(_table(measured),) if measured else (),
    )


def num_paying(one: Measurement) -> int:
    """Return how many of the calls with a new shape, the first left out, were slow."""
    usual = statistics.median(one.values["again_seconds"])
    return sum(seconds > FACTOR * usual for seconds in one.values["first_seconds"][1:])


def _num_counted(one: Measurement) -> int:
    return len(one.values["first_seconds"]) - 1


def _pays(one: Measurement) -> bool:
    return 2 * num_paying(one) >= _num_counted(one)


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    others = [one for one in measured if one.mode != "eager"]
    told = []
    for one in others:
        if _pays(one):
            median = statistics.median(one.values["first_seconds"][1:])
            usual = statistics.median(one.values["again_seconds"])
            form = "{} pays for {} of {} new shapes: {} instead of {}."
            times = numbers.time_text(median), numbers.time_text(usual)
            told.append(Markup(form).format(code(one.name), num_paying(one), _num_counted(one), *times))
    free = [
        Markup("{} ({} of {})").format(code(one.name), num_paying(one), _num_counted(one))
        for one in measured
        if not _pays(one)
    ]
    if free:
        told.append(Markup("Few new shapes pay, or none, in {}.").format(listed(free)))
    return over({code(one.name): _pays(one) for one in others}, told, form="with {yes}, not with {no}")


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    panels = [
        Strip(name, tuple(Course(one.way, one.mode, tuple(one.values["first_seconds"])) for one in ways))
        for name, ways in by_framework(measured).items()
    ]
    parts = ", ".join(f"{one.name} {num_paying(one)} of {_num_counted(one)}" for one in measured)
    return plots.strips(panels, "new shape, in order of arrival", f"Slow first calls with a new batch size: {parts}.")


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        first, again, traces = (one.values[name] for name in ("first_seconds", "again_seconds", "num_traces"))
        figures = [
            numbers.time_text(first[0]),
            numbers.time_text(statistics.median(first[1:])),
            numbers.time_text(statistics.median(again)),
            f"{num_paying(one)} of {_num_counted(one)}",
            numbers.NOT_KNOWN if traces is None else str(traces),
        ]
        rows.append((one.name, figures))
    columns = ("way", "very first call", "next new shapes, median", "the same again, median", "slow", "traces")
    return Table("Calls with a new batch size", columns, rows)
