"""Simulated workers whose true ratio is known, sent through the very schedule, statistics and verdicts of a run.

What is planted is what disturbs real machines: disturbances with a heavy tail that only add time, a machine that
drifts, rounds that are slow for all workers, processes of one program that differ, and noise that lasts for several
rounds. What comes out is how often an interval covers the truth, and how often a verdict is wrong or missing.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import schedule, stats
from harness.presets import Preset

BASELINE, CONTROL, CONTESTANT = "baseline", "control", "contestant"
PARETO_INDEX = 1.5
"""Of the length of disturbances: their mean exists, their variance does not."""


@dataclass(frozen=True)
class Noise:
    """What a simulated machine does to the times. All standard deviations are of logs.

    Attributes:
        name: for the table.
        step_time_s: of the baseline.
        jitter: mean of the exponential that every block's time is lengthened by, relative.
        disturbances_per_s, disturbance_s: how often time is lost, and at least how much.
        shared_sd: of a round's slowness, the same for all workers.
        drift: by how much the machine has slowed down in the last round, the same for all workers, as a log.
        own_sd: of a round's slowness, of each worker's own.
        own_autocorrelation: of that, from one round to the next.
        launch_sd: of a process's slowness for as long as it lives.
    """

    name: str
    step_time_s: float = 1e-3
    jitter: float = 0.01
    disturbances_per_s: float = 20.0
    disturbance_s: float = 1e-3
    shared_sd: float = 0.0
    drift: float = 0.0
    own_sd: float = 0.005
    own_autocorrelation: float = 0.0
    launch_sd: float = 0.0

    @property
    def is_independent(self) -> bool:
        """Tell whether rounds are independent, with the true ratio as their median: all that the interval assumes."""
        return self.own_autocorrelation == 0 and self.launch_sd == 0


NOISES = (
    Noise("typical"),
    Noise("quiet", disturbances_per_s=2.0, own_sd=0.001),
    Noise("heavy tails", disturbances_per_s=200.0),
    Noise("rounds that are slow for all", shared_sd=0.2),
    Noise("drift of 50 %", drift=math.log(1.5)),
    Noise("long blocks", step_time_s=0.1),
    Noise("noisy rounds", own_sd=0.03),
    Noise("autocorrelation 0.5", own_sd=0.03, own_autocorrelation=0.5),
    Noise("autocorrelation 0.8", own_sd=0.03, own_autocorrelation=0.8),
    Noise("processes differ by 1 %", launch_sd=0.01),
    Noise("processes differ by 3 %", launch_sd=0.03),
)


@dataclass
class SimulatedWorker:
    """A `schedule.Sampler` that draws its times.

    Attributes:
        step_time_s: undisturbed.
        slowness: factor for each visit.
    """

    noise: Noise
    step_time_s: float
    slowness: Sequence[float]
    rng: np.random.Generator
    num_visits: int = 0

    def calibrate(self, min_block_s: float) -> tuple[int, float]:
        """See `schedule.Sampler`."""
        num_iterations = math.ceil(min_block_s / self.step_time_s)
        return num_iterations, num_iterations * self.step_time_s

    def sample(self, num_iterations: int, num_samples: int) -> list[schedule.Sample]:
        """See `schedule.Sampler`. A disturbance takes the core away: it adds wall time and no CPU time."""
        block_s = num_iterations * self.step_time_s * self.slowness[self.num_visits]
        self.num_visits += 1
        cpu_s = block_s * (1 + self.noise.jitter * self.rng.standard_exponential(num_samples))
        struck = np.repeat(np.arange(num_samples), self.rng.poisson(self.noise.disturbances_per_s * cpu_s))
        lost_s = self.noise.disturbance_s * (1 + self.rng.pareto(PARETO_INDEX, len(struck)))
        wall_s = cpu_s + np.bincount(struck, lost_s, num_samples)
        return [(wall, cpu, 0, wall) for wall, cpu in zip(wall_s.tolist(), cpu_s.tolist(), strict=True)]


@dataclass(frozen=True)
class Run:
    """One simulated run: what it would have reported."""

    ratio: stats.LaunchedRatio
    verdict: stats.Verdict
    num_rounds: int


def simulate(noise: Noise, true_ratio: float, preset: Preset, seed: int, num_launches: int = 1) -> Run:
    """Return what a run says of a contestant whose steps take `true_ratio` times as long as the baseline's."""
    rng = np.random.default_rng(seed)
    # The cap is in seconds of the wall clock, of which a simulation takes next to none.
    preset = replace(preset, max_group_s=math.inf)
    launches = [_launch(noise, true_ratio, preset, rng) for _ in range(num_launches)]
    ratio, control = (
        stats.over_launches(
            [(launch.series[name].rounds_s, launch.series[BASELINE].rounds_s) for launch in launches],
            launches[0].statistic,
        )
        for name in (CONTESTANT, CONTROL)
    )
    return Run(ratio, stats.verdict(ratio, control), sum(launch.num_rounds for launch in launches))


def _launch(noise: Noise, true_ratio: float, preset: Preset, rng: np.random.Generator) -> schedule.Measurement:
    num_visits = 1 + preset.max_rounds  # the first one calibrates
    shared = noise.shared_sd * rng.standard_normal(num_visits) + noise.drift * np.linspace(0, 1, num_visits)
    workers = {
        name: SimulatedWorker(
            noise,
            noise.step_time_s * ratio * math.exp(noise.launch_sd * rng.standard_normal()),
            np.exp(shared + noise.own_sd * autoregressive(rng, num_visits, noise.own_autocorrelation)).tolist(),
            rng.spawn(1)[0],
        )
        for name, ratio in ((BASELINE, 1.0), (CONTROL, 1.0), (CONTESTANT, true_ratio))
    }
    seed = int(rng.integers(2**32))
    return schedule.measure(workers, BASELINE, {BASELINE, CONTESTANT}, preset, seed, lambda *_: None)


def autoregressive(rng: np.random.Generator, num_values: int, autocorrelation: float) -> np.ndarray:
    """Return standard normal values of which each is correlated with the one before (a stationary AR(1))."""
    values = rng.standard_normal(num_values)
    innovation = math.sqrt(1 - autocorrelation**2)
    for i in range(1, num_values):
        values[i] = autocorrelation * values[i - 1] + innovation * values[i]
    return values


@dataclass(frozen=True)
class Rates:
    """How runs over one noise and true ratio turned out: shares of the runs, but for `num_rounds`, a mean.

    Attributes:
        coverage: the interval holds the true ratio.
        right: "faster" or "slower", and it is so.
        wrong: "faster" or "slower", and it is not so; both are, where the true ratio is 1.
        undecided: "too wide to say".
        flagged: warned of correlated rounds, or of launches that differ.
        abs_error: median of |log(ratio / true ratio)|.
    """

    coverage: float
    right: float
    wrong: float
    undecided: float
    flagged: float
    abs_error: float
    num_rounds: float


def rates(
    noise: Noise, true_ratio: float, preset: Preset, num_runs: int, seed: int = 0, num_launches: int = 1
) -> Rates:
    """Simulate `num_runs` runs and count."""
    runs = [simulate(noise, true_ratio, preset, seed + i, num_launches) for i in range(num_runs)]
    right = {"slower"} if true_ratio > 1 else {"faster"} if true_ratio < 1 else set()
    return Rates(
        coverage=_share(_covers(run.ratio, true_ratio) for run in runs),
        right=_share(run.verdict in right for run in runs),
        wrong=_share(run.verdict in {"faster", "slower"} - right for run in runs),
        undecided=_share(run.verdict == "too wide to say" for run in runs),
        flagged=_share(_is_flagged(run.ratio) for run in runs),
        abs_error=float(np.median([abs(math.log(run.ratio.ratio / true_ratio)) for run in runs if run.ratio.ratio])),
        num_rounds=float(np.mean([run.num_rounds for run in runs])),
    )


def _covers(ratio: stats.Ratio, true_ratio: float) -> bool:
    return ratio.low is not None and ratio.high is not None and ratio.low <= true_ratio <= ratio.high


def _is_flagged(ratio: stats.LaunchedRatio) -> bool:
    is_correlated = ratio.autocorrelation is not None and ratio.autocorrelation > stats.MAX_AUTOCORRELATION
    return is_correlated or ratio.agree is False


def _share(outcomes: Iterable[bool]) -> float:
    return statistics.fmean(outcomes)
