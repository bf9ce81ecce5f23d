"""The harness, checked: what its statistics say where the truth is known, simulated and with real twins of one program.

In an A/A pair both workers run the same variant, so that every "faster" or "slower" is wrong, and so is every interval
that leaves out 1. The same workers are also measured one after the other, as a benchmark without rounds does.
"""

import math
import os
import statistics
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from typing import Any, Literal

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from harness import environment, programs, schedule, simulation, stats
from harness.expected import LAUNCH_S
from harness.presets import Preset
from harness.problem import Problem
from harness.progress import Display
from harness.records import CONTROL
from harness.sampler import WorkerSampler
from harness.workers import Worker, WorkerError, share_one_heap
from impls import registry
from impls.registry import Entry

PHASE = "train_step"
BASELINE = "baseline"
CONTESTANTS = tuple(f"contestant {number}" for number in range(1, 6))
TRUE_RATIOS = (1.0, 1.01, 1.03, 1.1)
CASES = [
    (noise, num_launches, true_ratio)
    for noise in simulation.NOISES
    for num_launches in ((1, 3) if noise.launch_sd or noise == simulation.NOISES[0] else (1,))
    for true_ratio in TRUE_RATIOS
]
"""What is simulated: noise, number of launches (several where that may matter, and once where it does not), ratio."""
SIMULATED_LAUNCH_S = 0.003  # expected, for the progress display alone

Condition = Literal["quiet", "one core busy"]
CONDITIONS: tuple[Condition, ...] = ("quiet", "one core busy")

# It ends with its parent, whatever ended that.
BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"


@dataclass(frozen=True)
class Pair:
    """One contestant against the baseline of its launch. Every ratio's true value is 1.

    Attributes:
        launch: number of the launch; its pairs have the baseline and the control in common.
        ratio, low, high, verdict: as a run reports them.
        mean_ratio, median_ratio: of as many blocks, taken one worker after the other.
    """

    model: str
    variant: str
    condition: Condition
    launch: int
    num_rounds: int
    statistic: stats.Statistic
    ratio: float
    low: float | None
    high: float | None
    verdict: stats.Verdict
    mean_ratio: float
    median_ratio: float


@dataclass
class Selfcheck:
    """Simulated runs and real pairs, as many as asked for. `run` does the work; the rest tells what came out.

    Args:
        num_runs: simulated runs of each case.
        num_pairs: real A/A pairs in each condition, at least; 0 starts no worker.
        preset, models, variants, num_threads, device, seed, csv, left_out: as a run takes them.
    """

    num_runs: int
    num_pairs: int
    preset: Preset
    models: Sequence[str]
    variants: Sequence[Entry]
    num_threads: int
    device: str
    seed: int
    csv: str | None = None
    left_out: Collection[tuple[str, str]] = ()
    simulated: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)

    def run(self, display: Display) -> None:
        """Simulate, then measure pairs.

        Raises:
            KeyboardInterrupt: what was found before is kept.
        """
        launches = self.launches()
        for _, num_launches, _ in CASES:
            display.expect(num_launches * self.num_runs * SIMULATED_LAUNCH_S)
        for model, _ in launches:
            display.expect(_start_s(model) + len(CONDITIONS) * self.preset.max_group_s)
        display.open()
        for row in simulate(self.preset, self.num_runs, display):
            self.simulated.append(row)
        share_one_heap()  # as a run does
        for number, (model, entry) in enumerate(launches, 1):
            about = f"{model} in {entry.name}, launch {number} of {len(launches)}"
            try:
                self._measure_launch(model, entry, number, about, display)
            except WorkerError as error:
                display.console.print(f"{about}: {error.status}, {error.reason}", markup=False)

    def launches(self) -> list[tuple[str, Entry]]:
        """Return (model, variant) of every launch: those that can run here, in turn, until there are enough pairs."""
        cells = [
            (model, entry)
            for model in self.models
            for entry in self.variants
            if registry.availability(model, entry).status == "available" and (model, entry.name) not in self.left_out
        ]
        return list(islice(cycle(cells), math.ceil(self.num_pairs / len(CONTESTANTS))))

    def _measure_launch(self, model: str, entry: Entry, number: int, about: str, display: Display) -> None:
        """Add the pairs of one launch, in both conditions."""
        problem = Problem.of(model, self.preset.sizes[model], self.seed, self.csv)
        with ExitStack() as stack:
            display.stage(f"{about}: starting {len(CONTESTANTS) + 2} workers", _start_s(model))
            samplers: dict[str, schedule.Sampler] = {}
            for name in (BASELINE, CONTROL, *CONTESTANTS):
                worker = stack.enter_context(Worker(entry, self.num_threads, self.device))
                worker.start()
                programs.launch(worker, problem)
                samplers[name] = WorkerSampler(worker, PHASE)
            for condition in CONDITIONS:
                display.stage(f"{about}: timing, {condition}", self.preset.max_group_s)
                with busy_core() if condition == "one core busy" else nullcontext():
                    found = measure_pairs(samplers, self.preset, self.seed + number)
                self.pairs += [Pair(model, entry.name, condition, number, **pair) for pair in found]

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        return {
            "preset": self.preset.name,
            "num_threads": self.num_threads,
            "device": self.device,
            "load_at_end": environment.load_average(),
            "num_simulated_runs": self.num_runs,
            "simulated": self.simulated,
            "summary": summarize(self.pairs),
            "pairs": [asdict(pair) for pair in self.pairs],
        }

    def print(self) -> None:
        """Print the tables."""
        console = Console(width=118)
        console.print(simulation_table(self.simulated))
        if self.pairs:
            console.print(pairs_table(summarize(self.pairs)))


# ---------------------------------------------------------------- real workers


@contextmanager
def busy_core() -> Iterator[None]:
    """Let another process compute, on no core in particular, for as long as the block lasts."""
    # a session of its own: Ctrl-C is this process's to handle
    process = subprocess.Popen([sys.executable, "-c", BUSY, str(os.getpid())], start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _start_s(model: str) -> float:
    return (len(CONTESTANTS) + 2) * LAUNCH_S[model]


def measure_pairs(samplers: Mapping[str, schedule.Sampler], preset: Preset, seed: int) -> list[dict[str, Any]]:
    """Measure twins in rounds, as a run does, then one after the other; returns the fields of `Pair` that follow.

    Raises:
        WorkerError: of the first worker that failed.
        KeyboardInterrupt: the rounds were interrupted.
    """
    measurement = schedule.measure(samplers, BASELINE, {BASELINE, *CONTESTANTS}, preset, seed, lambda *_: None)
    if measurement.stopped_by == "interrupted":
        raise KeyboardInterrupt
    for error in measurement.failures.values():
        raise error
    rounds_s = {name: series.rounds_s for name, series in measurement.series.items()}
    blocks_s = measure_sequentially(samplers, measurement)
    control = stats.paired_ratio(rounds_s[CONTROL], rounds_s[BASELINE], measurement.statistic)
    found = []
    for name in CONTESTANTS:
        ratio = stats.paired_ratio(rounds_s[name], rounds_s[BASELINE], measurement.statistic)
        found.append(
            {
                "num_rounds": measurement.num_rounds,
                "statistic": measurement.statistic,
                "ratio": ratio.ratio,
                "low": ratio.low,
                "high": ratio.high,
                "verdict": stats.verdict(ratio, control),
                "mean_ratio": statistics.fmean(blocks_s[name]) / statistics.fmean(blocks_s[BASELINE]),
                "median_ratio": statistics.median(blocks_s[name]) / statistics.median(blocks_s[BASELINE]),
            }
        )
    return found


def measure_sequentially(
    samplers: Mapping[str, schedule.Sampler], measurement: schedule.Measurement
) -> dict[str, list[float]]:
    """Take as many blocks of each sampler as in the rounds, all of one before the next; returns seconds per step."""
    blocks_s = {}
    for name, series in measurement.series.items():
        samples = samplers[name].sample(series.num_iterations, len(series.samples))
        blocks_s[name] = [wall_s / series.num_iterations for wall_s, *_ in samples]
    return blocks_s


# ---------------------------------------------------------------- what came out


def summarize(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return a row per condition and way of measuring, over all pairs and for each variant.

    Keys: condition, variant ("all" for all), method, num_pairs, abs_error_median and abs_error_p90 (of |ratio − 1|),
    verdicts (share of "faster" and "slower") and coverage (of 1), None where the method has neither.
    """
    rows = []
    for variant in ("all", *dict.fromkeys(pair.variant for pair in pairs)):
        for condition in CONDITIONS:
            chosen = [pair for pair in pairs if pair.condition == condition and variant in ("all", pair.variant)]
            if chosen:
                rows += _summaries(condition, variant, chosen)
    return rows


def _summaries(condition: Condition, variant: str, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Return a row per way of measuring."""
    verdicts = statistics.fmean(pair.verdict in ("faster", "slower") for pair in pairs)
    coverage = statistics.fmean(
        pair.low is not None and pair.high is not None and pair.low <= 1 <= pair.high for pair in pairs
    )
    rows = []
    for method, ratios, has_interval in (
        ("interleaved", [pair.ratio for pair in pairs], True),
        ("sequential, means", [pair.mean_ratio for pair in pairs], False),
        ("sequential, medians", [pair.median_ratio for pair in pairs], False),
    ):
        errors = np.abs(np.array(ratios) - 1)
        rows.append(
            {
                "condition": condition,
                "variant": variant,
                "method": method,
                "num_pairs": len(pairs),
                "abs_error_median": float(np.median(errors)),
                "abs_error_p90": float(np.quantile(errors, 0.9)),
                "verdicts": verdicts if has_interval else None,
                "coverage": coverage if has_interval else None,
            }
        )
    return rows


def simulate(preset: Preset, num_runs: int, display: Display) -> Iterator[dict[str, Any]]:
    """Yield a row per case: noise, num_launches, true_ratio, and the fields of `simulation.Rates`."""
    for noise, num_launches, true_ratio in CASES:
        text = f"simulating {noise.name}, launches: {num_launches}, true ratio: {true_ratio:g}"
        display.stage(text, num_launches * num_runs * SIMULATED_LAUNCH_S)
        rates = simulation.rates(noise, true_ratio, preset, num_runs, num_launches=num_launches)
        yield {"noise": noise.name, "num_launches": num_launches, "true_ratio": true_ratio, **asdict(rates)}


def simulation_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a line per noise and number of launches, from the rows of all true ratios."""
    planted = [f"{ratio - 1:.0%}" for ratio in TRUE_RATIOS[1:]]
    table = Table(
        *("simulated noise", "launches", "covers", "flagged", "wrong at 0%", *planted, "wrong way"),
        caption="Shares of runs. Under a planted difference: how often it was claimed, in the right direction.",
        box=SIMPLE,
    )
    for i in range(0, len(rows), len(TRUE_RATIOS)):
        same, *different = rows[i : i + len(TRUE_RATIOS)]
        table.add_row(
            same["noise"],
            str(same["num_launches"]),
            f"{same['coverage']:.1%}",
            f"{same['flagged']:.0%}",
            f"{same['wrong']:.1%}",
            *(f"{row['right']:.0%}" for row in different),
            f"{max(row['wrong'] for row in different):.1%}",
        )
    return table


def pairs_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a line per row of `summarize`."""
    table = Table(
        *("real A/A pairs", "variant", "measured", "pairs", "error, median", "90th pct.", "wrong", "covers 1"),
        caption="Error: |ratio − 1|. Wrong: share that was called faster or slower.",
        box=SIMPLE,
    )
    for row in rows:
        table.add_row(
            row["condition"],
            row["variant"],
            row["method"],
            str(row["num_pairs"]),
            f"{row['abs_error_median']:.2%}",
            f"{row['abs_error_p90']:.2%}",
            "" if row["verdicts"] is None else f"{row['verdicts']:.0%}",
            "" if row["coverage"] is None else f"{row['coverage']:.0%}",
        )
    return table
