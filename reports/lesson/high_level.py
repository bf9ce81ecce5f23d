"""Keras's ways of training against programs that are written in the frameworks themselves."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import Estimate, Lesson, Measurement
from reports.lesson.verdicts import NOT_MEASURED, Verdict, decided, over
from reports.sections import Cell
from reports.words import code

MARGIN = 1.25
HIGH_LEVEL = ("fit", "train_on_batch")
"""The ways that the claim is about; a loop of one's own is there to be compared with."""


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("high_level")
    return Card(
        id="high_level",
        title="High level, and fast?",
        claim="High level that works fast: Keras.",
        who="the lecture notes",
        question=(
            "The two-layer net, batches of 64. How does Keras’s `fit` compare with a loop of `train_on_batch`, with a "
            "loop of one’s own, and with the same step written in the framework below?"
        ),
        rule=(
            "For `fit` and for a loop of `train_on_batch`: a step takes at most "
            f"{MARGIN:g} times as long as that of the slowest headline program of this run that is not Keras’s, by the "
            "intervals; it fails if it takes longer. They were not measured in turns, which the margin allows for. It "
            "holds if it does for both. A loop of one’s own is not what the claim is about."
        ),
        verdict=_verdict(lesson, measured),
        explain=(
            "A step of this net is short, so whatever surrounds it shows: checks of the input, metrics, callbacks, the "
            "wrapping of arrays. That price is about the same for a large net, where nobody would notice it.",
            "How batches are fed differs between the ways, and is part of them: `fit` has all of them in one array and "
            "cuts it itself, the others are handed a batch at every step.",
        ),
        figures=(
            Figure(
                _chart(lesson, measured),
                "Time of a training step, with its interval, on a logarithmic axis: Keras’s ways, and the as-written "
                "programs of this run in the same net.",
            ),
        ),
        tables=(_table(lesson, measured),) if measured else (),
    )


def _raw(lesson: Lesson, measured: Sequence[Measurement]) -> list[Cell]:
    """Return the headline training steps of the other backends, fastest first."""
    mine = {record["backend"] for record in lesson.record["measurements"] if record["experiment"] == "high_level"}
    return [cell for cell in lesson.steps if cell["headline"] and cell["backend"] not in mine] if measured else []


def _seconds(one: Measurement) -> Estimate:
    return Estimate.of(one.values["seconds"])


def _of_cell(cell: Cell) -> Estimate:
    ends = cell["step_time_low_s"], cell["step_time_high_s"]
    seconds = cell["step_time_s"]
    return Estimate(seconds, seconds if ends[0] is None else ends[0], seconds if ends[1] is None else ends[1])


def _verdict(lesson: Lesson, measured: Sequence[Measurement]) -> Verdict:
    raw = _raw(lesson, measured)
    if not raw:
        return Verdict(NOT_MEASURED, Markup("there is no time to compare with"))
    slowest = _of_cell(raw[-1])
    found: dict[str, bool | None] = {}
    told = []
    for one in measured:
        ratio = _seconds(one).over(slowest)
        if one.way in HIGH_LEVEL:
            found[code(one.way)] = decided(holds=ratio.high <= MARGIN, fails=ratio.low > MARGIN)
        form = "{} takes {} a step, {} times that of {}."
        seconds = numbers.time_text(_seconds(one).value)
        told.append(Markup(form).format(code(one.way), seconds, ratio, code(raw[-1]["variant"])))
    return over(found, told, form="with {yes}, not with {no}")


def _chart(lesson: Lesson, measured: Sequence[Measurement]) -> Chart | None:
    if not measured:
        return None
    rows = [_row(one.framework, one.way, one.mode, _seconds(one)) for one in measured]
    rows += [_row("this run’s programs", cell["variant"], cell["mode"], _of_cell(cell)) for cell in lesson.steps]
    alt = f"Time of a training step: {'; '.join(f'{row.label} {row.text}' for row in rows)}."
    return plots.dots(rows, "time of one step", alt)


def _row(group: str, label: str, mode: str, estimate: Estimate) -> plots.Row:
    return plots.Row(group, label, mode, (estimate,), numbers.time_text(estimate.value))


def _table(lesson: Lesson, measured: Sequence[Measurement]) -> Table:
    known = [(one.name, _seconds(one)) for one in measured] + [(c["variant"], _of_cell(c)) for c in lesson.steps]
    rows = [
        (name, [numbers.time_text(e.value), numbers.time_interval_text(e.value, e.low, e.high, " – ")])
        for name, e in sorted(known, key=lambda pair: pair[1].value)
    ]
    return Table("A training step", ("way", "step", "interval"), rows)
