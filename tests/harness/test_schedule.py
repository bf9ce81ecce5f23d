"""The schedule on a simulated clock: what it visits, when it stops, and what a failure or Ctrl-C leaves behind."""

import random
from dataclasses import dataclass, field, replace

import pytest

from harness import presets, schedule

PRESET = replace(presets.get("default"), min_rounds=6, max_rounds=24, max_group_s=60)


@dataclass
class Simulated:
    """A sampler whose step takes `step_s`, with relative noise; `visits` is shared, to see the order.

    The first visit belongs to the calibration, which a disturbance lengthens by `lost_s`. In every visit the first
    `num_cold` blocks take twice as long.
    """

    name: str
    step_s: float
    visits: list[str]
    noise: float = 0.0
    lost_s: float = 0.0
    num_cold: int = 1
    fails_at: int | None = None
    error: BaseException = field(default_factory=lambda: RuntimeError("boom"))
    num_visits: int = 0

    def calibrate(self, min_block_s: float) -> tuple[int, float]:
        num_iterations = max(1, round(min_block_s / (self.step_s + self.lost_s)))
        return num_iterations, num_iterations * self.step_s + self.lost_s

    def sample(self, num_iterations: int, num_samples: int) -> list[schedule.Sample]:
        self.visits.append(self.name)
        self.num_visits += 1
        if self.num_visits == self.fails_at:
            raise self.error
        rng = random.Random(f"{self.name}{self.num_visits}")
        walls = [self.step_s * num_iterations * (1 + self.noise * rng.random()) for _ in range(1 + num_samples)]
        walls = [2 * wall_s for wall_s in walls[: self.num_cold]] + walls[self.num_cold :]
        return [(wall_s, wall_s, 0, wall_s) for wall_s in walls[1:]]  # the first one is untimed


def measure(*samplers: Simulated, preset: presets.Preset = PRESET, seed: int = 0) -> schedule.Measurement:
    by_name = {sampler.name: sampler for sampler in samplers}
    return schedule.measure(by_name, samplers[0].name, set(by_name), preset, seed, lambda *_: None)


def test_every_round_visits_everyone_once_in_shuffled_order() -> None:
    visits: list[str] = []
    measured = measure(*(Simulated(name, 1e-3, visits) for name in "abcd"))
    calibrated, *rounds = (visits[i : i + 4] for i in range(0, len(visits), 4))
    assert calibrated == list("abcd")
    assert len(rounds) == measured.num_rounds
    assert all(sorted(names) == list("abcd") for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1, "the order never changed"


def test_same_seed_same_order() -> None:
    first: list[str] = []
    second: list[str] = []
    measure(*(Simulated(name, 1e-3, first) for name in "abcd"), seed=3)
    measure(*(Simulated(name, 1e-3, second) for name in "abcd"), seed=3)
    assert first == second


def test_stops_at_the_first_look_when_intervals_are_narrow() -> None:
    measured = measure(Simulated("a", 1e-3, []), Simulated("b", 2e-3, []))
    assert (measured.stopped_by, measured.num_rounds) == ("precision", PRESET.min_rounds)


def test_goes_on_to_the_last_round_when_intervals_stay_wide() -> None:
    measured = measure(Simulated("a", 1e-3, []), Simulated("b", 1e-3, [], noise=5.0))
    assert (measured.stopped_by, measured.num_rounds) == ("rounds", PRESET.max_rounds)


def test_time_cap_still_takes_the_least_rounds() -> None:
    hasty = replace(PRESET, max_group_s=1e-9)
    measured = measure(Simulated("a", 1e-3, []), Simulated("b", 1e-3, [], noise=5.0), preset=hasty)
    assert (measured.stopped_by, measured.num_rounds) == ("time", PRESET.min_rounds)


def test_samples_are_seconds_per_step() -> None:
    measured = measure(Simulated("a", 1e-4, []))
    series = measured.series["a"]
    assert series.num_iterations == 20
    assert series.rounds_s[0] == pytest.approx([1e-4] * 15)


def test_a_failing_sampler_costs_itself_only() -> None:
    visits: list[str] = []
    measured = measure(Simulated("a", 1e-3, visits), Simulated("b", 1e-3, visits, fails_at=4))
    assert str(measured.failures["b"]) == "boom"
    assert len(measured.series["b"].rounds_s) == 2
    assert len(measured.series["a"].rounds_s) == measured.num_rounds == PRESET.min_rounds
    assert visits.count("b") == 4, "it was visited again after it failed"


def test_ctrl_c_keeps_whole_rounds() -> None:
    interrupted = Simulated("b", 1e-3, [], fails_at=5, error=KeyboardInterrupt())
    measured = measure(Simulated("a", 1e-3, []), interrupted)
    assert measured.stopped_by == "interrupted"
    assert {len(series.rounds_s) for series in measured.series.values()} == {3}


@pytest.mark.parametrize(("step_s", "statistic"), [(1e-4, "min"), (0.1, "median")], ids=["short blocks", "long blocks"])
def test_statistic_is_chosen_at_calibration(step_s: float, statistic: str) -> None:
    measured = measure(Simulated("a", step_s, []), Simulated("b", step_s, []))
    assert measured.statistic == statistic


def test_a_disturbed_calibration_decides_nothing() -> None:
    """A block that stood still for 24 ms would have been a single step, and the group's statistic the median."""
    measured = measure(Simulated("a", 4e-4, [], lost_s=0.024), Simulated("b", 4e-4, [], lost_s=0.024))
    assert measured.statistic == "min"
    assert {series.num_iterations for series in measured.series.values()} == {5}


def test_blocks_at_the_start_of_a_visit_are_not_timed() -> None:
    """10 ms of them, here five blocks; were one of the five cold ones timed, it would show as twice as long."""
    measured = measure(Simulated("a", 1e-3, [], num_cold=5))
    assert max(max(samples) for samples in measured.series["a"].rounds_s) == pytest.approx(1e-3)


def test_short_blocks_are_taken_for_a_while_and_long_ones_as_the_preset_says() -> None:
    """The same number for a slow sampler as for the others: a minimum falls with the number that it is taken of."""
    short = measure(*(Simulated(name, step_s, []) for name, step_s in [("a", 1e-3), ("b", 1e-3), ("c", 0.02)]))
    assert {len(samples) for series in short.series.values() for samples in series.rounds_s} == {15}
    long = measure(Simulated("a", 0.1, []), Simulated("b", 0.1, []))
    assert {len(samples) for series in long.series.values() for samples in series.rounds_s} == {PRESET.num_long_samples}


def test_a_group_in_which_everything_fails_ends() -> None:
    measured = measure(Simulated("a", 1e-3, [], fails_at=1))
    assert (measured.num_rounds, set(measured.failures)) == (0, {"a"})
