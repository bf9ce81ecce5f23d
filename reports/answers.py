"""The answer: which variant is fastest, by how much, with what certainty, and what the run cannot tell."""

import math

from markupsafe import Markup

from reports import numbers
from reports.sections import Cell, Comparison, Section
from reports.words import MOST_NAMES, PHASE_WORDS, code, listed, names


def time_and_interval(cell: Cell) -> Markup:
    """Return "68.1 ms (67.5 to 68.9 ms)"."""
    seconds = cell["step_time_s"]
    spread = numbers.time_interval_text(seconds, cell["step_time_low_s"], cell["step_time_high_s"])
    text = numbers.time_text(seconds)
    return Markup("{}").format(text if spread == numbers.NOT_KNOWN else f"{text} ({spread})")


def _leader(comparison: Comparison, cells: list[Cell]) -> Markup:
    """Name the fastest, or those between which the data do not decide."""
    leaders = comparison.leaders(cells)
    phase, count = PHASE_WORDS[comparison.phase], numbers.count_text(len(cells), "as-written variant")
    if len(leaders) == 1:
        form = "<strong>For {}, {} is the fastest</strong> of the {}, at {}"
        return Markup(form).format(phase, code(leaders[0]["variant"]), count, time_and_interval(leaders[0]))
    times = [cell["step_time_s"] for cell in leaders]
    spread = f"{numbers.time_text(min(times))} to {numbers.time_text(max(times))}"
    who = names([cell["variant"] for cell in leaders])
    if len(leaders) == len(cells):
        form = "<strong>For {}, no winner is shown</strong>: this run does not set {} apart ({})"
        return Markup(form).format(phase, who, spread)
    form = "<strong>For {}, no single winner is shown</strong>: of the {}, {} lead and are not set apart ({})"
    return Markup(form).format(phase, count, who, spread)


def _apart(comparison: Comparison, cells: list[Cell]) -> Markup:
    """Give the intervals of the variants that were shown to differ from the baseline."""
    if comparison.baseline is None:
        return Markup("")
    found = [(ratio, cell) for cell in cells if _is_apart(comparison, cell) and (ratio := comparison.ratio(cell))]
    parts = [
        Markup("{} takes {} times").format(code(cell["variant"]), numbers.interval_text(*ratio[1:]))
        for ratio, cell in sorted(found, key=lambda one: one[0])
    ]
    if not parts:
        return Markup("")
    parts[0] += Markup(" as long as {}").format(code(comparison.baseline["variant"]))
    return Markup("; {}").format(listed(parts))


def _is_apart(comparison: Comparison, cell: Cell) -> bool:
    return comparison.claim(cell) in ("faster", "slower")


def _not_apart(comparison: Comparison, cells: list[Cell]) -> list[Markup]:
    """Say of which variants nothing, or no difference, was shown against the baseline."""
    if comparison.baseline is None:
        return []
    rest = [cell for cell in cells if not _is_apart(comparison, cell)]
    same = [cell["variant"] for cell in rest if comparison.claim(cell) == "no difference shown"]
    wide = [cell["variant"] for cell in rest if cell["variant"] not in same]
    told = []
    baseline = code(comparison.baseline["variant"])
    if same:
        told.append(Markup("Between {} and {} no difference is shown.").format(names(same), baseline))
    if wide:
        told.append(Markup("This run cannot tell {} from {}.").format(names(wide), baseline))
    return told


def noise(comparison: Comparison) -> Markup:
    """Say what can be told apart, and what that follows from."""
    if comparison.group is None or comparison.baseline is None:
        return Markup("")
    least = _least(comparison.noise_floor)
    if comparison.control is None:
        return Markup("There is no usable A/A control; differences below {} are not claimed.").format(least)
    if comparison.noise_floor > _reach(comparison.control):
        return Markup("With a single launch, differences below {} are not claimed.").format(least)
    return Markup("By its A/A control, this comparison cannot resolve differences below {}.").format(least)


def _least(floor: float) -> str:
    """Return the smallest difference that is told from none, from a noise floor on the log."""
    return numbers.percent_text(math.expm1(floor)) if floor < math.log(2) else f"a factor of {math.exp(floor):,.1f}"


def _reach(ends: tuple[float, float]) -> float:
    return max(abs(math.log(end)) for end in ends)


def control(comparison: Comparison) -> Markup:
    """Give the A/A control's interval, for those who look at the table."""
    if comparison.control is None or comparison.baseline is None:
        return noise(comparison)
    ends = numbers.interval_text(*comparison.control)
    return Markup("The A/A control, whose true ratio is 1, came out at {}. {}").format(ends, noise(comparison))


def _tuned(comparison: Comparison) -> Markup:
    tuned = comparison.lane("tuned")
    leaders = comparison.leaders(tuned)
    if len(leaders) != 1 or comparison.baseline is None:
        return Markup("")
    ratio = comparison.ratio(leaders[0])
    if ratio is None or not _is_apart(comparison, leaders[0]):
        return Markup("")
    what = "the only one is" if len(tuned) == 1 else "the fastest is"
    form = "In the tuned lane, ranked apart, {} {}, which takes {} times as long as the baseline."
    return Markup(form).format(what, code(leaders[0]["variant"]), numbers.interval_text(*ratio[1:]))


def _without_ratios(comparison: Comparison) -> Markup:
    shown, phase = comparison.shown, PHASE_WORDS[comparison.phase]
    if len(shown) == 1:
        form = "For {} only {} was timed, at {}; there is nothing to compare it with."
        return Markup(form).format(phase, code(shown[0]["variant"]), time_and_interval(shown[0]))
    times = [
        Markup("{} {}").format(code(cell["variant"]), numbers.time_text(cell["step_time_s"]))
        for cell in shown[:MOST_NAMES]
    ]
    form = "For {} the baseline has no time, so nothing is ranked; the times are {}."
    return Markup(form).format(phase, listed(times))


def found(comparison: Comparison) -> Markup:
    """Say in one sentence which variant is fastest for one phase, and by how much the others are not."""
    phase = PHASE_WORDS[comparison.phase]
    if not comparison.shown:
        return Markup("For {} no variant was timed.").format(phase)
    written = comparison.lane("as-written")
    if len(comparison.shown) == 1 or comparison.baseline is None:
        return _without_ratios(comparison)
    if not comparison.leaders(written):
        return Markup("For {} there are too few rounds to compare the variants.").format(phase)
    if len(written) == 1:
        return Markup("For {} only one as-written variant was timed.").format(phase)
    return _leader(comparison, written) + _apart(comparison, _told(comparison)) + Markup(".")


def _told(comparison: Comparison) -> list[Cell]:
    """Return the variants that the answer compares with the baseline: the headline ones, and the leader."""
    written = comparison.lane("as-written")
    told = [cell for cell in written if cell["headline"] or cell in comparison.leaders(written)[:1]]
    return [cell for cell in (told if len(told) > 1 else written) if cell is not comparison.baseline]


def resting_on(comparison: Comparison) -> Markup:
    """Say what the answer leaves open, the best of the tuned lane, and what the run cannot tell apart."""
    if not comparison.leaders(comparison.lane("as-written")) or len(comparison.shown) == 1:
        return Markup("")
    parts = [*_not_apart(comparison, _told(comparison)), _tuned(comparison), noise(comparison)]
    return Markup(" ").join(part for part in parts if part)


def answer(section: Section) -> list[Markup]:
    """Return what was found for one net: a sentence on the first phase (training), what it rests on, the others."""
    comparisons = list(section.comparisons.values())
    parts = [*map(found, comparisons[:1]), *map(resting_on, comparisons[:1]), *map(found, comparisons[1:])]
    return [part for part in parts if part]
