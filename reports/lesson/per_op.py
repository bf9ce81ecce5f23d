"""What an operation costs before it does any work: the same chain on vectors of one to ten million elements."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from reports import lines, numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Published, Table
from reports.lesson.measured import Estimate, Lesson, Measurement, by_framework, split
from reports.lesson.verdicts import Verdict, decided, over
from reports.lines import Line, Panel
from reports.words import code

GROWN = 2.0
"""Where a call takes so many times as long as on one element, the work shows."""


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("per_op")
    return Card(
        id="per_op",
        title="The price of an operation",
        claim="Python costs per operation, so small computations are dominated by overhead.",
        who="whoever recommends a graph",
        question=(
            "The same 20 operations run on 1 element and on 10 million. Draw the time of a call against the size for "
            "an eager framework and for a compiled one, on logarithmic axes. Where is each flat, and where do they "
            "meet?"
        ),
        rule=(
            "In a framework: on the smallest vector its fastest eager way takes longer than its fastest other way, the "
            "intervals apart; the claim fails there if it is the other way round. It holds if it does in every "
            "framework that decides, two at least."
        ),
        verdict=_verdict(measured),
        explain=(
            "On one element there is no work to speak of: what is left is the price of getting 20 operations under "
            "way. Eager mode pays it 20 times, once an operation; a compiled function pays it once, a call. That is "
            "why the lines are flat on the left.",
            "On the right the work takes over, and another question decides: how often the vector travels between the "
            "processor and memory. That is the next experiment.",
        ),
        figures=(
            Figure(
                _chart(measured),
                "Time of one call of the chain against the number of elements, on logarithmic axes, the same in every "
                "panel; the dotted line is NumPy’s. A flat line pays overhead; a line that climbs by ten when the "
                "size does is working.",
            ),
        ),
        tables=(_table(measured),) if measured else (),
        published=(
            Published(
                "the other side of it: “small computations can be dominated by the overhead of calling a graph”",
                "TensorFlow’s guide, Introduction to graphs and tf.function",
            ),
        ),
    )


def smallest(one: Measurement) -> Estimate:
    """Return the time of a call on the smallest vector."""
    return Estimate.of(one.values["seconds"][0])


def largest(one: Measurement) -> Estimate:
    """Return that on the largest."""
    return Estimate.of(one.values["seconds"][-1])


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for framework, ways in by_framework(measured).items():
        eager, others = split(ways)
        if not eager or not others:
            continue
        slow, fast = (min(side, key=lambda one: smallest(one).value) for side in (eager, others))
        times = smallest(slow).over(smallest(fast))
        found[framework] = decided(holds=times.low > 1, fails=times.high < 1)
        form = "{}: 20 operations on one element take {} in {} and {} in {}, {} times as long."
        mine, theirs = (numbers.time_text(smallest(one).value) for one in (slow, fast))
        told.append(Markup(form).format(framework, mine, code(slow.way), theirs, code(fast.way), times))
    if measured:
        quickest = min(measured, key=lambda one: smallest(one).value)
        told.append(
            Markup("The cheapest call of all is that of {}: {}.").format(
                code(quickest.name), numbers.time_text(smallest(quickest).value)
            )
        )
    return over(found, told)


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        sizes, seconds = one.values["num_elements"], [Estimate.of(samples).value for samples in one.values["seconds"]]
        shows = [time > GROWN * seconds[0] for time in seconds]
        grown = next((size for at, size in enumerate(sizes) if all(shows[at:])), None)
        per_op = numbers.time_text(seconds[0] / one.values["num_ops"])
        works = size_text(grown) if grown else "not up to the largest"
        rows.append((one.name, [numbers.time_text(seconds[0]), per_op, works, numbers.time_text(seconds[-1])]))
    last = size_text(max(max(one.values["num_elements"]) for one in measured))
    columns = ("way", "call on 1 element", "per operation", "work shows from", f"call on {last}")
    return Table(
        "The ends of the lines; the work shows from where on a call takes twice as long as on 1", columns, rows
    )


def size_text(num_elements: float) -> str:
    """Return a number of elements, a large one as a power of ten."""
    is_power = num_elements >= 1e4 and math.log10(num_elements).is_integer()
    return numbers.power_text(num_elements) if is_power else f"{num_elements:,.0f}"


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    everything = [estimate.value for one in measured for estimate in _estimates(one)]
    limits = (min(everything), max(everything)) if everything else ()
    guides = {one.name: _points(one) for one in measured if one.name.startswith(plots.PLAIN)}
    panels = [
        Panel(
            framework,
            "elements",
            tuple(_line(one) for one in ways if one.name not in guides),
            tuple(ways[0].values["num_elements"]),
            guides,
            limits=limits,
        )
        for framework, ways in by_framework(measured).items()
    ]
    ends = ", ".join(
        f"{one.name} {numbers.time_text(smallest(one).value)} and {numbers.time_text(largest(one).value)}"
        for one in measured
    )
    return lines.chart(panels, f"Time of a call on the smallest and on the largest vector: {ends}.", body=200)


def _line(one: Measurement) -> Line:
    ends = tuple((estimate.low, estimate.high) for estimate in _estimates(one))
    return Line(plots.wrapped(one.way), one.mode, one.mode, False, _points(one), ends)


def _points(one: Measurement) -> tuple[tuple[float, float], ...]:
    return tuple(zip(one.values["num_elements"], [e.value for e in _estimates(one)], strict=True))


def _estimates(one: Measurement) -> list[Estimate]:
    return [Estimate.of(samples) for samples in one.values["seconds"]]
