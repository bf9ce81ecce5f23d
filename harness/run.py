"""One benchmark run: for each net, start workers, certify them, time those that passed, and keep everything."""

import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from harness import (
    activity,
    bare_loop,
    ceilings,
    certify,
    conventions,
    devices,
    divergence,
    doctor,
    energy,
    environment,
    expected,
    interpreters,
    pictures,
    places,
    programs,
    records,
    schedule,
)
from harness.ceilings import Ceiling
from harness.certify import Certificate, Proof, Trajectory
from harness.lesson.runner import Lesson
from harness.options import Sweep
from harness.oracle import BOTH_PRECISIONS, Oracle
from harness.presets import Preset
from harness.problem import Problem
from harness.programs import Launch
from harness.progress import Display
from harness.records import CONTROL, Timing
from harness.results import SCHEMA_VERSION
from harness.sampler import WorkerSampler
from harness.workers import Worker, WorkerError, share_one_heap
from impls import registry
from impls.registry import Entry

Net = tuple[str, str]
"""A model and the name of its size."""

NO_PHASE = "none"
"""Failed in no phase in particular: what was timed before is still good."""

LEFT_OUT = "left out"
"""A cell's status until it is recorded as not timed: nothing is to be done for it."""


@dataclass
class Cell:
    """One variant of one net on its way through a run; it becomes one record per phase.

    Attributes:
        status, reason: as in the result document; "certified" only while the run goes on.
        explanation: of a refusal, a sentence per item.
        failed_phase: in which it failed; None: before, or not at all.
        is_proven: an earlier process of it has gone through the whole proof; later ones go through a part.
        facts: what its worker's runtime reported.
        launches: the cold stages of each of its processes.
        warm_stages: seconds by phase, then by stage, of a launch that found its compile cache filled.
        ledger: by phase, what may have sped it up or slowed it down.
        activities, energies: by phase, what a GPU did during its steps, and what they drew.
    """

    entry: Entry
    status: str
    reason: str | None = None
    explanation: list[str] = field(default_factory=list)
    failed_phase: str | None = None
    worker: Worker | None = None
    is_proven: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    launches: list[Launch] = field(default_factory=list)
    warm_stages: dict[str, dict[str, float]] = field(default_factory=dict)
    ledger: dict[str, dict[str, str]] = field(default_factory=dict)
    activities: dict[str, activity.Activity | None] = field(default_factory=dict)
    energies: dict[str, energy.Energy] = field(default_factory=dict)
    stderr_tail: str = ""

    def fail(self, error: WorkerError, phase: str | None = None) -> None:
        """Take the blame for what a worker did; the other cells go on."""
        self.status, self.reason, self.stderr_tail = error.status, error.reason, error.stderr_tail
        self.failed_phase = phase

    def ask(self, in_phase: str | None, name: str, /, **arguments: Any) -> Any:
        """Call a method in the worker; None where it fails, for which this cell alone takes the blame."""
        assert self.worker is not None
        try:
            return self.worker.call(name, **arguments)
        except WorkerError as error:
            self.fail(error, in_phase)
            return None

    @property
    def is_running(self) -> bool:
        """Tell whether nothing has gone wrong with it so far."""
        return self.status == "not timed" and self.worker is not None


class Run:
    """A run over some nets and variants. `measure` does the work of one net; `block` is the result so far.

    Args:
        preset: how much to do.
        variants: to time, in the interpreters that they name; those that cannot run appear in the result with their
            reason.
        num_threads: for every framework.
        device: "cpu", "gpu" or "gpu:1".
        seed: of parameters, batches and the order of the rounds.
        precision: one of `impls.contract.PRECISIONS`.
        command: what a person types to run it again.
        csv: sign-language MNIST file for the autoencoder instead of the digits.
        display: where progress goes.
        is_smoke_test: certify, and leave the timing out.
        left_out: (model, variant) that the preset has no time for.
        sweep: the size that varies from group to group.
        requested: option values as they were given, which make the same run again.
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
        precision: str = "fp32",
        command: str,
        csv: str | None = None,
        display: Display | None = None,
        is_smoke_test: bool = False,
        left_out: Collection[tuple[str, str]] = (),
        sweep: Sweep | None = None,
        requested: Mapping[str, str | None] | None = None,
    ) -> None:
        self.preset = preset
        self.models = list(models)
        self.variants = list(variants)
        self.num_threads = num_threads
        self.device = device
        self.seed = seed
        self.precision = precision
        self.command = command
        self.csv = csv
        self.display = display or Display()
        self.is_smoke_test = is_smoke_test
        self.left_out = frozenset(left_out)
        self.sweep = sweep
        self.requested = dict(requested or {})
        self.started = datetime.now(UTC)
        self.id = f"{self.started:%Y%m%dT%H%M%SZ}-{environment.kind(device)}"
        self.environment = environment.describe(num_threads, device)
        self.environment["interpreters"] = interpreters.record(self.variants, num_threads, device)
        self.findings = doctor.examine(num_threads, device, self.variants)
        self.warnings: list[str] = []
        if afar := [entry.name for entry in self.variants if places.is_elsewhere(entry)]:
            self.warn(f"{', '.join(afar)}: on another machine, so that ratios to variants on this one compare machines")
        self._starts_together = preset.starts_together and environment.kind(device) == "cpu"
        if preset.shares_workers:
            beside = " Two start at a time, which slows both." if self._starts_together else ""
            self.warn(
                "cold stages: this preset runs all nets in one process per variant, so the import is one for all "
                f"nets, and later nets start warmer.{beside} --preset default starts a process for each, one by one"
            )
        share_one_heap()
        self.interrupted = False
        self.finished: list[Net] = []
        self.groups: list[dict[str, Any]] = []
        self.cells: list[dict[str, Any]] = []
        self.certificates: list[Certificate] = []
        self.trajectories: list[Trajectory] = []
        self.conventions: dict[str, dict[str, Any]] = {}
        self.pictures: list[dict[str, Any]] = []
        self.ceilings: dict[str, Ceiling] = {}
        self.costs: dict[bare_loop.Against, bare_loop.Cost] = {}
        has_lesson = preset.with_lesson and not is_smoke_test
        self.lesson = Lesson(self.variants, self._worker, self.display) if has_lesson else None
        self._lock = threading.Lock()
        self._twin: Worker | None = None
        self._shared = ExitStack()
        self._shared_workers: dict[str, Worker] = {}
        for model in self.models:
            self.display.expect(self.expected_s(model) * (len(sweep.values) if sweep else 1))

    def take_over(self, block: Mapping[str, Any]) -> None:
        """Go on with a run that stopped: keep what it says about the nets that it finished."""
        self.id, self.command = block["run"]["id"], block["run"]["command"]
        self.started = datetime.fromisoformat(block["run"]["started_utc"])
        self.finished = [(net["model"], net["size"]) for net in block["run"]["finished"]]
        groups, cells, certificates, trajectories = (
            [found for found in block[name] if (found["model"], found["size"]) in self.finished]
            for name in ("groups", "cells", "certificates", "trajectories")
        )
        self.groups, self.cells = groups, cells
        self.certificates = [Certificate(**found) for found in certificates]
        self.trajectories = [Trajectory(**found) for found in trajectories]
        models = {model for model, _ in self.finished}
        self.pictures = [picture for picture in block["pictures"] if picture["model"] in models]
        self.ceilings = {found["matmul"]["backend"]: Ceiling.from_dict(found) for found in block["ceilings"]}
        self.conventions = conventions.answers(block["conventions"])
        if self.lesson is not None:
            self.lesson.take_over(block["lesson"])
        before = ", ".join(f"{model} {size}" for model, size in self.finished) or "nothing"
        resumed = f"resumed at {datetime.now(UTC).isoformat(timespec='seconds')}; measured before: {before}"
        self.warnings = list(dict.fromkeys([*block["run"]["warnings"], *self.warnings, resumed]))

    # ------------------------------------------------------------ one net

    def changes(self, model: str, point: str) -> dict[str, int]:
        """Return the sizes of a net that a point of the sweep changes; none for ""."""
        return self.sweep.changes(model, point) if self.sweep and point else {}

    def size(self, model: str, point: str) -> str:
        """Return what the size of a net is called at a point of the sweep."""
        problem = Problem.of(model, self.preset.sizes[model], self.seed, changes=self.changes(model, point))
        return problem.spec.size

    def unfinished(self) -> list[Net]:
        """Return the nets that are still to be measured."""
        points = self.sweep.points if self.sweep else [""]
        nets = [(model, self.size(model, point)) for model in self.models for point in points]
        return [net for net in nets if net not in self.finished]

    @property
    def has_results(self) -> bool:
        """Tell whether there is anything to report."""
        return bool(self.cells or (self.lesson and self.lesson.measurements))

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is left to measure."""
        return not self.unfinished() and (self.lesson is None or not self.lesson.unfinished)

    def measure(
        self, model: str, variants: Iterable[Entry] | None = None, changes: Mapping[str, int] | None = None
    ) -> None:
        """Certify and time one net in all (or the given) variants, of the preset's size or with `changes` to it.

        Raises:
            KeyboardInterrupt: after what was measured so far has been kept.
        """
        problem = Problem.of(model, self.preset.sizes[model], self.seed, self.csv, changes=changes)
        cells = [self._cell(model, entry) for entry in (self.variants if variants is None else variants)]
        timings = {phase: Timing() for phase in self.preset.phases}
        try:
            self._measure(problem, cells, timings)
            self.finished.append((model, problem.spec.size))
        except WorkerError as error:
            give_up(cells, f"the reference failed: {error}")
        except OSError as error:  # NumPy does not say which file it could not write
            give_up(cells, f"could not be measured: {error}; is there room in {tempfile.gettempdir()}?")
        except KeyboardInterrupt:
            self.interrupted = True
            self.close()
            raise
        finally:
            self._record(problem, cells, timings)

    def _measure(self, problem: Problem, cells: list[Cell], timings: dict[str, Timing]) -> None:
        available = [cell for cell in cells if cell.status == "not timed"]
        if not available:
            return
        with self._oracle(problem, self.preset.certified_starts) as oracle:
            for number in range(1, self.preset.num_launches + 1):
                waiting = [cell for cell in available if cell.status == "not timed"]
                while waiting:
                    waiting = self._sit(problem, oracle, waiting, timings, number)
                    if self.is_smoke_test and not waiting:
                        return
        if self.preset.with_warm_cache:
            self._launch_warm(problem, available)

    def _sit(
        self, problem: Problem, oracle: Oracle, waiting: list[Cell], timings: dict[str, Timing], number: int
    ) -> list[Cell]:
        """Launch, certify and time those that fit on the device at once.

        Returns:
            Those that are to come, once the memory of these has been given back. The baseline is among them: a ratio is
            of two that were timed in turn.
        """
        with ExitStack() as processes:
            sitting = self._launch(problem, waiting, processes)
            later = [cell for cell in waiting if cell not in sitting]
            launch_twin = partial(self._launch_twin, problem, oracle)
            with self._starting_twin(problem, sitting, processes, launch_twin):
                self._prove_all(problem, oracle, sitting)
            if not self.is_smoke_test:
                self._time(problem, sitting, timings, processes, launch_twin)
                if number == self.preset.num_launches:
                    if not later:
                        self._take_pictures(problem, sitting, timings)
                    self._measure_ceilings(problem, sitting)
            self._tear_down(sitting)
        if not later:
            return []
        if self.preset.shares_workers:
            self._end_shared_workers()
        baseline = next(iter(timings.values())).baseline
        return [cell for cell in waiting if cell in later or (cell.entry == baseline and cell.status == "not timed")]

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
            self.display.expect(expected.net_s(model, self._to_time(model), self.preset, is_timed=False))
        with self._oracle(problem, BOTH_PRECISIONS if optimizer is None else ()) as oracle:
            self._prove_all(problem, oracle, cells)
        return cells

    def harness_cost(self, variant: str) -> bare_loop.Cost:
        """Measure what the harness costs a variant's two-layer step."""
        return self.against(variant, bare_loop.MODEL, bare_loop.OWN_LOOP)

    def against(self, variant: str, model: str, loop: str) -> bare_loop.Cost:
        """Measure once a variant's training step against a loop of its backend (`bare_loop.measure`)."""
        key = bare_loop.Against(variant, model, loop)
        if key not in self.costs:
            self.display.stage(f"{model}: {variant} in a worker against {loop}", bare_loop.EXPECTED_S)
            entry = next(entry for entry in self.variants if entry.name == variant)
            settings = self.num_threads, self.device, self.seed, self.preset
            self.costs[key] = bare_loop.measure(entry, *settings, model, loop)
        return self.costs[key]

    def warn(self, text: str) -> None:
        """Add a warning to the result document, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def _end_shared_workers(self) -> None:
        self._shared_workers.clear()
        self._shared.close()

    def close(self) -> None:
        """End the workers that nets share, and those that the lesson's experiments share."""
        self._end_shared_workers()
        if self.lesson is not None:
            self.lesson.close()

    def expected_s(self, model: str) -> float:
        """Return about how long one net takes, for the progress display."""
        return expected.net_s(model, self._to_time(model), self.preset, is_timed=not self.is_smoke_test)

    def _to_time(self, model: str) -> list[Entry]:
        """Return the variants of a net that are installed and not left out."""
        return [entry for entry in self.variants if self._cell(model, entry).status == "not timed"]

    def _cell(self, model: str, entry: Entry) -> Cell:
        available = registry.availability(model, entry, environment.kind(self.device))
        if available.status != "available":
            return Cell(entry, available.status, available.reason)
        if not entry.variant.computes_in(self.precision):
            return Cell(entry, "not implemented", f"{entry.name} has no {self.precision}")
        if (model, entry.name) in self.left_out:
            return Cell(entry, LEFT_OUT, "left to --preset full, or --variants NAME")
        return Cell(entry, "not timed")

    # ------------------------------------------------------------ launches

    def _launch(self, problem: Problem, cells: list[Cell], processes: ExitStack) -> list[Cell]:
        """Start a worker per cell: one after the other, since their cold stages are timed, unless the preset hurries.

        Returns:
            The cells, or the first of them, whose memory fills the device.
        """
        model = problem.spec.model
        number = iter(range(1, len(cells) + 1))

        def launch(cell: Cell) -> None:
            with self._lock:
                text = f"{model}: starting {cell.entry.name} ({next(number)} of {len(cells)})"
                self.display.stage(text, expected.launch_s(model, cell.entry, self.preset))
            try:
                cell.worker = self._started_worker(cell.entry, cell.entry.name, processes)
                cell.facts = cell.worker.facts
                cell.launches.append(programs.launch(cell.worker, problem))
                self._read_conventions(cell.worker)
            except WorkerError as error:
                if not self.interrupted:
                    cell.fail(error)

        if self._starts_together:
            self._side_by_side(launch, [[cell] for cell in cells], self._lifetime(processes))
            return cells
        free_bytes = environment.free_device_bytes(self.device)
        for done, cell in enumerate(cells):
            if not devices.has_room([one.launches[-1] for one in cells[:done] if one.is_running], free_bytes):
                self.warn(f"{model}: the GPU's memory does not hold all variants, which are timed a few at a time")
                return cells[:done]
            launch(cell)
        return cells

    def _launch_warm(self, problem: Problem, cells: list[Cell]) -> None:
        """Launch what has a compile cache on disk twice more: one process fills it, and the next finds it filled."""
        model = problem.spec.model
        for cell in cells:
            if cell.status != "not timed" or not cell.entry.variant.cache_env or places.is_elsewhere(cell.entry):
                continue
            text = f"{model}: starting {cell.entry.name} with a filled compile cache"
            self.display.stage(text, 2 * expected.launch_s(model, cell.entry, self.preset))
            with tempfile.TemporaryDirectory(prefix="likeforlike-cache-", ignore_cleanup_errors=True) as cache:
                try:
                    for _ in ("fills", "finds"):
                        with self._worker(cell.entry, cache) as worker:
                            worker.start()
                            cell.warm_stages = programs.launch(worker, problem).stages
                except WorkerError as error:
                    cell.warm_stages = {}
                    self.warn(f"{model}: {cell.entry.name} failed with a compile cache, {error.reason}")

    def _tear_down(self, cells: list[Cell]) -> None:
        """Let every net go, and note how long that takes. Workers that nets share live on."""
        for cell in cells:
            if cell.is_running:
                cell.launches[-1].teardown_s = cell.ask(None, "close", key="timed")
            cell.worker = None

    def _read_conventions(self, worker: Worker) -> None:
        """Ask a framework once what it takes for granted; nothing is timed meanwhile."""
        name = conventions.framework(worker.entry)
        if (
            self.preset.with_conventions
            and name not in self.conventions
            and registry.offers(worker.entry, "conventions")
        ):
            self.conventions[name] = worker.call("conventions")

    def _measure_ceilings(self, problem: Problem, cells: list[Cell]) -> None:
        """Measure once per run what each framework makes of this machine; nothing else is timed meanwhile.

        It takes memory, which must not show in the peak of a net that is yet to come in the same process.
        """
        is_early = self.preset.shares_workers and problem.spec.model != self.models[-1]
        if not self.preset.min_ceiling_s or is_early:
            return
        for cell in cells:
            backend = cell.entry.backend
            if backend in self.ceilings or not cell.is_running or not registry.offers(cell.entry, "ceilings"):
                continue
            assert cell.worker is not None
            self.display.stage(f"measuring the machine with {cell.entry.name}", expected.CEILING_S)
            try:
                # TF32 is a setting of the process, which holds for its float32 products.
                dtype = "bfloat16" if self.precision == "bf16" else "float32"
                self.ceilings[backend] = ceilings.measure(cell.worker, dtype, self.preset.min_ceiling_s)
            except WorkerError as error:  # the cell itself has been timed
                self.warn(f"no ceiling from {cell.entry.name}, {error.reason}")

    # ------------------------------------------------------------ certificates

    @contextmanager
    def _oracle(self, problem: Problem, starts: Collection[str]) -> Iterator[Oracle]:
        spec = problem.spec
        num_steps = self.preset.num_certified_steps.get(spec.model, spec.num_certified_steps)
        self.display.stage(f"{spec.model}: computing the float64 reference", expected.ORACLE_S[spec.model])
        num_steps = min(num_steps, spec.num_certified_steps)
        with Oracle(problem, num_steps, self.num_threads, starts, self.precision) as oracle:
            oracle.prepare()
            yield oracle

    def _started_worker(self, entry: Entry, name: str, stack: ExitStack) -> Worker:
        """Return a worker that has imported its framework: a new one, or the one of this name that nets share."""
        shared = self._shared_workers.get(name)
        if shared is not None and shared.is_alive():
            return shared
        worker = self._lifetime(stack).enter_context(self._worker(entry))
        if self.preset.shares_workers:
            self._shared_workers[name] = worker
        worker.start()
        return worker

    def _lifetime(self, of_net: ExitStack) -> ExitStack:
        """Return what ends the workers: the end of the net, or that of the run where nets share them."""
        return self._shared if self.preset.shares_workers else of_net

    def _worker(self, entry: Entry, cache: str | None = None) -> Worker:
        return Worker(entry, self.num_threads, self.device, cache, self.precision)

    def _prove_all(self, problem: Problem, oracle: Oracle, cells: list[Cell]) -> None:
        """Prove cells in two lanes side by side; nothing is timed meanwhile.

        Compilers keep one core busy each, so compiled variants have a lane of their own. All others compute on every
        thread that they were given: two of them at once would mostly wait for each other.
        """
        provable = [cell for cell in cells if cell.status == "not timed"]
        number = iter(range(1, len(provable) + 1))

        def prove(cell: Cell) -> None:
            with self._lock:
                text = f"{problem.spec.model}: certifying {cell.entry.name} ({next(number)} of {len(provable)})"
                share = expected.PROVE_AGAIN if cell.is_proven else 1.0
                self.display.stage(text, share * expected.prove_s(problem.spec.model, cell.entry))
            self._prove(problem, oracle, cell)

        lanes = [[cell for cell in provable if (cell.entry.variant.mode == "compiled") is one] for one in (True, False)]
        with ExitStack() as lifetime:
            self._side_by_side(prove, lanes, lifetime)

    def _side_by_side(self, work: Callable[[Cell], None], lanes: list[list[Cell]], lifetime: ExitStack) -> None:
        """Work through lanes of cells, two lanes at a time.

        Linux ends a process when the thread that started it ends: the threads live as long as `lifetime`.
        """

        def work_through(lane: list[Cell]) -> None:
            for cell in lane:
                if not self.interrupted:
                    work(cell)

        pool = lifetime.enter_context(ThreadPoolExecutor(2))
        try:
            list(pool.map(work_through, lanes))
        except BaseException:
            self.interrupted = True
            pool.shutdown(wait=False, cancel_futures=True)
            own = [cell.worker for lane in lanes for cell in lane if cell.worker is not None]
            for worker in (*own, *self._shared_workers.values()):  # a thread that waits for a worker ends with it
                worker.kill()
            raise

    def _prove(self, problem: Problem, oracle: Oracle, cell: Cell) -> None:
        """Prove one cell, in its launched worker or, if it has none, in one for this proof alone."""
        prove = certify.prove_again if cell.is_proven else certify.prove
        try:
            with ExitStack() as own:
                if cell.worker is None:
                    cell.worker = self._started_worker(cell.entry, cell.entry.name, own)
                    programs.launch(cell.worker, problem)
                proof = prove(cell.worker, oracle)
                if proof.failed:
                    cell.explanation = self._explain(problem, oracle, cell.worker, proof)
        except WorkerError as error:
            if not self.interrupted:  # then the worker was killed, and is not to blame
                cell.fail(error)
            return
        if proof.failed:
            cell.status, cell.reason = "refused", describe_failures(proof.failed)
        with self._lock:
            # Later launches prove again what the first has proven: only what they refute is news.
            self.certificates += proof.certificates if prove == certify.prove else proof.failed
            self.trajectories += proof.trajectories if prove == certify.prove else []
        cell.is_proven = True

    def _explain(self, problem: Problem, oracle: Oracle, worker: Worker, proof: Proof) -> list[str]:
        """Say where a refused cell first differs; look at what precedes the first step if that has been left out."""
        certificates = proof.certificates
        if oracle.starts != set(BOTH_PRECISIONS):
            with Oracle(problem, 1, self.num_threads, precision=self.precision) as start:
                start.prepare()
                at_start = certify.prove(worker, start, is_launched=False)
            certificates = at_start.certificates if at_start.failed else [*at_start.certificates, *certificates]
        return divergence.explain(certificates, problem.spec)

    # ------------------------------------------------------------ times

    def _time(
        self,
        problem: Problem,
        cells: list[Cell],
        timings: dict[str, Timing],
        processes: ExitStack,
        launch_twin: Callable[[], None],
    ) -> None:
        """Time every phase in one launch."""
        running = [cell for cell in cells if cell.is_running]
        for timing in timings.values():
            timing.baseline = timing.baseline or registry.baseline(cell.entry for cell in running)
        baseline = next(iter(timings.values())).baseline
        has_baseline = baseline in [cell.entry for cell in running]
        if baseline is not None and has_baseline and (self._twin is None or self._twin.entry != baseline):
            self._start_twin(problem, baseline, processes)  # the one that was expected did not pass
            launch_twin()
        for phase, timing in timings.items():
            self._time_phase(problem, phase, running, timing, self._twin)
            if self.interrupted:
                raise KeyboardInterrupt

    @contextmanager
    def _starting_twin(
        self, problem: Problem, cells: list[Cell], processes: ExitStack, launch_twin: Callable[[], None]
    ) -> Iterator[None]:
        """Start the A/A control meanwhile, and launch it afterwards; its cold stages are not kept.

        An import needs one core. Steps need all that there are: beside other nets they would take many times as long.
        """
        self._twin = None
        baseline = registry.baseline(cell.entry for cell in cells if cell.is_running)
        if self.is_smoke_test or baseline is None:
            yield
            return
        # The thread must live as long as the worker (see `_side_by_side`).
        pool = self._lifetime(processes).enter_context(ThreadPoolExecutor(1))
        started = pool.submit(self._start_twin, problem, baseline, processes)
        try:
            yield
        except BaseException:
            if self._twin is not None:
                self._twin.kill()  # the thread that waits for it has no more to wait for
            raise
        started.result()
        launch_twin()

    def _start_twin(self, problem: Problem, baseline: Entry, processes: ExitStack) -> None:
        """Start a worker with the baseline once more, for the A/A control."""
        model = problem.spec.model
        with self._lock:
            text = f"{model}: starting {baseline.name} again, as the control"
            self.display.stage(text, expected.launch_s(model, baseline, self.preset))
        try:
            self._twin = self._started_worker(baseline, CONTROL, processes)
        except WorkerError as error:
            self._lose_twin(problem, error)

    def _launch_twin(self, problem: Problem, oracle: Oracle) -> None:
        """Take the control through what the baseline has gone through: the launch, and of the proof the float32 steps.

        A process's past shows in its times for as long as it lives. Without these steps the twin was none (see
        docs/decisions.md).
        """
        if self._twin is None:
            return
        try:
            programs.launch(self._twin, problem)
            certify.prove_again(self._twin, oracle)
        except WorkerError as error:
            self._lose_twin(problem, error)

    def _lose_twin(self, problem: Problem, error: WorkerError) -> None:
        self._twin = None
        if not self.interrupted:
            self.warn(f"{problem.spec.model}: no A/A control, {error.reason}")

    def _time_phase(self, problem: Problem, phase: str, cells: list[Cell], timing: Timing, twin: Worker | None) -> None:
        """Time one phase in one launch; in the first, also its latency and its steps with resident batches."""
        model, preset = problem.spec.model, self.preset
        workers = {cell.entry.name: cell.worker for cell in cells if cell.is_running and cell.worker is not None}
        if twin is not None:
            workers[CONTROL] = twin
        chosen = {name: timing.series(name)[0].num_iterations for name in workers if timing.series(name)}
        samplers = {name: WorkerSampler(worker, phase, False, chosen.get(name, 0)) for name, worker in workers.items()}
        text = f"timing {phase}, {len(samplers)} workers in turn"
        timing.launches.append(self._rounds(model, text, samplers, cells, phase, preset, timing))
        if self.interrupted:
            return  # a worker may still be about to answer what it was asked when the interrupt came
        for cell in cells:
            if cell.is_running:
                cell.ledger[phase] = cell.ask(phase, "ledger", key="timed", phase=phase) or {}
        known = {name for measurement in timing.latency for name in measurement.series}
        fresh = [cell for cell in cells if cell.is_running and cell.entry.name not in known]
        if not fresh or phase not in preset.mode_phases:
            return
        few = replace(preset, min_rounds=1, max_rounds=preset.num_mode_rounds, max_group_s=preset.max_mode_s)
        waiting = {cell.entry.name: WorkerSampler(cell.worker, phase, waits=True) for cell in fresh if cell.worker}
        timing.latency.append(self._rounds(model, f"latency of {phase}", waiting, fresh, phase, few, timing))
        if self.interrupted:
            return
        for cell in fresh:
            if cell.is_running:
                cell.ask(phase, "place", key="timed")
        running = {cell.entry.name: cell.worker for cell in fresh if cell.is_running and cell.worker is not None}
        resident = {name: WorkerSampler(worker, f"resident {phase}") for name, worker in running.items()}
        text = f"{phase}, batches resident"
        timing.resident.append(self._rounds(model, text, resident, fresh, phase, few, timing))
        if not self.interrupted and environment.kind(self.device) == "gpu":
            self._profile(model, phase, fresh)
            self._measure_energy(model, phase, fresh, timing)

    def _profile(self, model: str, phase: str, cells: list[Cell]) -> None:
        """Record what the GPU does during some steps of each cell, by its framework's profiler."""
        for cell in cells:
            if not cell.is_running or cell.worker is None:
                continue
            self.display.stage(f"{model}: kernels of {cell.entry.name}, {phase}", expected.PROFILE_S)
            try:
                cell.activities[phase] = activity.measure(cell.worker, phase)
            except WorkerError as error:  # the cell itself has been timed
                self.warn(f"{model}: no kernels of {cell.entry.name}, {error.reason}")

    def _measure_energy(self, model: str, phase: str, cells: list[Cell], timing: Timing) -> None:
        """Let each cell in turn take steps on the GPU for a while, all others idle, and read what it draws."""
        window_s = self.preset.energy_window_s
        if not window_s:
            return
        try:
            with energy.Gpu(environment.gpu_env(self.device)["CUDA_VISIBLE_DEVICES"]) as gpu:
                for cell in cells:
                    if not cell.is_running or cell.worker is None or places.is_elsewhere(cell.entry):
                        continue
                    name = cell.entry.name
                    self.display.stage(f"{model}: energy of {name}, {phase}", window_s)
                    num_iterations = timing.series(name)[0].num_iterations
                    try:
                        cell.energies[phase] = energy.measure(cell.worker, phase, num_iterations, gpu, window_s)
                    except WorkerError as error:
                        cell.fail(error, phase)
        except energy.CounterError as error:
            self.warn(f"no energy: {error}")

    def _rounds(
        self,
        model: str,
        what: str,
        samplers: dict[str, WorkerSampler],
        cells: list[Cell],
        phase: str,
        preset: Preset,
        timing: Timing,
    ) -> schedule.Measurement:
        """Go through the rounds of a schedule; cells whose workers fail take the blame."""
        text = f"{model}: {what}"
        self.display.stage(text, expected.rounds_s(model, len(samplers), preset))

        def on_round(num_rounds: int, fraction: float) -> None:
            self.display.update(f"{text}, {num_rounds} rounds taken", fraction)

        watched = {cell.entry.name for cell in cells if cell.entry.variant.headline}
        baseline = timing.baseline.name if timing.baseline else ""
        statistic = timing.statistic if timing.launches else None
        measurement = schedule.measure(samplers, baseline, watched, preset, self.seed, on_round, statistic)
        self.interrupted = self.interrupted or measurement.stopped_by == "interrupted"
        by_name = {cell.entry.name: cell for cell in cells}
        for name, error in measurement.failures.items():
            if not isinstance(error, WorkerError):
                raise error
            if name in by_name:
                by_name[name].fail(error, phase)
            else:
                self.warn(f"{text}: the A/A control failed, {error.reason}")
        return measurement

    def _take_pictures(self, problem: Problem, cells: list[Cell], timings: dict[str, Timing]) -> None:
        """Let some headline variants train: the baseline first, since it runs eagerly and compiles nothing for it."""
        num_steps = self.preset.num_picture_steps.get(problem.spec.model)
        baseline = next(iter(timings.values())).baseline
        headline = [cell for cell in cells if cell.is_running and cell.entry.variant.headline]
        if not num_steps or not headline:
            return
        headline.sort(key=lambda cell: cell.entry != baseline)
        self.display.stage(f"{problem.spec.model}: training for the pictures", expected.PICTURE_S[problem.spec.model])
        for cell in headline[: self.preset.num_pictures[problem.spec.model]]:
            assert cell.worker is not None
            try:
                picture = pictures.take(cell.worker, problem, num_steps)
            except WorkerError as error:
                self.warn(f"{problem.spec.model}: no picture from {cell.entry.name}, {error.reason}")
            else:
                self.pictures.append(picture)

    # ------------------------------------------------------------ records

    def _record(self, problem: Problem, cells: list[Cell], timings: dict[str, Timing]) -> None:
        """Keep what was measured of a net, whether or not it was finished."""
        for phase, timing in timings.items():
            found = [self._cell_record(problem, phase, cell, timing) for cell in cells]
            if timing.launches:
                timed = [record for record in found if record["step_time_s"] is not None]
                self.groups.append(records.group_record(problem, phase, timing, timed))
            self.cells += found

    def _cell_record(self, problem: Problem, phase: str, cell: Cell, timing: Timing) -> dict[str, Any]:
        record = records.untimed_cell(problem, phase, cell.entry, environment.kind(self.device), cell.facts)
        record |= {
            "explanation": cell.explanation,
            "ledger": cell.ledger.get(phase, {}),
            "warm_stages": cell.warm_stages.get(phase),
            "activity": profiled.as_dict() if (profiled := cell.activities.get(phase)) else None,
            "energy": cell.energies[phase].as_dict() if phase in cell.energies else None,
            "stderr_tail": cell.stderr_tail,
            **records.launch_record(cell.launches, phase),
        }
        is_timed = bool(timing.series(cell.entry.name)) and not self.is_smoke_test
        if is_timed:
            record |= records.timed_record(cell.entry.name, timing, record["launches"])
        if cell.status == LEFT_OUT:
            record["reason"] = cell.reason
        elif is_timed and (cell.status == "not timed" or cell.failed_phase not in (phase, None)):
            record["status"] = "timed"
        elif cell.status == "not timed":
            record["reason"] = "smoke test" if self.is_smoke_test else "the run was interrupted before"
        else:
            record |= {"status": cell.status, "reason": cell.reason}
        return record

    def block(self, is_going_on: bool = False) -> dict[str, Any]:
        """Return the block `likeforlike` of the result document, as far as the run has come."""
        roof = ceilings.best(list(self.ceilings.values())) if self.ceilings else None
        return {
            "schema_version": SCHEMA_VERSION,
            "run": {
                "id": self.id,
                "started_utc": self.started.isoformat(timespec="seconds"),
                "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"),
                "status": "running" if is_going_on else "interrupted" if self.interrupted else "complete",
                "finished": [{"model": model, "size": size} for model, size in self.finished],
                "preset": self.preset.name,
                "device": environment.kind(self.device),
                "num_threads": self.num_threads,
                "precision": self.precision,
                "seed": self.seed,
                "command": self.command,
                "options": self.requested,
                "models": self.models,
                "variants": [entry.name for entry in self.variants],
                "sweep": {"parameter": self.sweep.parameter, "values": list(self.sweep.values)} if self.sweep else None,
                "warnings": self.warnings,
            },
            "environment": {
                **self.environment,
                "load_at_end": environment.load_average(),
            },
            "doctor": [finding.as_dict() for finding in self.findings],
            "ceilings": [ceiling.as_dict() for ceiling in self.ceilings.values()],
            "roof": roof.as_dict() if roof else None,
            "groups": [
                {**group, "bytes_per_s": roof.bandwidth(group["bytes"]).per_s if roof else None}
                for group in self.groups
            ],
            "harness_cost": [
                {"variant": one.variant, **records.ratio_record(cost.ratio)}
                for one, cost in self.costs.items()
                if one.loop == bare_loop.OWN_LOOP
            ],
            "cells": self.cells,
            "certificates": [certificate.as_dict() for certificate in self.certificates],
            "trajectories": [trajectory.as_dict() for trajectory in self.trajectories],
            "conventions": conventions.rows(self.conventions),
            "pictures": self.pictures,
            "lesson": self.lesson.as_dict() if self.lesson else None,
        }


def give_up(cells: Iterable[Cell], reason: str) -> None:
    """Fail the cells to which nothing else has happened; what was timed of them before stays."""
    for cell in cells:
        if cell.status == "not timed":
            cell.status, cell.reason, cell.failed_phase = "failed", reason, NO_PHASE


def describe_failures(failed: list[Certificate]) -> str:
    """Return in one sentence what a certificate refused: the first failure, and how many more there are."""
    first = failed[0]
    error = "not comparable" if first.rel_error is None else f"error {first.rel_error:.1e}, limit {first.limit:.1e}"
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"{first.quantity} in {first.precision}: {error} ({first.detail}){more}"
