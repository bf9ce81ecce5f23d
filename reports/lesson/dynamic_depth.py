"""A net whose depth is drawn anew for every step."""

import math
import statistics
from collections.abc import Sequence

from markupsafe import Markup

from reports import numbers
from reports.canvas import Chart
from reports.lanes import sign_test_interval
from reports.lesson import plots
from reports.lesson.cards import Card, Figure, Table
from reports.lesson.measured import Estimate, Lesson, Measurement, by_framework
from reports.lesson.plots import Course, Strip
from reports.lesson.verdicts import Verdict, decided, over
from reports.words import code

FREE = 2.0


def card(lesson: Lesson) -> Card:
    """Return the card."""
    measured = lesson.of("dynamic_depth")
    return Card(
        id="dynamic_depth",
        title="A depth drawn by lot",
        claim="Dynamic structure is free in eager mode.",
        who="jcjohnson/pytorch-examples (dynamic_net)",
        question=(
            "At every step a die decides how often the middle layer is applied, up to 3 times or up to 50. Sketch the "
            "time of each of 100 steps, in eager mode and for a function that is traced for each depth."
        ),
        rule=(
            "A step with a depth that has not come up before is compared with the median of the later steps of the "
            "same depth. In a framework’s eager way the structure counts as free if the interval of that ratio ends "
            f"below {FREE:g}, and as not free if it begins above. The very first step is left out. It holds if it does "
            "in every framework that decides, two at least."
        ),
        verdict=_verdict(measured),
        explain=(
            "Eager mode builds its graph while it runs, so each step has the graph that it needs; a new depth is "
            "nothing special. A traced function meets a new program with every new depth. Its times are a staircase "
            "of first calls that thins out as the depths repeat: at most 4 different ones up to 3, as many as 51 up "
            "to 50. torch.compile allows a function a few programs only (`recompile_limit`), and then runs depths that "
            "it has no program for eagerly.",
            "Free means that structure costs nothing extra. Each operation still has its price, as in the experiment "
            "on operations.",
        ),
        figures=(
            Figure(
                _chart(measured),
                "Time of each of the steps, depth up to the larger limit, on a logarithmic axis. What juts out is a "
                "first call with a new depth.",
            ),
        ),
        tables=(_table(measured),) if measured else (),
    )


def surcharge(one: Measurement) -> Estimate | None:
    """Return how many times as long a new depth takes as a known one; None where too few depths came up again.

    Of the largest limit; each depth that came up again gives one ratio. The first step is left out.
    """
    depths, seconds = one.values["depths"][-1], one.values["seconds"][-1]
    logs = []
    for depth in dict.fromkeys(depths):
        times = [
            time for at, (found, time) in enumerate(zip(depths, seconds, strict=True)) if found == depth and at > 0
        ]
        if depth != depths[0] and len(times) > 1:
            logs.append(math.log(times[0] / statistics.median(times[1:])))
    ends = sign_test_interval(logs)
    return Estimate(*map(math.exp, (statistics.median(logs), *ends))) if ends else None


def _verdict(measured: Sequence[Measurement]) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for one in measured:
        extra = surcharge(one)
        if extra is None:
            continue
        if one.mode == "eager":
            found[one.framework] = decided(holds=extra.high < FREE, fails=extra.low > FREE)
        told.append(Markup("{}: a new depth takes {} times as long as a known one.").format(code(one.name), extra))
    return over(found, told)


def _chart(measured: Sequence[Measurement]) -> Chart | None:
    panels = [
        Strip(name, tuple(Course(one.way, one.mode, tuple(one.values["seconds"][-1])) for one in ways))
        for name, ways in by_framework(measured).items()
    ]
    parts = ", ".join(
        f"{one.name} {numbers.time_text(statistics.median(one.values['seconds'][-1]))}, at most "
        f"{numbers.time_text(max(one.values['seconds'][-1][1:]))} after the first"
        for one in measured
    )
    return plots.strips(panels, "step", f"Time of a step, median and largest: {parts}.")


def _table(measured: Sequence[Measurement]) -> Table:
    rows = []
    for one in measured:
        figures: list[str] = []
        for depths, seconds in zip(one.values["depths"], one.values["seconds"], strict=True):
            half = seconds[len(seconds) // 2 :]
            figures += [
                str(len(set(depths))),
                numbers.time_text(sum(seconds)),
                numbers.time_text(statistics.median(half)),
            ]
        rows.append((one.name, figures))
    limits = measured[0].values["max_depths"]
    columns = [
        f"{what}, up to {limit}"
        for limit in limits
        for what in ("different depths", "all steps", "median, second half")
    ]
    return Table("Steps with a depth drawn by lot", ("way", *columns), rows)
