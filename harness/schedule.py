"""Interleaved rounds: every variant is visited once per round, in shuffled order, until the intervals are narrow.

Drift of the machine then hits all variants alike, and the ratio within a round cancels it (the figures that led here
are in docs/measuring.md).
"""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, Protocol

from harness import stats
from harness.presets import Preset

LOOK_EVERY = 6
"""Rounds between two looks at the stopping rule: each look is another chance to stop on a lucky streak."""
TARGET_HALF_WIDTH = stats.MARGIN / 2
"""Stop when the interval of every watched log-ratio is at most this far on either side. One that reached as far as the
margin could neither lie within it nor beyond it."""
WARMUP_S = 0.01
"""At the start of a visit the caches hold another worker's data, and threads are not yet where they will stay."""
SHORTEST_VISIT_S = 0.03
"""Where rounds are summed up by their minimum, it takes so long to catch a block that nothing disturbs."""
REHEARSAL_S = 0.25
MAX_NUM_REHEARSED = 20

Sample = tuple[float, float, int, float]
"""Wall seconds, CPU seconds, involuntary switches, seconds until the last call returned."""


class Sampler(Protocol):
    """What the schedule needs of a worker; tests give it a simulated clock."""

    def calibrate(self, min_block_s: float) -> tuple[int, float]:
        """Return (steps per block, seconds of one block)."""

    def sample(self, num_iterations: int, num_samples: int) -> list[Sample]:
        """Run one untimed block; return wall seconds, CPU seconds and involuntary switches of `num_samples` more."""


@dataclass
class Series:
    """Everything that was measured of one sampler.

    Attributes:
        num_iterations: steps in one block.
        block_s: seconds of one block that nothing disturbs, from calibration.
        rounds_s: seconds per step, one list of samples per round.
        samples: all of them as the worker gave them.
    """

    num_iterations: int
    block_s: float
    rounds_s: list[list[float]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


@dataclass
class Measurement:
    """The outcome of one group.

    Attributes:
        series: by sampler name; a sampler that failed keeps the rounds that it completed.
        failures: the exception of each sampler that raised.
    """

    series: dict[str, Series]
    failures: dict[str, Exception]
    statistic: Literal["min", "median"]
    num_rounds: int
    stopped_by: Literal["precision", "rounds", "time", "interrupted"]


def measure(
    samplers: Mapping[str, Sampler],
    baseline: str,
    watched: set[str],
    preset: Preset,
    seed: int,
    on_round: Callable[[int, float], None],
    statistic: stats.Statistic | None = None,
) -> Measurement:
    """Take rounds over all samplers.

    Args:
        samplers: by name; one that raises is dropped from the rounds that follow, and the others go on.
        baseline: name of the sampler that the stopping rule's ratios refer to.
        watched: names whose intervals decide when to stop.
        preset: rounds, samples, block length and time cap.
        seed: of the shuffling.
        on_round: called after each round with the number of rounds taken and the estimated fraction done.
        statistic: what sums up a round, if an earlier launch has chosen it.

    Ctrl-C ends the rounds; what was measured is returned with `stopped_by="interrupted"`.
    """
    series: dict[str, Series] = {}
    failures: dict[str, Exception] = {}
    measurement = Measurement(series, failures, "median", 0, "rounds")
    order = random.Random(seed)
    try:
        for name, sampler in samplers.items():
            try:
                series[name] = calibrated(sampler, preset.min_block_s)
            except Exception as error:
                failures[name] = error
        # One for the whole group, chosen before any round is taken: a ratio compares like with like.
        measurement.statistic = statistic or stats.choose_statistic(_typical_block_s(series))
        num_samples = _num_samples(measurement, preset)
        started = time.monotonic()
        while measurement.num_rounds < preset.max_rounds and series.keys() - failures.keys():
            _take_round(samplers, measurement, num_samples, order)
            elapsed_s = time.monotonic() - started
            on_round(
                measurement.num_rounds, max(measurement.num_rounds / preset.max_rounds, elapsed_s / preset.max_group_s)
            )
            if measurement.num_rounds < preset.min_rounds:
                continue
            if elapsed_s > preset.max_group_s:
                measurement.stopped_by = "time"
                break
            if measurement.num_rounds % LOOK_EVERY == 0 and _is_precise(measurement, baseline, watched):
                measurement.stopped_by = "precision"
                break
    except KeyboardInterrupt:
        measurement.stopped_by = "interrupted"
    return measurement


def calibrated(sampler: Sampler, min_block_s: float) -> Series:
    """Choose the steps in one block from more than one block, which a disturbance may have made to look long.

    The sampler's own choice is multiplied, because a program may take several steps at a call.
    """
    num_iterations, block_s = sampler.calibrate(min_block_s)
    # A block this long was one step, and is too long for the minimum, whatever happened to it.
    is_long = block_s > 5 * max(min_block_s, stats.LONGEST_BLOCK_FOR_MIN_S)
    num_rehearsed = 0 if is_long else min(int(REHEARSAL_S / block_s), MAX_NUM_REHEARSED)
    if num_rehearsed:
        block_s = min(wall_s for wall_s, *_ in sampler.sample(num_iterations, num_rehearsed))
    factor = max(round(min_block_s / block_s), 1)
    return Series(factor * num_iterations, factor * block_s)


def _typical_block_s(series: Mapping[str, Series]) -> float:
    """Return the median variant's block: one slow variant does not cost the others their better statistic."""
    return median(taken.block_s for taken in series.values()) if series else math.inf


def _num_samples(measurement: Measurement, preset: Preset) -> int:
    """Return the blocks of a visit, the same for the whole group: a minimum falls with their number."""
    if measurement.statistic == "median":
        return preset.num_long_samples
    return max(preset.num_samples, math.ceil(SHORTEST_VISIT_S / _typical_block_s(measurement.series)))


def _take_round(
    samplers: Mapping[str, Sampler], measurement: Measurement, num_samples: int, order: random.Random
) -> None:
    names = [name for name in measurement.series if name not in measurement.failures]
    order.shuffle(names)
    taken: dict[str, list[Sample]] = {}
    for name in names:
        series = measurement.series[name]
        num_warmup = max(math.ceil(WARMUP_S / series.block_s) - 1, 0)  # a sampler runs one untimed block itself
        try:
            taken[name] = samplers[name].sample(series.num_iterations, num_warmup + num_samples)[num_warmup:]
        except Exception as error:
            measurement.failures[name] = error
    # A round counts only as a whole: an interrupt before this line leaves no half round behind.
    for name, samples in taken.items():
        series = measurement.series[name]
        series.rounds_s.append([wall_s / series.num_iterations for wall_s, *_ in samples])
        series.samples += samples
    measurement.num_rounds += 1


def _is_precise(measurement: Measurement, baseline: str, watched: set[str]) -> bool:
    reference = measurement.series.get(baseline)
    if reference is None:
        return False
    for name in watched & measurement.series.keys() - measurement.failures.keys() - {baseline}:
        ratio = stats.paired_ratio(measurement.series[name].rounds_s, reference.rounds_s, measurement.statistic)
        if ratio.half_width is None or ratio.half_width > TARGET_HALF_WIDTH:
            return False
    return True
