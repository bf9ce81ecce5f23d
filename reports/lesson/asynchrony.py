"""A call that has returned, and the work that may still go on."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import Estimate, Lesson, Measurement
from reports.lesson.verdicts import Verdict, decided, over
from reports.words import code

DONE = 0.9


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("asynchrony")
    return Card(
        id="asynchrony",
        title="Returned is not done",
        claim="It returned, so it is done.",
        who="whoever writes time.time() around a call",
        question=(
            "A matrix product takes about a tenth of a second. When does the call come back, in each framework, on a "
            "CPU? Which of them would win a benchmark that forgets to wait?"
        ),
        rule=(
            f"Of each way: the call returns after at least {DONE:.0%} of the time until the result is there, by the "
            "intervals; it fails if it returns earlier. It holds if it does for every way, two at least."
        ),
        verdict=_verdict(measured),
        explain=(
            "An asynchronous framework puts the work in a queue and gives back a promise that looks like an array. "
            "Python runs ahead, prepares the next call, and only waits when somebody looks at a value: prints it, "
            "converts it to NumPy, or asks for it (`block_until_ready`, `torch.cuda.synchronize`). That is good for "
            "speed, and the ruin of a careless benchmark.",
            "On a GPU nearly all frameworks are asynchronous. What is measured here holds for this machine’s device "
            "only.",
        ),
        figures=(
            Figure(
                _chart(measured),
                "Hollow: the call has returned. Filled: the result is there. On a logarithmic axis; where the marks "
                "lie on each other, the call does not run ahead.",
            ),
        ),
        tables=(_table(measured),) if measured else (),
    )


def _times(one: Measurement) -> tuple[Estimate, Estimate]:
    return Estimate.of(one.values["returned_seconds"]), Estimate.of(one.values["done_seconds"])


def _share(one: Measurement) -> Estimate:
    """Return the part of the time after which a call returns, call by call."""
    pairs = zip(one.values["returned_seconds"], one.values["done_seconds"], strict=True)
    return Estimate.of([returned / done for returned, done in pairs])


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for one in measured:
        share = _share(one)
        found[code(one.name)] = decided(holds=share.low >= DONE, fails=share.high < DONE)
        if share.value < DONE:
            returned, done = _times(one)
            times = numbers.time_text(returned.value), numbers.time_text(done.value)
            told.append(Markup("{}: returns after {}, is done after {}.").format(code(one.name), *times))
    return over(found, told, form="with {yes}, not with {no}")


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    rows = []
    for one in measured:
        returned, done = _times(one)
        text = f"{numbers.time_text(returned.value)} / {numbers.time_text(done.value)}"
        rows.append(plots.Row(one.framework, one.way, one.mode, (returned, done), text))
    alt = f"Call returned, and result there: {'; '.join(f'{row.group} {row.label} {row.text}' for row in rows)}."
    return plots.dots(rows, "time since the call", alt)


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        returned, done = _times(one)
        share = numbers.percent_of_text(_share(one).value)
        rows.append((one.name, [numbers.time_text(returned.value), numbers.time_text(done.value), share]))
    return Table("The call, and the work", ("way", "returned after", "done after", "share"), rows)
