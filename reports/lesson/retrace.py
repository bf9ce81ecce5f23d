"""What a new shape costs: twenty batch sizes arrive, one after the other, and then again."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import Estimate, Lesson, Measurement, by_framework
from reports.lesson.plots import Course, Strip
from reports.lesson.verdicts import Verdict, over
from reports.words import code, listed


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
            "A way other than eager pays if at least half of the shapes were traced anew, by its own count of traces, "
            "and if a first call takes longer than the same call again, the intervals of their medians apart; the very "
            "first call is left out, since it pays for much else. The claim holds if every way with a count pays, two "
            "at least; it is not reproduced if none does."
        ),
        verdict=_verdict(measured),
        explain=(
            "A trace is made for what the function was called with. If the shape is part of that, another shape is "
            "another program: it is traced and, with a compiler behind it, compiled anew. The old one stays in a "
            "cache, so each shape pays once.",
            "There are three ways out. Leave the dimension open when tracing (`None` in TensorFlow, `dynamic=True` in "
            "torch.compile). After the first change torch.compile tries that by itself, and so does `tf.function` with "
            "`reduce_retracing=True`, as Keras calls it. Pad to a few sizes, say powers of two: fewer programs, some "
            "wasted work. Or stay eager, where there is nothing to retrace; JAX alone compiles each operation for each "
            "shape there, too.",
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


def _calls(one: Measurement) -> tuple[Estimate, Estimate]:
    """Return the seconds of a call with a new shape, the very first left out, and of the same calls again."""
    return Estimate.of(one.values["first_seconds"][1:]), Estimate.of(one.values["again_seconds"])


def _pays(one: Measurement) -> bool | None:
    """Tell whether a new shape costs a retrace; None where traces were not counted."""
    if one.values["num_traces"] is None:
        return None
    first, again = _calls(one)
    return 2 * one.values["num_traces"] >= len(one.values["batch_sizes"]) and first.exceeds(again)


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    others = [one for one in measured if one.mode != "eager"]
    told = []
    for one in others:
        first, again = (numbers.time_text(estimate.value) for estimate in _calls(one))
        if _pays(one):
            form = "{} traces {} times for {} shapes: a new one takes {} instead of {}."
            counts = one.values["num_traces"], len(one.values["batch_sizes"])
            told.append(Markup(form).format(code(one.name), *counts, first, again))
    spared = [Markup("{} {}").format(code(one.name), one.values["num_traces"]) for one in others if _pays(one) is False]
    if spared:
        told.append(Markup("Traces of those that do not pay: {}.").format(listed(spared)))
    return over({code(one.name): _pays(one) for one in others}, told, form="with {yes}, not with {no}")


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    panels = [
        Strip(name, tuple(Course(one.way, one.mode, tuple(one.values["first_seconds"])) for one in ways))
        for name, ways in by_framework(measured).items()
    ]
    medians = ((one.name, *(numbers.time_text(estimate.value) for estimate in _calls(one))) for one in measured)
    parts = ", ".join(f"{name} {first} ({again} again)" for name, first, again in medians)
    return plots.strips(panels, "new shape, in order of arrival", f"Median of first calls with a new shape: {parts}.")


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        traces = one.values["num_traces"]
        seconds = [one.values["first_seconds"][0], *(estimate.value for estimate in _calls(one))]
        figures = [*map(numbers.time_text, seconds), numbers.NOT_KNOWN if traces is None else str(traces)]
        rows.append((one.name, figures))
    columns = ("way", "very first call", "next new shapes, median", "the same again, median", "traces")
    num = len(measured[0].values["batch_sizes"])
    return Table(f"Calls with {num} batch sizes", columns, rows)
