"""A loop in Python against a loop that is part of the graph."""

from collections.abc import Sequence

from markupsafe import Markup

from reports import lines, numbers
from reports.canvas import Chart
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import Estimate, Lesson, Measurement, by_framework
from reports.lesson.verdicts import Verdict, over
from reports.lines import Line, Panel, Points
from reports.words import code

MOST_GROWTH = 1.5


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("loops")
    return Card(
        id="loops",
        title="A loop inside the graph",
        claim="Loops must be part of a static graph.",
        who="the lecture notes (tf.scan, tf.while_loop)",
        question=(
            "A recurrence runs for 10, 50 and 200 steps. Traced as a Python loop, how many nodes has its graph? And if "
            "the loop is an operation of the graph itself? Which of the two then runs faster?"
        ),
        rule=(
            "In a framework: from the shortest to the longest loop, the graph of the traced Python loop grows at "
            "least half as much as the loop does, and the graph with a loop of its own grows to at most "
            f"{MOST_GROWTH:g} times as many nodes. Otherwise it fails there. It holds if it does in every framework "
            "that decides, two at least."
        ),
        verdict=_verdict(measured),
        explain=(
            "Tracing runs the Python loop and writes down what it does, round after round: the graph has no loop any "
            "more, only its body 200 times. It has to be traced, optimised and compiled at that length, and at each "
            "other length again. An operation such as `scan` holds the body once, however many rounds it takes. That "
            "number may be open until the graph runs (`tf.while_loop`, `jax.lax.while_loop`), or be fixed by a shape: "
            "`jax.lax.scan` is traced anew for another length, but no longer for a longer one.",
            "“Must” is about the size of the graph, not about the speed of a round. A loop inside the graph has to "
            "keep count and pass its state on, and gives a compiler less to rearrange; where few rounds are taken "
            "very often, the unrolled one can win.",
        ),
        figures=(
            Figure(
                _chart(measured),
                "The first call, which traces, compiles and runs, and a later one, against the length of the "
                "loop, on logarithmic axes. Bold: the loop is part of the graph; dotted: NumPy.",
            ),
        ),
        tables=(_table(measured),) if measured else (),
    )


def is_in_graph(one: Measurement) -> bool:
    """Tell whether a way's loop is an operation of the graph: what is neither eager nor called unrolled."""
    return one.mode != "eager" and not _is_unrolled(one)


def _is_unrolled(one: Measurement) -> bool:
    return "unroll" in one.way


def _longest_s(one: Measurement) -> float:
    """Return the seconds of a later call of the longest loop."""
    return Estimate.of(one.values["seconds"][-1]).value


def _growth(one: Measurement) -> float | None:
    nodes = one.values["num_nodes"]
    return nodes[-1] / nodes[0] if nodes[0] and nodes[-1] else None


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for framework, ways in by_framework(measured).items():
        unrolled = [one for one in ways if _is_unrolled(one) and _growth(one)]
        looped = [one for one in ways if is_in_graph(one) and _growth(one)]
        if not unrolled or not looped:
            continue
        one = min(unrolled, key=_longest_s)
        # With another compiler on one side, the times would be about the compilers.
        other = min([way for way in looped if way.mode == one.mode] or looped, key=_longest_s)
        lengths = one.values["lengths"]
        found[framework] = (_growth(one) or 0) >= 0.5 * lengths[-1] / lengths[0] and (
            _growth(other) or 0
        ) <= MOST_GROWTH
        told.append(_told(framework, one, other))
    return over(found, told)


def _told(framework: str, unrolled: Measurement, looped: Measurement) -> Markup:
    nodes = ["/".join(f"{number:,}" for number in one.values["num_nodes"]) for one in (unrolled, looped)]
    lengths = "/".join(str(length) for length in unrolled.values["lengths"])
    slow, quick = (Estimate.of(one.values["seconds"][-1]) for one in (unrolled, looped))
    ratio = slow.over(quick)
    run = "the two run equally fast, as far as can be told"
    if ratio.low > 1:
        run = f"unrolled, the longest takes {ratio} times as long to run"
    if ratio.high < 1:
        run = f"yet unrolled, the longest takes only {ratio} times as long to run"
    first = [numbers.time_text(one.values["first_seconds"][-1]) for one in (unrolled, looped)]
    form = "{}, lengths {}: {} has {} nodes, {} has {}; the first call of the longest takes {} and {}; {}."
    return Markup(form).format(
        framework, lengths, code(unrolled.way), nodes[0], code(looped.way), nodes[1], *first, run
    )


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    plain = {one.name: one for one in measured if one.name.startswith(plots.PLAIN)}
    panels = []
    for framework, ways in by_framework(measured).items():
        mine = [one for one in ways if one.name not in plain]
        for title, points in (("first call", _first_points), ("a later call", _later_points)):
            drawn = tuple(
                Line(plots.wrapped(one.way), one.mode, one.mode, is_in_graph(one), points(one)) for one in mine
            )
            guides = {name: points(one) for name, one in plain.items()}
            panels.append(Panel(f"{framework}: {title}", "rounds", drawn, tuple(ways[0].values["lengths"]), guides))
    parts = ", ".join(
        f"{one.name} {numbers.time_text(one.values['first_seconds'][-1])} and "
        f"{numbers.time_text(Estimate.of(one.values['seconds'][-1]).value)}"
        for one in measured
    )
    return lines.chart(panels, f"First and later call of the longest loop: {parts}.", body=150)


def _first_points(one: Measurement) -> Points:
    return tuple(zip(one.values["lengths"], one.values["first_seconds"], strict=True))


def _later_points(one: Measurement) -> Points:
    medians = (Estimate.of(samples).value for samples in one.values["seconds"])
    return tuple(zip(one.values["lengths"], medians, strict=True))


def _table(measured: Sequence[Measurement]) -> Table:
    lengths = measured[0].values["lengths"]
    rows = []
    for one in measured:
        nodes = [numbers.NOT_KNOWN if number is None else f"{number:,}" for number in one.values["num_nodes"]]
        first = [numbers.time_text(seconds) for seconds in one.values["first_seconds"]]
        later = [numbers.time_text(Estimate.of(samples).value) for samples in one.values["seconds"]]
        rows.append((one.name, [*nodes, *first, *later]))
    columns = [f"{what}, {length}" for what in ("nodes", "first call", "later call") for length in lengths]
    return Table("Loops of several lengths", ("way", *columns), rows)
