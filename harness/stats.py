"""Intervals and verdicts from rounds of samples. Pure functions on plain floats; nothing random.

A **sample** is a time per step in seconds, a **round** the samples that one variant gave in one visit. All variants are
visited once in every round, so what the machine did in a round slowed them alike, and a ratio taken within the round
is free of it. Logs make a ratio and its inverse symmetric. The median over rounds and its order-statistic interval
need nothing but independent rounds: no normal distribution, no finite variance.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Statistic = Literal["min", "median"]
Launch = tuple[Sequence[Sequence[float]], Sequence[Sequence[float]]]
"""Rounds of a variant and of the baseline: round → samples, seconds per step."""
Verdict = Literal["faster", "slower", "no difference shown", "too wide to say"]

LONGEST_BLOCK_FOR_MIN_S = 5e-3
MIN_NUM_ROUNDS = 6
"""Five values give no 95 % interval of the median: all five lie on one side of it once in 16 times."""
MARGIN = 0.02
MAX_WALL_PER_CPU = 1.05
MAX_AUTOCORRELATION = 0.3
"""Above it the interval is too short: at 0.5 it covers 83 to 90 % in simulation."""


class MedianInterval(NamedTuple):
    """A median with its 95 % interval; the bounds are None when there are too few rounds."""

    median: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ratio:
    """Time of a variant over the time of the baseline, above 1: slower.

    Attributes:
        ratio: exp of the median log ratio; None without a common round.
        low, high: its 95 % interval; None with fewer than `MIN_NUM_ROUNDS` common rounds.
        log_ratios: one per common round, in order.
        autocorrelation: lag 1, of `log_ratios`; warn above `MAX_AUTOCORRELATION`.
    """

    ratio: float | None
    low: float | None
    high: float | None
    log_ratios: tuple[float, ...]
    autocorrelation: float | None

    @property
    def half_width(self) -> float | None:
        """The longer side of the interval, on the log."""
        if self.ratio is None or self.low is None or self.high is None:
            return None
        return max(math.log(self.high / self.ratio), math.log(self.ratio / self.low))


@dataclass(frozen=True)
class LaunchedRatio(Ratio):
    """A ratio over several launches, each with processes of its own; usable wherever a `Ratio` is.

    Attributes:
        agree: whether the launches could not be told apart (see `launches_agree`); None with fewer than two.
        launches: each one's own ratio.
    """

    agree: bool | None
    launches: tuple[Ratio, ...]


# ---------------------------------------------------------------- one round


def choose_statistic(step_block_time_s: float) -> Statistic:
    """Return how to sum up a round, from the time of one block at calibration, before any sample is seen.

    A disturbance can only add time. It hits few short blocks but hits those hard, so their minimum is the undisturbed
    time; every long block catches some of it, and the minimum of those would be a matter of luck.
    """
    return "min" if step_block_time_s <= LONGEST_BLOCK_FOR_MIN_S else "median"


def summary_of_round(samples: Sequence[float], statistic: Statistic) -> float:
    """Return the minimum or the median of one round's samples.

    Raises:
        ValueError: no sample, or an unknown statistic.
    """
    if not samples:
        raise ValueError("a round without samples has no summary")
    if statistic == "min":
        return min(samples)
    if statistic == "median":
        return statistics.median(samples)
    raise ValueError(f"unknown statistic {statistic!r}; choose min or median")


def num_contaminated(samples: Sequence[tuple[float, float, int]]) -> int:
    """Count the samples during which the worker shared its cores. They are flagged, never dropped.

    A sample counts when

    - the worker's threads lost their cores against their will more often than twice the median sample's did, or
    - wall time / CPU time > 1.05 · max(1, median of the same quotient over all given samples).

    Where a framework has more threads than there are cores, they take these from each other, alike in every sample;
    where it has not, the median is 0, and any involuntary context switch counts.

    CPU time is that of the whole process, so with several threads it may exceed the wall time. But a CPU-bound step
    always has at least one thread to run, so whatever the number of threads an undisturbed process gets at least the
    wall time: below that, it stood still as a whole. A thread that loses its core while others run does not show in the
    quotient, but in the switches. Short steps hand over between a framework's own threads, and a host waits for its
    GPU; both idle alike in every sample, hence the comparison with the cell's own median where that is above 1.

    Args:
        samples: (wall_s, cpu_s, involuntary context switches) of every sample of a cell.
    """
    quotients = [wall_s / cpu_s if cpu_s > 0 else math.inf for wall_s, cpu_s, _ in samples]
    if not quotients:
        return 0
    most_per_cpu = MAX_WALL_PER_CPU * max(1.0, statistics.median(quotients))
    most_switches = 2 * statistics.median(switches for _, _, switches in samples)
    return sum(
        switches > most_switches or quotient > most_per_cpu
        for quotient, (_, _, switches) in zip(quotients, samples, strict=True)
    )


# ---------------------------------------------------------------- intervals over rounds


def sign_test_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the exact order-statistic interval of the median, the one that inverts the sign test.

    Of n independent values, the number below the true median is binomial(n, 1/2). So the k-th smallest and the k-th
    largest enclose it with probability 1 − 2·P(binomial < k); k is the largest that keeps this at `confidence`.

    Returns:
        (low, high), or None with fewer than `MIN_NUM_ROUNDS` values or too few for `confidence`.

    Raises:
        ValueError: a value is NaN.
    """
    if any(math.isnan(value) for value in values):
        raise ValueError("an interval of NaN has no meaning")
    num_values = len(values)
    k, outside = 0, 0.0  # outside: 2·P(binomial < k)
    while k < num_values // 2:
        with_next = outside + 2 * math.comb(num_values, k) / 2**num_values
        if with_next > 1 - confidence:
            break
        k, outside = k + 1, with_next
    if num_values < MIN_NUM_ROUNDS or k == 0:
        return None
    ordered = sorted(values)
    return ordered[k - 1], ordered[-k]


def median_interval(rounds_s: Sequence[Sequence[float]], statistic: Statistic) -> MedianInterval:
    """Return the step time: the median over rounds of each round's summary, with its interval. Skips empty rounds.

    Raises:
        ValueError: no round holds a sample.
    """
    summaries = [summary_of_round(samples, statistic) for samples in rounds_s if samples]
    if not summaries:
        raise ValueError("no round holds a sample")
    low, high = sign_test_interval(summaries) or (None, None)
    return MedianInterval(statistics.median(summaries), low, high)


def paired_ratio(
    rounds_s: Sequence[Sequence[float]], baseline_rounds_s: Sequence[Sequence[float]], statistic: Statistic
) -> Ratio:
    """Return the ratio to the baseline, from the rounds in which both have samples.

    Args:
        rounds_s: round → samples; position i is the same round in both lists, and one list may be longer.
        baseline_rounds_s: the baseline's.
        statistic: sums up a round.
    """
    return ratio_of(
        tuple(
            math.log(summary_of_round(samples, statistic) / summary_of_round(baseline_samples, statistic))
            for samples, baseline_samples in zip(rounds_s, baseline_rounds_s, strict=False)
            if samples and baseline_samples
        )
    )


def ratio_of(log_ratios: tuple[float, ...]) -> Ratio:
    """Return the median of independent log ratios with its interval: one a round, or one a launch."""
    if not log_ratios:
        return Ratio(None, None, None, (), None)
    interval = sign_test_interval(log_ratios)
    low, high = (math.exp(interval[0]), math.exp(interval[1])) if interval else (None, None)
    return Ratio(math.exp(statistics.median(log_ratios)), low, high, log_ratios, lag1_autocorrelation(log_ratios))


def over_launches(launches: Sequence[Launch], statistic: Statistic) -> LaunchedRatio:
    """Return the ratio over several launches; with one launch it is that of `paired_ratio`.

    Two processes of one program may differ for as long as they live, by where their memory lies, for example, and no
    interval over the rounds of one launch can see it. Launches that agree are pooled: the interval is that of all their
    rounds. Where they differ, the interval goes from the lowest end of any launch's own to the highest, and the ratio
    is the median of all rounds still.

    Args:
        launches: for each, the rounds of the variant and of the baseline, as `paired_ratio` takes them.
        statistic: sums up a round.
    """
    ratios = tuple(paired_ratio(*launch, statistic) for launch in launches)
    pooled = ratio_of(tuple(itertools.chain.from_iterable(ratio.log_ratios for ratio in ratios)))
    agree = launches_agree([ratio.log_ratios for ratio in ratios])
    if agree is False:
        reached = [bound for ratio in ratios for bound in (ratio.low, ratio.ratio, ratio.high) if bound is not None]
        pooled = replace(pooled, low=min(reached), high=max(reached))
    return LaunchedRatio(**vars(pooled), agree=agree, launches=ratios)


# ---------------------------------------------------------------- may the rounds be trusted?


def lag1_autocorrelation(values: Sequence[float]) -> float | None:
    """Return Σ (v_t − v̄)(v_{t+1} − v̄) / Σ (v_t − v̄)²; None with fewer than `MIN_NUM_ROUNDS` or only equal values."""
    if len(values) < MIN_NUM_ROUNDS or min(values) == max(values):
        return None
    mean = statistics.fmean(values)
    deviations = [value - mean for value in values]
    products = sum(a * b for a, b in itertools.pairwise(deviations))
    return products / sum(deviation**2 for deviation in deviations)


def launches_agree(log_ratios: Sequence[Sequence[float]]) -> bool | None:
    """Tell whether the Kruskal–Wallis test cannot tell launches apart at 5 %.

    So of launches that do not differ, one group in twenty is said to, which makes its interval wider and no claim
    wrong. At 1 %, or with a margin below which launches always agree, intervals over launches that do differ covered
    less (docs/measuring.md).

    Args:
        log_ratios: launch → round → log ratio.

    Returns:
        None with fewer than two launches that have rounds.
    """
    launches = [values for values in log_ratios if values]
    if len(launches) < 2:
        return None
    if len(set(itertools.chain.from_iterable(launches))) == 1:
        return True  # the test has no ranks to compare
    from scipy.stats import kruskal  # here, because importing it takes longer than most commands

    return bool(kruskal(*launches).pvalue > 0.05)


def is_steady(log_values: Sequence[float], tolerance: float = MARGIN) -> bool | None:
    """Compare the first half of the rounds with the second (an odd middle one is left out).

    Not steady when both hold: the exact two-sided Mann–Whitney test tells the halves apart at 5 %, and their medians
    differ by more than `tolerance`. The test alone bounds false alarms on independent noise at 5 %; the tolerance
    keeps a drift that is too small to matter from being called one when there are many rounds.

    Args:
        log_values: one per round, in order: logs of times, or log ratios.
        tolerance: relative, of what the logs were taken of.

    Returns:
        None with fewer than 8 values, of which the test cannot reject any.
    """
    half = len(log_values) // 2
    if half < 4:
        return None
    first, second = list(log_values[:half]), list(log_values[-half:])
    if abs(statistics.median(second) - statistics.median(first)) <= math.log1p(tolerance):
        return True
    from scipy.stats import mannwhitneyu  # here, because importing it takes longer than most commands

    # equal values make the exact test a little stricter than 5 %
    return bool(mannwhitneyu(first, second, method="exact").pvalue > 0.05)


# ---------------------------------------------------------------- the verdict


def noise_floor(control: Ratio | None, margin: float = MARGIN) -> float:
    """Return how far from 1 this run cannot tell a ratio from 1, as |log|.

    It is the far end of the A/A control's interval: its true ratio is 1, so what the interval reaches is what this
    machine feigned in this run. With one launch, or without a control's interval, it is at least the equivalence
    margin: two processes of one program differ by a percent or two for as long as they live, and a single control is
    too few to say how far the others are off. Several launches show it in the interval itself.
    """
    if control is None or control.low is None or control.high is None:
        return math.log1p(margin)
    reach = max(abs(math.log(control.low)), abs(math.log(control.high)))
    has_several_launches = isinstance(control, LaunchedRatio) and control.agree is not None
    return reach if has_several_launches else max(reach, math.log1p(margin))


def verdict(ratio: Ratio, control: Ratio | None, margin: float = MARGIN) -> Verdict:
    """Put a ratio to the baseline into words.

    The first that applies:

    1. "faster" or "slower": the whole interval lies on one side of 1 and beyond the control's `noise_floor` there.
    2. "no difference shown": the whole interval lies within [1 / (1 + margin), 1 + margin].
    3. "too wide to say": all else, an interval that could not be formed included.

    So a difference below the margin is still reported when several launches could resolve it, and an interval that
    reaches into what the control feigned is never a claim.
    """
    if ratio.ratio is None or ratio.low is None or ratio.high is None:
        return "too wide to say"
    floor = noise_floor(control, margin)
    if math.log(ratio.low) > floor:
        return "slower"
    if math.log(ratio.high) < -floor:
        return "faster"
    if ratio.low >= 1 / (1 + margin) and ratio.high <= 1 + margin:
        return "no difference shown"
    return "too wide to say"
