"""One benchmark run: for each net, start workers, certify them, time those that passed, and keep everything."""

import math
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness import certify, conventions, divergence, environment, pictures, programs, schedule, stats
from harness.certify import Certificate, Proof, Trajectory
from harness.oracle import BOTH_PRECISIONS, Oracle
from harness.presets import Preset
from harness.problem import Problem
from harness.programs import CALL_TIMEOUT_S
from harness.progress import Display
from harness.results import SCHEMA_VERSION
from harness.workers import Worker, WorkerError, share_one_heap
from impls import registry
from impls.registry import Entry

# Expected seconds of a stage, for the progress display alone: rough averages over frameworks on two cores.
ORACLE_S = {"two_layer": 2.0, "autoencoder": 4.0, "unet": 12.0}
LAUNCH_S = {"two_layer": 4.0, "autoencoder": 4.0, "unet": 6.0}
PROVE_S = {"two_layer": 1.0, "autoencoder": 1.5, "unet": 5.0}

TIMED_PRECISION = "float32"
LEFT_OUT = "left out"
"""A cell's status until it is recorded as not timed: nothing is to be done for it."""


@dataclass
class Cell:
    """One variant of one net on its way through a run; it becomes one record per phase.

    Attributes:
        status, reason: as in the result document; "certified" only while the run goes on.
        explanation: of a refusal, a sentence per item.
        stages: cold seconds by phase, then by stage.
    """

    entry: Entry
    status: str
    reason: str | None = None
    explanation: list[str] = field(default_factory=list)
    worker: Worker | None = None
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    stderr_tail: str = ""
    peak_memory_bytes: int | None = None

    def fail(self, error: WorkerError) -> None:
        """Take the blame for what a worker did; the other cells go on."""
        self.status, self.reason, self.stderr_tail = error.status, error.reason, error.stderr_tail


@dataclass(frozen=True)
class WorkerSampler:
    """Lets the schedule take samples of one phase in a worker."""

    worker: Worker
    phase: str

    def calibrate(self, min_block_s: float) -> tuple[int, float]:
        """See `schedule.Sampler`."""
        num_iterations, block_s = self.worker.call(
            "calibrate", CALL_TIMEOUT_S, key="timed", phase=self.phase, min_block_s=min_block_s
        )
        return num_iterations, block_s

    def sample(self, num_iterations: int, num_samples: int) -> list[schedule.Sample]:
        """See `schedule.Sampler`."""
        return self.worker.call(
            "sample",
            CALL_TIMEOUT_S,
            key="timed",
            phase=self.phase,
            num_iterations=num_iterations,
            num_samples=num_samples,
        )


class Run:
    """A run over some nets and variants. `measure` does the work of one net; `block` is the result so far.

    Args:
        preset: how much to do.
        variants: to time; those that cannot run here appear in the result with their reason.
        num_threads: for every framework.
        device: "cpu" or "gpu".
        seed: of parameters, batches and the order of the rounds.
        command: what a person types to run it again.
        csv: sign-language MNIST file for the autoencoder instead of the digits.
        display: where progress goes.
        pythons: interpreter per backend, where it is not this one.
        is_smoke_test: certify, and leave the timing out.
        left_out: (model, variant) that the preset has no time for.
    """

    def __init__(
        self,
        preset: Preset,
        models: Iterable[str],
        variants: Iterable[Entry],
        *,
        num_threads: int,
        device: str,
        seed: int,
        command: str,
        csv: str | None = None,
        display: Display | None = None,
        pythons: dict[str, str] | None = None,
        is_smoke_test: bool = False,
        left_out: Collection[tuple[str, str]] = (),
    ) -> None:
        self.preset = preset
        self.models = list(models)
        self.variants = list(variants)
        self.num_threads = num_threads
        self.device = device
        self.seed = seed
        self.command = command
        self.csv = csv
        self.display = display or Display()
        self.pythons = pythons or {}
        self.is_smoke_test = is_smoke_test
        self.left_out = frozenset(left_out)
        self.started = datetime.now(UTC)
        self.environment = environment.describe(num_threads)
        self.warnings = environment.warnings(num_threads)
        if preset.shares_workers:
            self.warnings.append(
                "cold stages: this preset runs all nets in one process per variant, so the import is one for all "
                "nets, and later nets start warmer; --preset default starts a process for each"
            )
        share_one_heap()
        self.interrupted = False
        self.groups: list[dict[str, Any]] = []
        self.cells: list[dict[str, Any]] = []
        self.certificates: list[Certificate] = []
        self.trajectories: list[Trajectory] = []
        self.conventions: dict[str, dict[str, Any]] = {}
        self.pictures: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._shared = ExitStack()
        self._shared_workers: dict[str, Worker] = {}
        for model in self.models:
            self.display.expect(self._expected_s(model))

    @property
    def id(self) -> str:
        """The run's folder name: UTC start time and device."""
        return f"{self.started:%Y%m%dT%H%M%SZ}-{self.device}"

    # ------------------------------------------------------------ one net

    def measure(self, model: str, variants: Iterable[Entry] | None = None) -> None:
        """Certify and time one net in all (or the given) variants.

        Raises:
            KeyboardInterrupt: after what was measured so far has been kept.
        """
        problem = Problem.of(model, self.preset.sizes[model], self.seed, self.csv)
        cells = [self._cell(model, entry) for entry in (self.variants if variants is None else variants)]
        with ExitStack() as stack:
            try:
                self._certify(problem, cells, stack)
                if self.is_smoke_test:
                    self._record_untimed(problem, cells, "smoke test")
                else:
                    self._time(problem, cells, stack)
            except KeyboardInterrupt:
                self.interrupted = True
                # The records were written phase by phase; what is still owed says so.
                self._record_untimed(problem, cells, "the run was interrupted before")
                self.close()
                raise

    def check(self, model: str, optimizer: str | None = None) -> list[Cell]:
        """Certify one net without timing it. Returns the cells; the certificates are added to `certificates`.

        Args:
            model: the net.
            optimizer: trains it instead of its own. What comes before the first step is then left out: no optimizer
                changes it.
        """
        problem = Problem.of(model, self.preset.sizes[model], self.seed, self.csv, optimizer=optimizer)
        cells = [self._cell(model, entry) for entry in self.variants]
        if optimizer is not None:
            self.display.expect(ORACLE_S[model] + len(cells) * (LAUNCH_S[model] + PROVE_S[model]))
        with self._oracle(problem, BOTH_PRECISIONS if optimizer is None else ()) as oracle:
            self._prove_all(problem, oracle, cells)
        return cells

    def close(self) -> None:
        """End the workers that nets share."""
        self._shared_workers.clear()
        self._shared.close()

    def _expected_s(self, model: str) -> float:
        """Return about how long one net takes, for the progress display."""
        launches = len(self.variants) + 1  # the control is launched too
        seconds = ORACLE_S[model] + launches * LAUNCH_S[model] + len(self.variants) * PROVE_S[model]
        return seconds + len(self.preset.phases) * self.preset.max_group_s

    def _cell(self, model: str, entry: Entry) -> Cell:
        available = registry.availability(model, entry)
        if available.status != "available":
            return Cell(entry, available.status, available.reason)
        if (model, entry.name) in self.left_out:
            reason = f"slow to start: left to --preset full, or --variants {entry.name}"
            return Cell(entry, LEFT_OUT, reason)
        return Cell(entry, "not timed")

    # ------------------------------------------------------------ certificates

    def _certify(self, problem: Problem, cells: list[Cell], stack: ExitStack) -> None:
        """Launch a worker per cell, one after the other (their cold stages are timed), then prove them."""
        model = problem.spec.model
        available = [cell for cell in cells if cell.status == "not timed"]
        if not available:
            return
        oracle = stack.enter_context(self._oracle(problem, self.preset.certified_starts))
        for number, cell in enumerate(available, 1):
            self.display.stage(f"{model}: starting {cell.entry.name} ({number} of {len(available)})", LAUNCH_S[model])
            try:
                cell.worker = self._started_worker(cell.entry, cell.entry.name, stack)
                cell.stages = programs.launch(cell.worker, problem)
                cell.peak_memory_bytes = cell.worker.call("peak_memory_bytes")
                self._read_conventions(cell.worker)
            except WorkerError as error:
                cell.fail(error)
        self._prove_all(problem, oracle, available)

    def _read_conventions(self, worker: Worker) -> None:
        """Ask a framework once what it takes for granted; nothing is timed meanwhile."""
        name = conventions.framework(worker.entry)
        if name not in self.conventions and registry.offers(worker.entry, "conventions"):
            self.conventions[name] = worker.call("conventions")

    @contextmanager
    def _oracle(self, problem: Problem, starts: Collection[str]) -> Iterator[Oracle]:
        spec = problem.spec
        num_steps = self.preset.num_certified_steps.get(spec.model, spec.num_certified_steps)
        self.display.stage(f"{spec.model}: computing the float64 reference", ORACLE_S[spec.model])
        with Oracle(problem, min(num_steps, spec.num_certified_steps), self.num_threads, starts) as oracle:
            oracle.prepare()
            yield oracle

    def _started_worker(self, entry: Entry, name: str, stack: ExitStack) -> Worker:
        """Return a worker that has imported its framework: a new one, or the one of this name that nets share."""
        shared = self._shared_workers.get(name)
        if shared is not None and shared.is_alive():
            return shared
        python = {"python": self.pythons[entry.backend]} if entry.backend in self.pythons else {}
        worker = Worker(entry, self.num_threads, self.device, **python)
        (self._shared if self.preset.shares_workers else stack).enter_context(worker)
        worker.start()
        if self.preset.shares_workers:
            self._shared_workers[name] = worker
        return worker

    def _prove_all(self, problem: Problem, oracle: Oracle, cells: list[Cell]) -> None:
        """Prove cells in two lanes side by side; nothing is timed meanwhile.

        Compilers keep one core busy each, so compiled variants have a lane of their own. All others compute on every
        thread that they were given: two of them at once would mostly wait for each other.
        """
        provable = [cell for cell in cells if cell.status == "not timed"]
        number = iter(range(1, len(provable) + 1))

        def prove_lane(lane: list[Cell]) -> None:
            for cell in lane:
                with self._lock:
                    text = f"{problem.spec.model}: certifying {cell.entry.name} ({next(number)} of {len(provable)})"
                    self.display.stage(text, PROVE_S[problem.spec.model])
                self._prove(problem, oracle, cell)

        lanes = [[cell for cell in provable if (cell.entry.variant.mode == "compiled") is one] for one in (True, False)]
        pool = ThreadPoolExecutor(len(lanes))
        try:
            list(pool.map(prove_lane, lanes))
        except BaseException:
            self.interrupted = True
            for cell in provable:  # a thread that waits for a worker ends with it
                if cell.worker is not None:
                    cell.worker.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _prove(self, problem: Problem, oracle: Oracle, cell: Cell) -> None:
        """Prove one cell, in its launched worker or, if it has none, in one for this proof alone."""
        try:
            with ExitStack() as own:
                if cell.worker is None:
                    cell.worker = self._started_worker(cell.entry, cell.entry.name, own)
                    programs.launch(cell.worker, problem)
                proof = certify.prove(cell.worker, oracle)
                if proof.failed:
                    cell.explanation = self._explain(problem, oracle, cell.worker, proof)
        except WorkerError as error:
            if not self.interrupted:  # then the worker was killed, and is not to blame
                cell.fail(error)
            return
        if proof.failed:
            cell.status, cell.reason = "refused", describe_failures(proof.failed)
        with self._lock:
            self.certificates += proof.certificates
            self.trajectories += proof.trajectories

    def _explain(self, problem: Problem, oracle: Oracle, worker: Worker, proof: Proof) -> list[str]:
        """Say where a refused cell first differs; look at what precedes the first step if that has been left out."""
        certificates = proof.certificates
        if oracle.starts != set(BOTH_PRECISIONS):
            with Oracle(problem, num_steps=1, num_threads=self.num_threads) as start:
                start.prepare()
                at_start = certify.prove(worker, start, is_launched=False)
            certificates = at_start.certificates if at_start.failed else [*at_start.certificates, *certificates]
        return divergence.explain(certificates, problem.spec)

    # ------------------------------------------------------------ times

    def _time(self, problem: Problem, cells: list[Cell], stack: ExitStack) -> None:
        proven = [cell for cell in cells if cell.status == "not timed"]
        baseline = registry.baseline(cell.entry for cell in proven)
        twin = self._launch_twin(problem, baseline, stack) if baseline is not None else None
        for phase in self.preset.phases:
            self._time_phase(problem, phase, cells, baseline, twin)
            if self.interrupted:
                raise KeyboardInterrupt
        # The baseline first: it runs eagerly, and compiles nothing for a picture.
        self._take_pictures(problem, sorted(proven, key=lambda cell: cell.entry != baseline))

    def _launch_twin(self, problem: Problem, baseline: Entry, stack: ExitStack) -> Worker | None:
        """Start the baseline once more, for the A/A control."""
        model = problem.spec.model
        self.display.stage(f"{model}: starting {baseline.name} again, as the control", LAUNCH_S[model])
        try:
            twin = self._started_worker(baseline, CONTROL, stack)
            programs.launch(twin, problem)
        except WorkerError as error:
            self.warnings.append(f"{model}: no A/A control, {error.reason}")
            return None
        return twin

    def _time_phase(
        self, problem: Problem, phase: str, cells: list[Cell], baseline: Entry | None, twin: Worker | None
    ) -> None:
        model = problem.spec.model
        proven = {cell.entry.name: cell for cell in cells if cell.status == "not timed" and cell.worker is not None}
        samplers = {name: WorkerSampler(cell.worker, phase) for name, cell in proven.items() if cell.worker is not None}
        if twin is not None:
            samplers[CONTROL] = WorkerSampler(twin, phase)
        watched = {name for name, cell in proven.items() if cell.entry.variant.headline}
        text = f"{model}: timing {phase}, {len(samplers)} workers in turn"
        self.display.stage(text, self.preset.max_group_s)

        def on_round(num_rounds: int, fraction: float) -> None:
            self.display.update(f"{text}, {num_rounds} rounds taken", fraction)

        measurement = schedule.measure(
            samplers, baseline.name if baseline else "", watched, self.preset, self.seed, on_round
        )
        self.interrupted = measurement.stopped_by == "interrupted"
        for name, error in measurement.failures.items():
            if not isinstance(error, WorkerError):
                raise error
            if name in proven:
                proven[name].fail(error)
        self._record_phase(problem, phase, cells, baseline, measurement)

    def _take_pictures(self, problem: Problem, proven: list[Cell]) -> None:
        num_steps = self.preset.num_picture_steps.get(problem.spec.model)
        headline = [c for c in proven if c.status == "not timed" and c.entry.variant.headline and c.worker is not None]
        if not num_steps or not headline:
            return
        self.display.stage(f"{problem.spec.model}: training for the pictures", ORACLE_S[problem.spec.model])
        for cell in headline[: self.preset.num_pictures[problem.spec.model]]:
            assert cell.worker is not None
            try:
                picture = pictures.take(cell.worker, problem, num_steps)
            except WorkerError as error:
                self.warnings.append(f"{problem.spec.model}: no picture from {cell.entry.name}, {error.reason}")
            else:
                self.pictures.append(picture)

    # ------------------------------------------------------------ records

    def _record_phase(
        self,
        problem: Problem,
        phase: str,
        cells: list[Cell],
        baseline: Entry | None,
        measurement: schedule.Measurement,
    ) -> None:
        spec, statistic = problem.spec, measurement.statistic
        series = measurement.series
        reference = series[baseline.name].rounds_s if baseline is not None and baseline.name in series else []
        control = None
        noise = None
        if CONTROL in series and baseline is not None:
            noise = stats.paired_ratio(series[CONTROL].rounds_s, reference, statistic)
            control = {
                "variant": baseline.name,
                "num_iterations": series[CONTROL].num_iterations,
                "rounds_s": series[CONTROL].rounds_s,
                **_ratio_record(noise),
            }
        self.groups.append(
            {
                "model": spec.model,
                "size": spec.size,
                "batch_size": spec.batch_size,
                "phase": phase,
                "precision": TIMED_PRECISION,
                "num_params": spec.num_params,
                "flops": spec.flops[phase],
                "baseline": baseline.name if baseline is not None else None,
                "statistic": statistic,
                "num_rounds": measurement.num_rounds,
                "stopped_by": measurement.stopped_by,
                "control": control,
            }
        )
        for cell in cells:
            record = self._record(problem, phase, cell)
            taken = series.get(cell.entry.name)
            if taken is not None and taken.rounds_s:
                record |= _timed_record(taken, reference, statistic, noise, cell.entry == baseline)
                if cell.status == "not timed":
                    record["status"] = "timed"
            elif cell.status == "not timed":
                record["reason"] = "the run was interrupted before"
            self.cells.append(record)

    def _record_untimed(self, problem: Problem, cells: list[Cell], reason: str) -> None:
        """Record the phases that have no record yet, and why."""
        done = {(cell["model"], cell["phase"]) for cell in self.cells}
        for phase in self.preset.phases:
            if (problem.spec.model, phase) not in done:
                for cell in cells:
                    record = self._record(problem, phase, cell)
                    if cell.status == "not timed":
                        record["reason"] = reason
                    self.cells.append(record)

    def _record(self, problem: Problem, phase: str, cell: Cell) -> dict[str, Any]:
        """Return a cell's record without times."""
        facts = cell.worker.facts if cell.worker is not None else {}
        variant = cell.entry.variant
        status = "not timed" if cell.status == LEFT_OUT else cell.status
        return {
            "model": problem.spec.model,
            "size": problem.spec.size,
            "batch_size": problem.spec.batch_size,
            "phase": phase,
            "variant": variant.name,
            "backend": cell.entry.backend,
            "lane": variant.lane,
            "mode": variant.mode,
            "headline": variant.headline,
            "precision": TIMED_PRECISION,
            "device": facts.get("device", self.device),
            "status": status,
            "reason": cell.reason,
            "explanation": cell.explanation,
            "stages": cell.stages.get(phase),
            "num_iterations": None,
            "rounds_s": [],
            "step_time_s": None,
            "step_time_low_s": None,
            "step_time_high_s": None,
            "ratio": None,
            "ratio_low": None,
            "ratio_high": None,
            "verdict": None,
            "autocorrelation": None,
            "is_steady": None,
            "num_contaminated": 0,
            "peak_memory_bytes": cell.peak_memory_bytes,
            "versions": facts.get("versions", {}),
            "flags": facts.get("flags", {}),
            "stderr_tail": cell.stderr_tail,
        }

    def block(self) -> dict[str, Any]:
        """Return the block `likeforlike` of the result document, as far as the run has come."""
        return {
            "schema_version": SCHEMA_VERSION,
            "run": {
                "id": self.id,
                "started_utc": self.started.isoformat(timespec="seconds"),
                "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
                "status": "interrupted" if self.interrupted else "complete",
                "preset": self.preset.name,
                "device": self.device,
                "num_threads": self.num_threads,
                "seed": self.seed,
                "command": self.command,
                "models": self.models,
                "variants": [entry.name for entry in self.variants],
                "warnings": self.warnings,
            },
            "environment": {
                **self.environment,
                "load_at_end": environment.load_average(),
            },
            "groups": self.groups,
            "cells": self.cells,
            "certificates": [certificate.as_dict() for certificate in self.certificates],
            "trajectories": [trajectory.as_dict() for trajectory in self.trajectories],
            "conventions": conventions.rows(self.conventions),
            "pictures": self.pictures,
        }


CONTROL = "A/A control"
"""Name of the baseline's twin among a group's samplers; no variant can be called so."""


def _ratio_record(ratio: stats.Ratio | None) -> dict[str, float | None]:
    if ratio is None:
        return {"ratio": None, "ratio_low": None, "ratio_high": None}
    return {"ratio": ratio.ratio, "ratio_low": ratio.low, "ratio_high": ratio.high}


def _timed_record(
    series: schedule.Series,
    reference: list[list[float]],
    statistic: stats.Statistic,
    noise: stats.Ratio | None,
    is_baseline: bool,
) -> dict[str, Any]:
    """Return what the samples of one cell say."""
    step_time_s, low_s, high_s = stats.median_interval(series.rounds_s, statistic)
    per_round = [stats.summary_of_round(samples, statistic) for samples in series.rounds_s]
    record: dict[str, Any] = {
        "num_iterations": series.num_iterations,
        "rounds_s": series.rounds_s,
        "step_time_s": step_time_s,
        "step_time_low_s": low_s,
        "step_time_high_s": high_s,
        "is_steady": stats.is_steady([math.log(value) for value in per_round]),
        "num_contaminated": stats.num_contaminated(series.samples),
    }
    if is_baseline:
        return record | {"ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0, "verdict": "baseline"}
    if not reference:
        return record
    ratio = stats.paired_ratio(series.rounds_s, reference, statistic)
    return record | {
        **_ratio_record(ratio),
        "autocorrelation": ratio.autocorrelation,
        "verdict": stats.verdict(ratio, noise),
    }


def describe_failures(failed: list[Certificate]) -> str:
    """Return in one sentence what a certificate refused: the first failure, and how many more there are."""
    first = failed[0]
    error = "not comparable" if first.rel_error is None else f"error {first.rel_error:.1e}, limit {first.limit:.1e}"
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"{first.quantity} in {first.precision}: {error} ({first.detail}){more}"
