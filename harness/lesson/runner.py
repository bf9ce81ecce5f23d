"""Runs the experiments of the lesson in worker processes, and keeps what they measured."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from harness import audit, lecture
from harness.lesson import EXPERIMENTS, Experiment, clinic, exercises, sources
from harness.progress import Display
from harness.workers import Worker, WorkerError
from impls import registry
from impls.registry import Entry

NET = "two_layer"
"""Whose files are shown."""

LECTURE = Path(lecture.__file__).parent
AUDIT_S = 14.0
"""Expected, for the progress display."""

Measurement = dict[str, Any]
"""What became of one way of one framework in one experiment, as in the result document."""


class Lesson:
    """The audit and the experiments, as far as they have come.

    Args:
        variants: of whose backends the ways of running are probed.
        make_worker: returns a worker for a variant, not started yet.
        display: where progress goes.
    """

    def __init__(self, variants: Iterable[Entry], make_worker: Callable[[Entry], Worker], display: Display) -> None:
        self.variants = list(variants)
        backends = dict.fromkeys(entry.backend for entry in self.variants)
        self.hosts = [host(backend, self.variants) for backend in backends]
        self.make_worker = make_worker
        self.display = display
        self.audit: list[dict[str, Any]] = []
        self.measurements: list[Measurement] = []
        self.graphs: list[dict[str, Any]] = []
        self.finished: list[str] = []
        self._lifetime = ExitStack()
        self._shared: dict[str, Worker] = {}
        display.expect(AUDIT_S + sum(experiment.expected_s for experiment in EXPERIMENTS.values()))

    def close(self) -> None:
        """End the workers that experiments share."""
        self._shared.clear()
        self._lifetime.close()

    def as_dict(self) -> dict[str, Any]:
        """Return the object `lesson` of the result document."""
        return {
            "audit": self.audit,
            "measurements": self.measurements,
            "graphs": self.graphs,
            "sources": sources.sources([entry.backend for entry in self.hosts if entry.variant.headline], NET),
            "clinic": [case.as_dict() for case in clinic.cases()],
            "exercises": [exercise.as_dict() for exercise in exercises.exercises()],
            "finished": self.finished,
        }

    def take_over(self, block: Mapping[str, Any]) -> None:
        """Keep what a run that stopped has finished."""
        self.audit, self.finished = block["audit"], block["finished"]
        self.measurements = [found for found in block["measurements"] if found["experiment"] in self.finished]
        self.graphs = block["graphs"] if "graphs" in self.finished else []

    @property
    def unfinished(self) -> list[str]:
        """The experiments that are still to be measured."""
        return [name for name in EXPERIMENTS if name not in self.finished]

    def run_audit(self) -> list[dict[str, Any]]:
        """Return what became of a lecture's programs that look alike and are not; run them unless that was done.

        Raises:
            ModuleNotFoundError: a framework that they need is not installed.
        """
        if not self.audit:
            self.display.stage("lesson: a lecture's programs, as printed", AUDIT_S)
            self.audit = [
                {
                    "title": finding.title,
                    "learning_rate": finding.learning_rate,
                    "losses": [loss if math.isfinite(loss) else None for loss in finding.losses],
                    "refused": finding.refused,
                    "explanation": finding.explanation,
                    "source": sources.function(LECTURE / f"{printed.file}.py", "train"),
                }
                for printed, finding in zip(audit.PROGRAMS, audit.audit(self.variants).findings, strict=True)
            ]
        return self.audit

    def measure(self, name: str) -> list[Measurement]:
        """Return what became of every way in an experiment; run it unless that was done.

        A backend without a file for it does not take part, nor does one whose file has no way that runs here.
        """
        if name not in self.finished:
            experiment = EXPERIMENTS[name]
            hosts = [entry for entry in self.hosts if registry.has_file(entry.backend, f"experiments/{name}")]
            for number, entry in enumerate(hosts, 1):
                text = f"lesson: {name}, {entry.title} ({number} of {len(hosts)})"
                self.display.stage(text, experiment.expected_s / len(hosts))
                for measurement in self._measured(experiment, entry):
                    self._keep(measurement)
            self.finished.append(name)
        return [found for found in self.measurements if found["experiment"] == name]

    def _measured(self, experiment: Experiment, entry: Entry) -> Iterator[Measurement]:
        """Yield what became of the ways of one backend.

        Ways that share a process share its end; if it crashes or hangs, they are probed one by one.
        """
        missing = registry.missing_modules(entry)
        if missing:
            reason = f"{', '.join(missing)} cannot be imported"
            yield _measurement(experiment, entry, None, "not installed", reason=reason)
            return
        pending: list[list[str] | None] = [None]  # None: all that there are, which the first process tells
        while pending:
            ways = pending.pop(0)
            try:
                with self._process(experiment, entry) as worker:
                    if ways is None:
                        names = worker.call("ways", name=experiment.name)
                        ways, *others = [[name] for name in names] if experiment.is_fresh and names else [names]
                        pending += others
                    found = worker.call("experiment", experiment.timeout_s, name=experiment.name, ways=ways)
            except WorkerError as error:
                if ways is not None and len(ways) > 1:
                    pending += [[way] for way in ways]
                else:
                    way = ways[0] if ways else None
                    status = "failed" if error.status == "broken" else error.status
                    yield _measurement(experiment, entry, way, status, reason=error.reason)
            else:
                yield from (_measurement(experiment, entry, way, **outcome) for way, outcome in found.items())

    @contextmanager
    def _process(self, experiment: Experiment, entry: Entry) -> Iterator[Worker]:
        """Give a started worker: a new one, or that of the experiments that share theirs, unless it came to an end."""
        if not experiment.shares_process:
            with self.make_worker(entry) as worker:
                worker.start()
                yield worker
            return
        if entry.backend not in self._shared:
            worker = self._lifetime.enter_context(self.make_worker(entry))
            worker.start()
            self._shared[entry.backend] = worker
        try:
            yield self._shared[entry.backend]
        except WorkerError:
            self._shared.pop(entry.backend).kill()
            raise

    def _keep(self, measurement: Measurement) -> None:
        """Add a measurement; the graphs that a way has drawn have a place of their own in the document."""
        if measurement["data"] and "graphs" in measurement["data"]:
            who = {key: measurement[key] for key in ("backend", "framework")}
            self.graphs += [who | graph for graph in measurement["data"].pop("graphs")]
        self.measurements.append(measurement)


def host(backend: str, chosen: Iterable[Entry] = ()) -> Entry:
    """Return the variant in whose processes a backend's experiments run: the headline's, or the first installed.

    Those `chosen` for the run have the interpreters that were chosen for them.
    """
    known = registry.variants() | {entry.name: entry for entry in chosen}
    entries = [entry for entry in known.values() if entry.backend == backend]
    return next((entry for entry in entries if not registry.missing_modules(entry)), entries[0])


def _measurement(
    experiment: Experiment,
    entry: Entry,
    way: str | None,
    status: str,
    *,
    reason: str | None = None,
    data: dict[str, Any] | None = None,
    source: str | None = None,
) -> Measurement:
    return {
        "experiment": experiment.name,
        "backend": entry.backend,
        "framework": entry.title,
        "way": way,
        "status": status,
        "reason": reason,
        "data": data,
        "source": source,
    }
