"""Intervals cover, controls stay quiet, real differences are seen: shown on simulated runs with a fixed seed."""

import itertools
import math

import numpy as np
import pytest

from harness import stats
from harness.stats import LaunchedRatio, Ratio

NUM_RUNS = 2000


def one_sided_limit(rate, num_runs=NUM_RUNS):
    """Highest share that `num_runs` runs of a true `rate` reach, but for once in a thousand times."""
    return rate + 3.1 * math.sqrt(rate * (1 - rate) / num_runs)


def simulated_times(rng, num_runs, num_rounds=12, num_samples=4, step_time_s=1e-3):
    """Samples (run, round, sample): a round's own slowness is shared by all variants; each sample adds a heavy tail."""
    return step_time_s * (1 + 0.002 * rng.standard_exponential((num_runs, num_rounds, num_samples)) ** 3)


def shared_slowness(rng, num_runs, num_rounds=12):
    return np.exp(0.2 * rng.standard_normal((num_runs, num_rounds, 1)))


# ---------------------------------------------------------------- one round


def test_statistic_is_chosen_by_the_block_s_length():
    assert stats.choose_statistic(1e-4) == stats.choose_statistic(5e-3) == "min"
    assert stats.choose_statistic(5.1e-3) == stats.choose_statistic(1.0) == "median"


def test_summary_of_round():
    assert stats.summary_of_round([3.0, 1.0, 2.0, 9.0], "min") == 1.0
    assert stats.summary_of_round([3.0, 1.0, 2.0, 9.0], "median") == 2.5
    with pytest.raises(ValueError, match="without samples"):
        stats.summary_of_round([], "min")
    with pytest.raises(ValueError, match="unknown statistic 'mean'"):
        stats.summary_of_round([1.0], "mean")


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], 0),
        ([(1.0, 1.0, 0), (1.0, 0.99, 0), (1.04, 1.0, 0)], 0),  # one thread, undisturbed
        ([(1.0, 1.0, 0), (1.0, 1.0, 2), (1.2, 1.0, 0)], 2),  # one switched out, one that waited
        ([(1.0, 1.9, 0), (1.0, 1.4, 0), (1.0, 1.0, 0)], 0),  # two threads, serial parts: not a disturbance
        ([(1.0, 1.9, 3), (1.0, 1.9, 2), (1.0, 1.9, 6), (1.0, 1.9, 7)], 0),  # more threads than cores, in every sample
        ([(1.0, 1.9, 3), (1.0, 1.9, 2), (1.0, 1.9, 3), (1.0, 1.9, 7)], 1),  # and once somebody else's too
        ([(1.0, 1.9, 0), (1.0, 0.8, 0), (1.0, 1.9, 1)], 2),  # two threads, stood still; one thread lost its core
        ([(1.0, 0.5, 0), (1.0, 0.51, 0), (1.0, 0.49, 0)], 0),  # waits for its GPU in every sample
        ([(1.0, 0.5, 0), (1.0, 0.5, 0), (1.0, 0.3, 0)], 1),  # and in one of them for something else too
        ([(1.0, 0.0, 0)], 0),  # CPU clock too coarse to tell
    ],
)
def test_contaminated_samples_are_counted(samples, expected):
    assert stats.num_contaminated(samples) == expected


# ---------------------------------------------------------------- intervals


@pytest.mark.parametrize("num_values", range(6))
def test_no_interval_below_six_values(num_values):
    assert stats.sign_test_interval([1.0] * num_values) is None
    assert stats.sign_test_interval([1.0] * num_values, confidence=0.5) is None


@pytest.mark.parametrize(("num_values", "k"), [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (60, 22)])
def test_interval_uses_the_order_statistics_of_the_published_tables(num_values, k):
    """k as in tables of the sign test (for example Conover, Practical Nonparametric Statistics), in any order."""
    values = [float(v) for v in np.random.default_rng(0).permutation(num_values)]
    assert stats.sign_test_interval(values) == (k - 1, num_values - k)


def test_interval_of_equal_values_and_of_nan():
    assert stats.sign_test_interval([2.0] * 7) == (2.0, 2.0)
    assert stats.sign_test_interval([1.0] * 6, confidence=0.99) is None
    with pytest.raises(ValueError, match="NaN"):
        stats.sign_test_interval([1.0] * 6 + [math.nan])


@pytest.mark.parametrize("num_rounds", [6, 12, 13, 30])
@pytest.mark.parametrize("distribution", ["cauchy", "lognormal", "exponential"])
def test_interval_covers_the_median_of_heavy_tails(distribution, num_rounds):
    """At least 95 % of intervals hold the true median, whatever the distribution (no variance, skewed, bounded)."""
    rng = np.random.default_rng(1)
    draw = {
        "cauchy": rng.standard_cauchy,
        "lognormal": lambda shape: rng.lognormal(0, 2, shape) - 1,
        "exponential": lambda shape: rng.standard_exponential(shape) - math.log(2),
    }[distribution]
    intervals = np.array([stats.sign_test_interval(run) for run in draw((NUM_RUNS, num_rounds)).tolist()])
    missed = np.mean((intervals[:, 0] > 0) | (intervals[:, 1] < 0))
    assert missed <= one_sided_limit(0.05)


def test_median_interval_of_step_times():
    rounds_s = [[5.0, float(i)] for i in range(1, 8)]
    assert stats.median_interval([*rounds_s, []], "min") == (4.0, 1.0, 5.0)
    assert stats.median_interval([[2.0, 4.0]], "median") == (3.0, None, None)
    with pytest.raises(ValueError, match="no round"):
        stats.median_interval([[], []], "min")


# ---------------------------------------------------------------- ratios


def test_ratio_is_taken_within_each_round():
    """Rounds that differ tenfold leave no trace in the ratio, which a quotient of two medians would not survive."""
    slowness = [1.0, 10.0, 2.0, 5.0, 1.0, 7.0, 3.0]
    ratio = stats.paired_ratio([[1.1 * s] for s in slowness], [[s] for s in slowness], "median")
    assert ratio.ratio == pytest.approx(1.1)
    assert ratio.low == pytest.approx(1.1)
    assert ratio.high == pytest.approx(1.1)
    assert len(ratio.log_ratios) == 7


def test_ratio_and_its_inverse_agree():
    rng = np.random.default_rng(2)
    a, b = simulated_times(rng, 2).tolist()
    there, back = stats.paired_ratio(a, b, "min"), stats.paired_ratio(b, a, "min")
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert (there.low, there.high) == pytest.approx((1 / back.high, 1 / back.low))


def test_only_common_rounds_count():
    a = [[2.0], [2.0], [], [2.0]]
    b = [[1.0], [], [1.0], [1.0], [1.0], [1.0], [1.0]]
    ratio = stats.paired_ratio(a, b, "min")
    assert ratio == Ratio(pytest.approx(2.0), None, None, (math.log(2), math.log(2)), None)
    assert stats.paired_ratio([], b, "min") == Ratio(None, None, None, (), None)
    assert stats.paired_ratio([[]], b, "min").ratio is None


@pytest.mark.parametrize("num_rounds", [1, 5])
def test_few_rounds_give_a_ratio_without_an_interval_and_no_claim(num_rounds):
    ratio = stats.paired_ratio([[2.0]] * num_rounds, [[1.0]] * num_rounds, "min")
    assert ratio.ratio == pytest.approx(2.0)
    assert ratio.low is ratio.high is ratio.autocorrelation is None
    assert stats.verdict(ratio, ratio) == "too wide to say"


# ---------------------------------------------------------------- launches


def launch(log_ratios):
    """Rounds of a variant and of the baseline that have these log ratios."""
    return [[math.exp(value)] for value in log_ratios], [[1.0] for _ in log_ratios]


def launches_of(rng, offsets, num_rounds=12):
    return [launch(offset + 0.005 * rng.standard_normal(num_rounds)) for offset in offsets]


@pytest.mark.parametrize("num_rounds", [0, 3, 12])
def test_one_launch_is_the_paired_ratio(num_rounds):
    rounds_s, baseline_rounds_s = launch(np.random.default_rng(10).normal(size=num_rounds))
    alone = stats.paired_ratio(rounds_s, baseline_rounds_s, "min")
    launched = stats.over_launches([(rounds_s, baseline_rounds_s)], "min")
    assert {name: getattr(launched, name) for name in vars(alone)} == vars(alone)
    assert (launched.agree, launched.launches) == (None, (alone,))
    assert launched.half_width == alone.half_width


def test_launches_that_agree_are_pooled():
    launches = launches_of(np.random.default_rng(11), [0.0, 0.0, 0.0])
    launched = stats.over_launches(launches, "min")
    assert launched.agree is True
    assert launched.log_ratios == tuple(value for ratio in launched.launches for value in ratio.log_ratios)
    assert len(launched.log_ratios) == 36
    low, high = stats.sign_test_interval(launched.log_ratios)
    assert (launched.low, launched.high) == (math.exp(low), math.exp(high))
    assert launched.half_width < min(ratio.half_width for ratio in launched.launches)


def test_launches_that_differ_give_the_range_between_them():
    launched = stats.over_launches(launches_of(np.random.default_rng(12), [0.0, 0.03, 0.01]), "min")
    assert launched.agree is False
    first, highest, _ = launched.launches
    assert (launched.low, launched.high) == (first.low, highest.high)
    assert stats.verdict(launched, QUIET) == "too wide to say"


def test_launches_too_short_for_an_interval_of_their_own():
    launched = stats.over_launches([launch([0.0] * 5), launch([0.1] * 5)], "min")
    assert launched.agree is False
    assert (launched.low, launched.high) == (1.0, pytest.approx(math.exp(0.1)))


def test_launches_without_rounds_say_nothing():
    assert stats.over_launches([launch([]), launch([])], "min").ratio is None
    assert stats.over_launches([launch([0.0] * 6), launch([])], "min").agree is None
    assert stats.over_launches([launch([0.1] * 6), launch([0.1] * 6)], "min").agree is True


def test_launches_that_do_not_differ_are_seldom_said_to():
    rng = np.random.default_rng(13)
    alarms = [stats.over_launches(launches_of(rng, [0.0] * 3), "min").agree is False for _ in range(500)]
    assert np.mean(alarms) <= one_sided_limit(0.05, 500)


def test_processes_that_differ_by_a_percent_are_seen():
    """Rounds that scatter by 0.5 %, three launches of 12: seen nine times in ten."""
    rng = np.random.default_rng(14)
    found = [stats.over_launches(launches_of(rng, 0.014 * rng.standard_normal(3)), "min") for _ in range(300)]
    assert np.mean([ratio.agree is False for ratio in found]) > 0.9


# ---------------------------------------------------------------- flags


def test_autocorrelation_sees_a_slow_wave_and_not_noise():
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((NUM_RUNS, 24))
    correlated = noise.copy()
    for t in range(1, 24):
        correlated[:, t] += 0.8 * correlated[:, t - 1]
    flagged = [
        np.mean([stats.lag1_autocorrelation(run) > stats.MAX_AUTOCORRELATION for run in runs.tolist()])
        for runs in (noise, correlated)
    ]
    assert flagged[0] < 0.07
    assert flagged[1] > 0.85


def test_autocorrelation_by_hand():
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    deviations = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
    expected = sum(a * b for a, b in itertools.pairwise(deviations)) / 17.5
    assert stats.lag1_autocorrelation(values) == pytest.approx(expected)
    assert stats.lag1_autocorrelation(values[:5]) is None
    assert stats.lag1_autocorrelation([3.0] * 12) is None


@pytest.mark.parametrize("num_rounds", [8, 12, 25])
def test_steadiness_raises_few_false_alarms(num_rounds):
    rng = np.random.default_rng(4)
    runs = 0.1 * rng.standard_t(2, (400, num_rounds))
    alarms = np.mean([not stats.is_steady(run) for run in runs.tolist()])
    assert alarms <= one_sided_limit(0.05, 400)


def test_steadiness_sees_a_drift_that_matters_and_no_other():
    rng = np.random.default_rng(5)
    noise = np.exp(0.01 * rng.standard_normal((100, 24)))
    slowing, hardly_slowing = (np.log(noise * np.linspace(1, 1 + drift, 24)) for drift in (0.15, 0.015))
    assert np.mean([stats.is_steady(run) for run in slowing.tolist()]) < 0.02
    assert np.mean([stats.is_steady(run) for run in hardly_slowing.tolist()]) > 0.95


def test_steadiness_of_few_or_equal_values():
    """Also below zero: the logs of times under a second."""
    assert stats.is_steady([-7.0] * 3 + [-6.0] * 4) is None
    assert stats.is_steady([-7.0] * 4 + [-6.0] * 4) is False
    assert stats.is_steady([-7.0] * 12) is True


# ---------------------------------------------------------------- verdicts


def interval(ratio, low, high):
    return Ratio(ratio, low, high, (), None)


QUIET = interval(1.0, 0.999, 1.001)
LOUD = interval(1.01, 0.98, 1.06)
QUIET_LAUNCHES = LaunchedRatio(1.0, 0.999, 1.001, (), None, agree=True, launches=())


@pytest.mark.parametrize(
    ("ratio", "control", "expected"),
    [
        (interval(1.05, 1.04, 1.06), QUIET, "slower"),
        (interval(0.95, 0.94, 0.96), QUIET, "faster"),
        (interval(1.05, 1.04, 1.06), LOUD, "too wide to say"),  # the control reached 6 % too
        (interval(1.08, 1.04, 1.10), LOUD, "too wide to say"),  # its near end lies within what the control reached
        (interval(1.10, 1.08, 1.12), LOUD, "slower"),
        (interval(1.008, 1.004, 1.012), QUIET_LAUNCHES, "slower"),  # small, but resolved, and not by one process
        (interval(1.008, 1.004, 1.012), QUIET, "no difference shown"),  # a process may differ by as much
        (interval(1.03, 1.015, 1.04), QUIET, "too wide to say"),
        (interval(1.03, 1.015, 1.04), QUIET_LAUNCHES, "slower"),
        (interval(1.008, 1.004, 1.012), LOUD, "no difference shown"),
        (interval(1.0, 0.99, 1.01), QUIET, "no difference shown"),
        (interval(1.0, 1.0, 1.0), interval(1.0, 1.0, 1.0), "no difference shown"),
        (interval(1.05, 0.97, 1.15), QUIET, "too wide to say"),
        (interval(1.0, 0.97, 1.01), QUIET, "too wide to say"),
        (interval(1.05, 1.04, 1.06), None, "slower"),  # without a control the margin is the floor
        (interval(1.015, 1.012, 1.03), None, "too wide to say"),
        (interval(1.05, 1.04, 1.06), Ratio(1.0, None, None, (0.0,), None), "slower"),
        (Ratio(None, None, None, (), None), QUIET, "too wide to say"),
    ],
)
def test_verdict_by_its_rule(ratio, control, expected):
    assert stats.verdict(ratio, control) == expected


def verdicts(rng, num_runs, true_ratio):
    baseline, other, twin = (simulated_times(rng, num_runs) * s for s in [shared_slowness(rng, num_runs)] * 3)
    return [
        stats.verdict(stats.paired_ratio(o, b, "min"), stats.paired_ratio(t, b, "min"))
        for o, b, t in zip((true_ratio * other).tolist(), baseline.tolist(), twin.tolist(), strict=True)
    ]


def test_identical_programs_are_seldom_called_different():
    """12 rounds of 4 samples, rounds that differ by 20 %: at most 5 % false claims when the true ratio is 1."""
    found = verdicts(np.random.default_rng(6), NUM_RUNS, 1.0)
    assert np.mean([v in ("faster", "slower") for v in found]) <= one_sided_limit(0.05)
    assert np.mean([v == "no difference shown" for v in found]) > 0.9


@pytest.mark.parametrize(("true_ratio", "expected"), [(1.05, "slower"), (1 / 1.05, "faster")])
def test_five_percent_is_seen(true_ratio, expected):
    found = verdicts(np.random.default_rng(7), 500, true_ratio)
    assert np.mean([v == expected for v in found]) > 0.95


def test_ratio_interval_covers_the_true_ratio():
    rng = np.random.default_rng(8)
    slowness = shared_slowness(rng, NUM_RUNS)
    a, b = (simulated_times(rng, NUM_RUNS) * slowness for _ in range(2))
    ratios = [stats.paired_ratio(one, two, "min") for one, two in zip((1.3 * a).tolist(), b.tolist(), strict=True)]
    assert np.mean([not r.low <= 1.3 <= r.high for r in ratios]) <= one_sided_limit(0.05)
