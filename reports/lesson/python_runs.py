"""When the body of a function is run by Python, and when it is not."""

from collections.abc import Sequence

from markupsafe import Markup

from reports.lesson.cards import Card, Mark, Table
from reports.lesson.measured import Lesson, Measurement, by_framework, split
from reports.lesson.verdicts import HOLDS, ONLY, Verdict, over
from reports.words import code, listed

SECOND = 1
"""The place of the call that brings nothing new."""


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("python_runs")
    return Card(
        id="python_runs",
        title="When Python runs",
        claim="In a graph, Python runs once.",
        who="whoever has wondered where a print went",
        question=(
            "The same function is called four times: first, again with the same shape, with a new shape, and with a "
            "new Python number as an argument. In which calls does Python run its body?"
        ),
        rule=(
            "In a framework: its eager ways run the body in the second call, and no other way does; the first call of "
            "each runs it. It fails if a way other than eager runs it in the second call. It holds if it does in every "
            "framework that decides, two at least; and only while nothing new arrives if some way other than eager "
            "runs it again in a later call."
        ),
        verdict=_verdict(measured),
        explain=(
            "A traced function is Python’s description of a program, run when a program is needed that does not exist "
            "yet. What counts as new differs: a shape nearly always does; a Python number is a constant of the "
            "program to some, and an input to others. Whatever the body does besides computing, appending to a list, "
            "reading a clock, drawing from Python’s random numbers, happens once a trace and is frozen into it.",
            "torch.compile is the exception. It does not run the body to trace it, but reads its bytecode, and sees "
            "what else the body does: it appends to the list again after each call, or breaks the graph there and lets "
            "Python run. Here it was told to take the counter for a constant, so that only traces are counted.",
        ),
        tables=(_table(measured),) if measured else (),
    )


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for framework, ways in by_framework(measured).items():
        eager, others = split(ways)
        if not eager or not others:
            continue
        runs = {one.name: one.values["python_ran"] for one in ways}
        found[framework] = (
            all(ran[0] for ran in runs.values())
            and all(runs[one.name][SECOND] for one in eager)
            and not any(runs[one.name][SECOND] for one in others)
        )
    anew: dict[str, list[str]] = {}
    for one in split(measured)[1]:
        for call, ran in list(zip(one.values["calls"], one.values["python_ran"], strict=True))[SECOND:]:
            if ran:
                anew.setdefault(call, []).append(code(one.name))
    told = [Markup("At the {} Python runs again in {}.").format(call, listed(ways)) for call, ways in anew.items()]
    verdict = over(found, told)
    if verdict.outcome == HOLDS and anew:
        return Verdict(ONLY, "while nothing new arrives", verdict.told)
    return verdict


def _table(measured: Sequence[Measurement]) -> Table:
    rows = [(one.name, [_mark(ran) for ran in one.values["python_ran"]]) for one in measured]
    calls = measured[0].values["calls"]
    return Table("How often Python ran the body, call by call", ("way", *calls), rows, kind="strip")


def _mark(ran: int) -> Mark:
    if ran == 0:
        return Mark("–", "idle")
    return Mark("runs" if ran == 1 else f"runs {ran} ×", "ran")
