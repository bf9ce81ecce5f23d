"""Four things that are often said, held against the same data."""

import statistics
from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from reports import numbers
from reports.lesson import per_op
from reports.lesson.measured import Estimate, Lesson, Measurement, by_framework, split
from reports.words import code, listed

TRUE, PARTLY, WRONG, UNKNOWN = "true here", "partly true here", "wrong here", "not measured"
NOTABLE = 2.0


@dataclass(frozen=True)
class Misconception:
    """A saying, what the data make of it, and by which rule."""

    saying: str
    outcome: str
    told: Markup
    rule: str


def sayings(lesson: Lesson) -> list[Misconception]:
    """Return the sayings with what became of them."""
    return [_always_faster(lesson), _numpy_with_jit(lesson), _first_call(lesson), _static_or_dynamic(lesson)]


def _timed(one: Measurement) -> list[tuple[int, Estimate]]:
    sizes = one.values["num_elements"]
    return [(size, Estimate.of(samples)) for size, samples in zip(sizes, one.values["seconds"], strict=True)]


def _always_faster(lesson: Lesson) -> Misconception:
    # At two sizes, since one among dozens of comparisons may come out slower by chance.
    rule = (
        "Wrong if, in the chain of 20 operations, a framework’s eager way is faster than the same one of its other "
        "ways at two sizes or more, the intervals apart; true if the other ways are faster everywhere, the intervals "
        "apart."
    )
    saying, pairs = "A graph is always faster.", []
    for ways in by_framework(lesson.of("per_op")).values():
        eager, others = split(ways)
        for dynamic in eager:
            for static in others:
                times = zip(_timed(dynamic), _timed(static), strict=True)
                pairs += [(static, dynamic, size, mine, theirs) for (size, theirs), (_, mine) in times]
    if not pairs:
        return Misconception(saying, UNKNOWN, Markup("The chain was not measured."), rule)
    lost = [pair for pair in pairs if pair[3].exceeds(pair[4])]
    won = [pair for pair in pairs if pair[4].exceeds(pair[3])]
    lost_in = Counter((static.name, dynamic.name) for static, dynamic, *_ in lost)
    is_wrong = any(num_sizes > 1 for num_sizes in lost_in.values())
    told = Markup("Of {} a graph is faster in {}, and slower in {}.").format(
        numbers.count_text(len(pairs), "comparison"), len(won), len(lost)
    )
    if lost:
        static, dynamic, size, mine, theirs = max(lost, key=lambda pair: pair[3].value / pair[4].value)
        form = " The worst: {} takes {} times as long as {} at {} elements."
        told += Markup(form).format(code(static.name), mine.over(theirs), code(dynamic.way), per_op.size_text(size))
    return Misconception(saying, WRONG if is_wrong else TRUE if len(won) == len(pairs) else PARTLY, told, rule)


def _numpy_with_jit(lesson: Lesson) -> Misconception:
    saying = "jit makes NumPy code fast."
    rule = (
        "True if the fastest compiled way beats NumPy in the chain of 20 operations at every size, the intervals "
        "apart; wrong if at none; else partly true."
    )
    measured = lesson.of("per_op")
    plain = next((one for one in measured if one.name.startswith("NumPy")), None)
    compiled = [one for one in measured if one.mode == "compiled"]
    if plain is None or not compiled:
        return Misconception(saying, UNKNOWN, Markup("NumPy or a compiled way is missing."), rule)
    faster, slower = [], []
    for index, (size, theirs) in enumerate(_timed(plain)):
        mine = min((_timed(one)[index][1] for one in compiled), key=lambda estimate: estimate.value)
        faster += [size] if theirs.exceeds(mine) else []
        slower += [size] if mine.exceeds(theirs) else []
    parts = []
    for sizes, what in ((faster, "faster"), (slower, "slower")):
        if sizes:
            parts.append(Markup("{} than NumPy at {} elements").format(what, listed(map(per_op.size_text, sizes))))
    told = (
        Markup("The fastest compiled way is {}.").format(listed(parts))
        if parts
        else Markup("No size tells them apart.")
    )
    outcome = TRUE if len(faster) == len(plain.values["num_elements"]) else PARTLY if faster else WRONG
    return Misconception(saying, outcome, told, rule)


def _first_call(lesson: Lesson) -> Misconception:
    saying = "The first call is noise, so leave it out."
    rule = f"Wrong if in a way other than eager the first call takes over {NOTABLE:g} times as long as the same again."
    ratios = [
        (one.values["first_seconds"][0] / one.values["again_seconds"][0], one.name, "of the small net")
        for one in split(lesson.of("retrace"))[1]
    ]
    for one in split(lesson.of("loops"))[1]:
        again = statistics.median(one.values["seconds"][-1])
        ratios.append((one.values["first_seconds"][-1] / again, one.name, "of the longest loop"))
    if not ratios:
        return Misconception(saying, UNKNOWN, Markup("No first call was measured."), rule)
    (least, *_), (most, way, what) = min(ratios), max(ratios)
    told = Markup("A first call takes {} to {} times as long as the next; most with {} {}.").format(
        numbers.significant(least, 2), numbers.significant(most, 2), code(way), what
    )
    told += " It is a cost like any other, paid once: report it, and say how many calls it is spread over."
    return Misconception(saying, WRONG if most > NOTABLE else TRUE, told, rule)


def _static_or_dynamic(lesson: Lesson) -> Misconception:
    saying = "TensorFlow is static and PyTorch is dynamic."
    rule = (
        "Wrong if any framework has both: a way in which Python runs the body in the second call, and one in which it "
        "does not."
    )
    found = by_framework(lesson.of("python_runs"))
    if not found:
        return Misconception(saying, UNKNOWN, Markup("It was not measured when Python runs."), rule)
    both = [name for name, ways in found.items() if len({bool(one.values["python_ran"][1]) for one in ways}) == 2]
    told = Markup("Both ways were seen in {}.").format(listed(both)) if both else Markup("No framework has both.")
    return Misconception(saying, WRONG if both else TRUE, told, rule)
