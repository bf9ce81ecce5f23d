"""Turns what was measured of one net into the records of the result document (`results.schema.json`)."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from harness import breakeven, stats
from harness.breakeven import Course
from harness.problem import Problem
from harness.programs import Launch
from harness.schedule import Measurement, Series
from impls.registry import Entry

CONTROL = "A/A control"
"""Name of the baseline's twin among a group's samplers; no variant can be called so."""

TIMED_PRECISION = "float32"


@dataclass
class Timing:
    """What was timed of one net and phase: the rounds of every launch, and those in other modes, of the first.

    Where not all variants fit on the device at once, a launch has several sittings, which count as launches here. The
    baseline takes part in each of them.
    """

    baseline: Entry | None = None
    launches: list[Measurement] = field(default_factory=list)
    latency: list[Measurement] = field(default_factory=list)
    resident: list[Measurement] = field(default_factory=list)

    @property
    def statistic(self) -> stats.Statistic:
        """How a round is summed up: chosen in the first launch for all."""
        return self.launches[0].statistic

    def series(self, name: str) -> list[Series]:
        """Return a sampler's series, one per launch in which it took a round."""
        found = (measurement.series.get(name) for measurement in self.launches)
        return [series for series in found if series is not None and series.rounds_s]

    def rounds_s(self, name: str) -> list[list[float]]:
        """Return a sampler's rounds over all launches, in order."""
        return list(itertools.chain.from_iterable(series.rounds_s for series in self.series(name)))

    def ratio(self, name: str, other: str) -> stats.LaunchedRatio:
        """Return the ratio of one sampler's step time to another's, of the launches that had both."""
        both = [
            (series[name].rounds_s, series[other].rounds_s)
            for series in (measurement.series for measurement in self.launches)
            if name in series and other in series and series[name].rounds_s and series[other].rounds_s
        ]
        return stats.over_launches(both, self.statistic)

    @property
    def noise(self) -> stats.LaunchedRatio | None:
        """The A/A control's ratio; None without one."""
        return self.ratio(CONTROL, self.baseline.name) if self.baseline and self.series(CONTROL) else None


# ---------------------------------------------------------------- a group


def group_record(problem: Problem, phase: str, timing: Timing, timed: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the record of a net and phase; `timed` are the records of its cells with times."""
    spec = problem.spec
    return {
        "model": spec.model,
        "size": spec.size,
        "changes": dict(problem.changes),
        "batch_size": spec.batch_size,
        "phase": phase,
        "precision": TIMED_PRECISION,
        "num_params": spec.num_params,
        "flops": spec.flops[phase],
        "bytes": spec.bytes[phase],
        "baseline": timing.baseline.name if timing.baseline is not None else None,
        "statistic": timing.statistic,
        "num_rounds": sum(measurement.num_rounds for measurement in timing.launches),
        "launches": [{"num_rounds": m.num_rounds, "stopped_by": m.stopped_by} for m in timing.launches],
        "control": _control(timing),
        "break_even": [found.as_dict() for found in _break_evens(timing, list(timed))],
    }


def _control(timing: Timing) -> dict[str, Any] | None:
    if timing.noise is None or timing.baseline is None:
        return None
    return {
        "variant": timing.baseline.name,
        "num_iterations": timing.series(CONTROL)[0].num_iterations,
        "rounds_s": timing.rounds_s(CONTROL),
        **ratio_record(timing.noise),
    }


def _break_evens(timing: Timing, cells: list[dict[str, Any]]) -> Iterator[breakeven.BreakEven]:
    """Yield, for every two cells, where the one that is behind after the first step overtakes, if it ever may."""
    courses = {
        cell["variant"]: [Course.of(launch["stages"], cell["step_time_s"]) for launch in cell["launches"]]
        for cell in cells
    }
    by_first_step = sorted(courses, key=lambda name: median(course.first_s for course in courses[name]))
    for early, late in itertools.combinations(by_first_step, 2):
        ratio = timing.ratio(late, early)
        if ratio.low is None or ratio.high is None:
            continue
        found = breakeven.break_even((early, courses[early]), (late, courses[late]), (ratio.low, ratio.high))
        if found.low is not None:
            yield found


# ---------------------------------------------------------------- a cell


def untimed_cell(problem: Problem, phase: str, entry: Entry, device: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return a cell's record without times. `facts` are those of its worker, {} if it had none."""
    variant = entry.variant
    return {
        "model": problem.spec.model,
        "size": problem.spec.size,
        "batch_size": problem.spec.batch_size,
        "phase": phase,
        "variant": variant.name,
        "backend": entry.backend,
        "lane": variant.lane,
        "mode": variant.mode,
        "headline": variant.headline,
        "precision": TIMED_PRECISION,
        "device": facts.get("device", device),
        "status": "not timed",
        "reason": None,
        "explanation": [],
        "stages": None,
        "warm_stages": None,
        "launches": [],
        "launches_agree": None,
        "num_iterations": None,
        "steps_per_call": variant.num_steps(problem.spec.model) if phase == "train_step" else 1,
        "rounds_s": [],
        "step_time_s": None,
        "step_time_low_s": None,
        "step_time_high_s": None,
        "dispatch_s": None,
        "latency_s": None,
        "resident_step_time_s": None,
        "activity": None,
        "energy": None,
        "ratio": None,
        "ratio_low": None,
        "ratio_high": None,
        "verdict": None,
        "autocorrelation": None,
        "is_steady": None,
        "num_contaminated": 0,
        "peak_memory_bytes": None,
        "peak_device_memory_bytes": None,
        "versions": facts.get("versions", {}),
        "flags": facts.get("flags", {}),
        "ledger": {},
        "stderr_tail": "",
    }


def launch_record(launches: Sequence[Launch], phase: str) -> dict[str, Any]:
    """Return the cold stages (medians over launches, and those of each) and the peak memory of a cell."""
    launched = [launch for launch in launches if phase in launch.stages]
    if not launched:
        return {}
    stages = [{**launch.stages[phase], "teardown_s": launch.teardown_s} for launch in launched]
    return {
        "stages": {stage: _median_of(found[stage] for found in stages) for stage in stages[0]},
        "launches": [{"stages": found, "ratio": None, "ratio_low": None, "ratio_high": None} for found in stages],
        "peak_memory_bytes": max(launch.peak_memory_bytes[phase] for launch in launched),
        "peak_device_memory_bytes": max(
            (peak for launch in launched if (peak := launch.peak_device_memory_bytes.get(phase)) is not None),
            default=None,
        ),
    }


def timed_record(name: str, timing: Timing, launches: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the samples of one cell say. `launches` are the records of its launches."""
    series, statistic = timing.series(name), timing.statistic
    rounds_s = timing.rounds_s(name)
    step_time_s, low_s, high_s = stats.median_interval(rounds_s, statistic)
    samples = [sample for one in series for sample in one.samples]
    halves = [stats.is_steady([math.log(stats.summary_of_round(r, statistic)) for r in one.rounds_s]) for one in series]
    record: dict[str, Any] = {
        "num_iterations": series[0].num_iterations,
        "rounds_s": rounds_s,
        "step_time_s": step_time_s,
        "step_time_low_s": low_s,
        "step_time_high_s": high_s,
        "dispatch_s": _interval([_dispatch_rounds(one) for one in series], statistic),
        "latency_s": _mode(name, timing.latency),
        "resident_step_time_s": _mode(name, timing.resident),
        "is_steady": None if set(halves) == {None} else False not in halves,
        "num_contaminated": stats.num_contaminated([sample[:3] for sample in samples]),
    }
    if timing.baseline is None or not timing.series(timing.baseline.name):
        return record
    if name == timing.baseline.name:
        return record | {"ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0, "verdict": "baseline"}
    ratio = timing.ratio(name, timing.baseline.name)
    # A launch that ended before its first round has a record and no ratio.
    return record | {
        **ratio_record(ratio),
        "launches": [
            launch | (ratio_record(found) if found else {})
            for launch, found in itertools.zip_longest(launches, ratio.launches)
        ],
        "launches_agree": ratio.agree,
        "autocorrelation": ratio.autocorrelation,
        "verdict": stats.verdict(ratio, timing.noise),
    }


def _dispatch_rounds(series: Series) -> list[list[float]]:
    """Return seconds per step until the calls returned, round by round."""
    dispatch_s = (sample[3] / series.num_iterations for sample in series.samples)
    return [list(itertools.islice(dispatch_s, len(samples))) for samples in series.rounds_s]


def _mode(name: str, measurements: Iterable[Measurement]) -> dict[str, float | None] | None:
    for measurement in measurements:
        series = measurement.series.get(name)
        if series is not None and series.rounds_s:
            return _interval([series.rounds_s], measurement.statistic)
    return None


def _interval(launches: list[list[list[float]]], statistic: stats.Statistic) -> dict[str, float | None]:
    return stats.median_interval(list(itertools.chain.from_iterable(launches)), statistic)._asdict()


def _median_of(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def ratio_record(ratio: stats.Ratio) -> dict[str, float | None]:
    """Return a ratio with its interval, as records hold it."""
    return {"ratio": ratio.ratio, "ratio_low": ratio.low, "ratio_high": ratio.high}
