"""What runs say where the truth is known: simulated workers go through the schedule and the statistics of a real run.

Limits follow from the error of a share over `NUM_RUNS` runs, seeds are fixed, and the preset is the default one.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from harness import presets, simulation, stats
from harness.simulation import NOISES, Noise

PRESET = presets.get("default")
NUM_RUNS = 200
BY_NAME = {noise.name: noise for noise in NOISES}
INDEPENDENT = [noise for noise in NOISES if noise.is_independent]


def reach(share: float) -> float:
    """How far the share of `NUM_RUNS` runs strays from the true one to one side, but for once in a thousand times."""
    return 3.1 * math.sqrt(share * (1 - share) / NUM_RUNS)


def rates(noise: Noise, true_ratio: float, num_launches: int = 1) -> simulation.Rates:
    return simulation.rates(noise, true_ratio, PRESET, NUM_RUNS, num_launches=num_launches)


@pytest.mark.parametrize("noise", INDEPENDENT, ids=lambda noise: noise.name)
def test_intervals_cover_and_twins_are_not_told_apart(noise: Noise) -> None:
    """True of heavy tails, drift, slow rounds, and rounds that the stopping rule cut short."""
    found = rates(noise, 1.0)
    assert found.coverage >= 0.93 - reach(0.93)
    assert found.wrong <= 0.05
    assert found.flagged <= 0.1 + reach(0.1)


@pytest.mark.parametrize(
    ("name", "true_ratio", "num_launches", "power"),
    [
        ("quiet", 1.03, 1, 0.98),
        ("quiet", 1.01, 3, 0.98),
        ("typical", 1.03, 1, 0.85),
        ("typical", 1 / 1.03, 1, 0.85),
        ("typical", 1.03, 3, 0.98),
        ("heavy tails", 1.03, 1, 0.85),
        ("heavy tails", 1.1, 1, 0.98),
    ],
)
def test_planted_differences_are_seen_and_never_reversed(
    name: str, true_ratio: float, num_launches: int, power: float
) -> None:
    found = rates(BY_NAME[name], true_ratio, num_launches)
    assert found.right >= power - reach(power)
    assert found.wrong == 0


def test_one_launch_claims_nothing_that_a_process_may_be_off_by() -> None:
    found = rates(BY_NAME["quiet"], 1.01)
    assert (found.right, found.wrong) == (0, 0)


def test_difference_below_the_noise_is_not_claimed() -> None:
    """A percent in rounds that scatter by three: it would take more rounds than the preset has."""
    found = rates(BY_NAME["noisy rounds"], 1.01)
    assert found.wrong == 0
    assert found.undecided > 0.5


@pytest.mark.parametrize(("name", "flagged"), [("autocorrelation 0.5", 0.45), ("autocorrelation 0.8", 0.7)])
def test_autocorrelation_is_flagged_where_coverage_falls(name: str, flagged: float) -> None:
    found = rates(BY_NAME[name], 1.0)
    assert found.coverage < 0.93, "it does no harm here, so that a flag would prove nothing"
    assert found.flagged >= flagged - reach(flagged)


@pytest.mark.parametrize("name", ["processes differ by 1 %", "processes differ by 3 %"])
def test_three_launches_see_what_one_cannot(name: str) -> None:
    """Within one launch nothing tells a slow process from a slow program; the A/A control is one such process too."""
    one, three = (rates(BY_NAME[name], 1.0, num_launches) for num_launches in (1, 3))
    assert one.coverage < 0.7
    assert three.coverage > 0.8
    assert three.wrong <= 0.05
    assert three.flagged > 0.7


def test_the_seed_decides_and_the_clock_does_not() -> None:
    noise = BY_NAME["typical"]
    hasty = replace(PRESET, max_group_s=1e-9)
    assert simulation.simulate(noise, 1.0, PRESET, seed=1) == simulation.simulate(noise, 1.0, hasty, seed=1)
    assert simulation.simulate(noise, 1.0, PRESET, seed=1) != simulation.simulate(noise, 1.0, PRESET, seed=2)


def test_disturbances_only_add_time_and_are_counted() -> None:
    """Every block that lost more than 5 % to something else is counted as contaminated, and few others are."""
    noise = Noise("disturbed", jitter=0.0, disturbances_per_s=50.0)
    worker = simulation.SimulatedWorker(noise, 1e-3, [1.0], np.random.default_rng(0))
    samples = worker.sample(2, 500)
    walls_s = np.array([wall_s for wall_s, *_ in samples])
    assert walls_s.min() == 2e-3
    num_disturbed = int((walls_s > 2e-3).sum())
    assert 0.05 < num_disturbed / len(samples) < 0.15  # 1 − exp(−50 · 0.002) is 9.5 %
    assert stats.num_contaminated([sample[:3] for sample in samples]) == num_disturbed


def test_autoregressive_values_have_the_variance_and_the_correlation_asked_for() -> None:
    values = simulation.autoregressive(np.random.default_rng(0), 20_000, 0.8)
    assert np.std(values) == pytest.approx(1, abs=0.05)
    assert np.corrcoef(values[:-1], values[1:])[0, 1] == pytest.approx(0.8, abs=0.02)
