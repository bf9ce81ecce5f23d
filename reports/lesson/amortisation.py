"""A static graph's up-front cost, and the number of steps that pays for it; the data of the slider."""

import itertools
import math
from typing import Any

from markupsafe import Markup

from reports import breakeven, lines, numbers
from reports.canvas import Chart
from reports.lesson.cards import Card, Figure, Published, Table
from reports.lesson.measured import Lesson
from reports.lesson.verdicts import Verdict, decided, over
from reports.lines import Line, Panel
from reports.sections import Cell
from reports.words import code, names

MOST_STEPS = 100_000
CLASSIC_STEPS = 500
SHOWN_STEPS = (1, 10, 100, CLASSIC_STEPS, 1_000, 10_000, MOST_STEPS)


def card(lesson: Lesson) -> Card:
    """Return the card: an eager and a static variant of one framework, in pairs, and the time in all of each."""
    return Card(
        id="amortisation",
        title="Paying up front",
        claim="A static graph’s up-front cost is amortised over the iterations.",
        who="the lecture notes; jcjohnson/pytorch-examples",
        question=(
            "A graph has to be traced, optimised and compiled before its first step. After how many steps of this "
            "small net has it made up for that: 5, 50, 500 or 5,000? And which program has finished first after the "
            "classic 500 steps?"
        ),
        rule=(
            "For an eager variant and one of the same framework that runs a graph, N* is the first step after which "
            "the graph has taken less time in all, imports left out because both pay the same. Each start was measured "
            "once, so the interval is that of the step times alone. The claim holds for a "
            f"pair if the whole interval of N* lies at or below {MOST_STEPS:,} steps, and does not if it begins "
            "beyond that; else the pair does not decide. It holds if it does for every pair that decides, two at least."
        ),
        verdict=_verdict(lesson),
        explain=(
            "An eager step pays Python and dispatch for every operation, every time. A graph pays for tracing and "
            "compiling once, and then less for each step. So N* = (cost of the graph − cost of eager) / (eager step − "
            "graph step): it is small where a graph starts fast or saves much in each step, and there is none where "
            "it saves nothing.",
            "Whether a start-up cost matters is therefore a question about the job, not about the framework. A sweep "
            "over hundreds of short trials pays it hundreds of times; a night of training does not notice it.",
        ),
        figures=(
            Figure(
                _chart(lesson),
                "Time that a new process has taken after so many steps, on logarithmic axes. The import is left out, "
                "as in the slider before its box is ticked. Where two lines cross, the later starter is ahead from "
                "then on.",
            ),
        ),
        tables=tuple(table for table in (_pairs_table(lesson), _ahead_table(lesson)) if table.rows),
        published=(
            Published(
                "first iteration 0.25 s eager, 3.36 s compiled, 1.03 s from a filled cache (H100)",
                "pytorch/pytorch issue 172547",
            ),
            Published(
                "an autoencoder’s training fell from 110.4 s to 34.1 s when its eager step became a `tf.function`",
                "aymericdamien/TensorFlow-Examples, pull request 418",
            ),
        ),
    )


def seconds(cell: Cell, num_steps: float, with_import: bool = False) -> float:
    """Return the time after so many steps, with the import of the framework or without."""
    return breakeven.seconds(cell, num_steps) - (0.0 if with_import else float(cell["stages"]["import_s"]))


def started(lesson: Lesson) -> list[Cell]:
    """Return the training steps whose cold stages are known, fastest first."""
    return [cell for cell in lesson.steps if cell["stages"]]


def pairs(lesson: Lesson) -> list[tuple[Cell, Cell]]:
    """Return (eager, static) of the same packages: what one framework can run in both ways."""
    cells = started(lesson)
    return [
        (eager, static)
        for eager, static in itertools.product(cells, cells)
        if eager["mode"] == "eager" and static["mode"] != "eager" and _packages(eager) == _packages(static)
    ]


def _packages(cell: Cell) -> tuple[str, frozenset[str]]:
    return cell["backend"], frozenset(cell["versions"])


def crossing(lesson: Lesson, eager: Cell, static: Cell) -> tuple[float | None, float, float | None] | None:
    """Return N* with its interval, (value, low, high); None as an end: never. None if the step times have no interval.

    The interval takes the ends of the two ratios to the baseline, so it is wider than that of the pair itself.
    """
    ratios = [lesson.net.ratio(cell) if lesson.net else None for cell in (eager, static)]
    if ratios[0] is None or ratios[1] is None:
        return None
    later_s = seconds(static, 2) - seconds(eager, 2)
    step_s = eager["step_time_s"]

    def steps(ratio: float) -> float | None:
        gained_s = step_s * (1 - ratio)
        if later_s <= 0:
            return 1.0  # nothing to make up for
        return 2 + math.ceil(later_s / gained_s) if gained_s > 0 else None

    low = steps(ratios[1][1] / ratios[0][2])
    if low is None:
        return None, math.inf, None
    return steps(static["step_time_s"] / step_s), low, steps(ratios[1][2] / ratios[0][1])


def _verdict(lesson: Lesson) -> Verdict:
    found: dict[str, bool | None] = {}
    told = []
    for eager, static in pairs(lesson):
        place = crossing(lesson, eager, static)
        if place is None:
            continue
        _, low, high = place
        is_certain = high is not None and high <= MOST_STEPS
        found[code(static["variant"])] = decided(holds=is_certain, fails=low > MOST_STEPS)
        told.append(_told(eager, static, place))
    first = [cell["variant"] for cell in sorted(started(lesson), key=lambda cell: seconds(cell, CLASSIC_STEPS))]
    if first:
        text = "After {} steps {} has taken the least time, {}; then {}."
        least = numbers.time_text(min(seconds(cell, CLASSIC_STEPS) for cell in started(lesson)))
        told.append(Markup(text).format(CLASSIC_STEPS, code(first[0]), least, names(first[1:4])))
    return over(found, told, form="for {yes}, not for {no}")


def _told(eager: Cell, static: Cell, place: tuple[float | None, float, float | None]) -> Markup:
    middle, low, high = place
    early, late = code(eager["variant"]), code(static["variant"])
    if math.isinf(low):
        return Markup("{} never makes up for its start against {}: its step is not faster.").format(late, early)
    if high == 1:
        return Markup("{} starts no later than {}: N* = 1.").format(late, early)
    spread = f"{low:,.0f} to {high:,.0f}" if high else f"{low:,.0f} or more, perhaps never"
    about = f"{middle:,.0f}" if middle else "never, by the medians"
    return Markup("{} against {}: N* = {} ({}).").format(late, early, about, spread)


def _pairs_table(lesson: Lesson) -> Table:
    rows = []
    for eager, static in pairs(lesson):
        place = crossing(lesson, eager, static)
        if place is not None:
            middle, low, high = place
            ends = "never" if math.isinf(low) else f"{low:,.0f} – {f'{high:,.0f}' if high else 'never'}"
            later = _signed(seconds(static, 2) - seconds(eager, 2))
            gained = _signed(eager["step_time_s"] - static["step_time_s"])
            pair = Markup("{} against {}").format(code(static["variant"]), code(eager["variant"]))
            rows.append((pair, [later, gained, f"{middle:,.0f}" if middle else "never", ends]))
    return Table("Break-even N*", ("pair", "starts later by", "gains per step", "N*", "interval"), rows)


def _signed(duration_s: float) -> str:
    return f"{'−' if duration_s < 0 else ''}{numbers.time_text(abs(duration_s))}"


def _ahead_table(lesson: Lesson) -> Table:
    """Return who is ahead after how many steps: the slider, for those without JavaScript."""
    cells = started(lesson)
    rows = []
    for num_steps in SHOWN_STEPS if cells else ():
        ranked = sorted(cells, key=lambda cell: seconds(cell, num_steps))
        times = [Markup("{} {}").format(code(c["variant"]), numbers.time_text(seconds(c, num_steps))) for c in ranked]
        rows.append((f"{num_steps:,}", [*times[:3], *([""] * (3 - len(times)))]))
    return Table("Who is ahead after so many steps", ("steps", "first", "second", "third"), rows, kind="text")


def _chart(lesson: Lesson) -> Chart | None:
    grid = {round(10 ** (index / 4)) for index in range(4 * round(math.log10(MOST_STEPS)) + 1)}
    drawn = tuple(
        Line(
            cell["variant"],
            cell["mode"],
            cell["backend"],
            cell["headline"],
            tuple((step, seconds(cell, step)) for step in sorted(grid)),
        )
        for cell in started(lesson)
    )
    texts = ", ".join(
        f"{cell['variant']} {numbers.time_text(seconds(cell, 1))} and {numbers.time_text(seconds(cell, MOST_STEPS))}"
        for cell in started(lesson)
    )
    alt = f"Time after the first and after {MOST_STEPS:,} steps: {texts}."
    return lines.chart([Panel("Time in all, without the import", "steps taken", drawn)], alt)


def slider(lesson: Lesson) -> list[dict[str, Any]]:
    """Return what the slider computes from, in seconds: a record a variant and batch, fastest step first."""
    return [
        {
            "batch": cell["batch_size"],
            "variant": cell["variant"],
            "mode": cell["mode"],
            "import": cell["stages"]["import_s"],
            "first": seconds(cell, 1),
            "second": cell["stages"]["second_step_s"],
            "step": cell["step_time_s"],
        }
        for comparison in lesson.nets
        for cell in comparison.lane("as-written")
        if cell["stages"]
    ]
