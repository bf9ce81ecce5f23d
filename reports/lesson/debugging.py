"""What still works of a programmer's usual tools once the function is a graph."""

import re
from collections.abc import Sequence

from markupsafe import Markup

from reports.lesson.cards import Card, Mark, Table
from reports.lesson.measured import Lesson, Measurement, Record, by_framework, split
from reports.lesson.verdicts import Verdict, over
from reports.words import code

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
WORKS, FAILS = ("✓", "good"), ("✗", "bad")


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("debugging")
    return Card(
        id="debugging",
        title="Print, breakpoint, NaN",
        claim="Dynamic is easier to debug.",
        who="nearly everybody",
        question=(
            "A function with a print and a breakpoint in it is called three times. How often does each fire, eagerly "
            "and traced? Who names the line that made a NaN, and when does a wrong shape show: while the graph is "
            "built, while it is traced, or while it runs?"
        ),
        rule=(
            "Five checks a way: the print fires in every call, the breakpoint is reached in every call, a NaN is "
            "located, a NaN in a gradient is, and the traceback of a wrong shape shows the user’s own line. In a "
            "framework the claim holds if an eager way passes more of them than every other way, and fails if another "
            "way passes as many. It holds if it does in every framework that decides, two at least."
        ),
        verdict=_verdict(measured),
        explain=(
            "Python runs while a function is traced and not afterwards, so whatever lives in Python, a print, a "
            "breakpoint, a logger, a counter, sees the trace and nothing else. What it prints then is a symbol, "
            "without a value. torch.compile goes another way: at a print it breaks the graph in two and lets Python "
            "run between them, in every call.",
            "In exchange a graph knows its shapes before anything runs: a wrong one is refused while it is built or "
            "traced, before hours of data have passed through. And most frameworks have a print that is part of the "
            "graph (`tf.print`, `jax.debug.print`) and a NaN checker.",
        ),
        tables=(_table(measured), _messages(measured)) if measured else (),
    )


def checks(data: Record) -> tuple[bool, ...]:
    """Return whether a way passed each of the checks."""
    calls = data["print_calls"]
    return (
        data["prints"] == calls,
        data["breakpoint_reached"] == calls,
        bool(data["nan_located"]),
        bool(data["nan_gradient_located"]),
        bool(data["own_line_in_traceback"]),
    )


def _num_passed(one: Measurement) -> int:
    return sum(checks(one.values))


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for framework, ways in by_framework(measured).items():
        eager, others = split(ways)
        if not eager or not others:
            continue
        best, rival = (max(side, key=_num_passed) for side in (eager, others))
        found[framework] = _num_passed(best) > _num_passed(rival)
        form = "{}: {} passes {} of 5 checks, {} passes {}."
        told.append(
            Markup(form).format(framework, code(best.way), _num_passed(best), code(rival.way), _num_passed(rival))
        )
    return over(found, told)


def _mark(passed: bool, text: str = "") -> Mark:
    sign, tone = WORKS if passed else FAILS
    return Mark(f"{sign} {text or ('yes' if passed else 'no')}", tone)


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        data = one.values
        printed, stopped, located, traced_back, own = checks(data)
        calls = data["print_calls"]
        cells = [
            _mark(printed, f"{data['prints']} of {calls}"),
            _mark(stopped, f"{data['breakpoint_reached']} of {calls}"),
            _mark(located),
            _mark(traced_back),
            _mark(own),
            Mark(data["shape_error_at"]),
        ]
        rows.append((one.name, cells))
    columns = (
        "way",
        "print fires",
        "breakpoint reached",
        "NaN located",
        "NaN in a gradient located",
        "own line in traceback",
        "wrong shape shows at",
    )
    return Table("Tried, not judged", columns, rows, kind="text")


def _messages(measured: Sequence[Measurement]) -> Table:
    said = ("shape_error_message", "nan_message", "nan_gradient_message")
    rows = [(one.name, [_ANSI.sub("", one.values[name]) for name in said]) for one in measured]
    return Table("What they said", ("way", "of a wrong shape", "of a NaN", "of a NaN in a gradient"), rows, kind="text")
