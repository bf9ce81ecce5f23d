"""The parent's side: what crashes costs its own way, processes are shared or not, and a stopped lesson goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness import lesson, results
from harness.lesson import Experiment, runner
from harness.lesson.runner import Lesson
from harness.progress import Display
from harness.workers import Worker, WorkerError
from impls import registry
from impls.registry import Entry

ENTRY = next(entry for entry in registry.variants().values() if entry.backend == "reference")
GRAPH = {"subject": "net", "artefact": "trace", "stage": "before", "nodes": [], "num_nodes": 0, "text": ""}


class StandIn:
    """A worker with three ways, of which one ends the process, and that draws a graph."""

    started: list["StandIn"]
    ways = ("one", "fatal", "two")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.probed: list[list[str]] = []
        self.is_killed = False

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        StandIn.started.append(self)

    def kill(self) -> None:
        self.is_killed = True

    def call(self, call: str, /, timeout_s: float = 0, **arguments: Any) -> Any:  # noqa: ARG002
        if call == "ways":
            return list(self.ways)
        self.probed.append(arguments["ways"])
        if "fatal" in arguments["ways"]:
            raise WorkerError("crashed", "ended by SIGSEGV", "")
        return {
            way: {"status": "measured", "data": {"seconds": [1.0], "graphs": [GRAPH]}, "source": "def way(): ..."}
            for way in arguments["ways"]
        }


@pytest.fixture
def make_lesson(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Lesson]]:
    """Returns what makes a lesson of one stand-in experiment, for the reference."""
    StandIn.started = []
    monkeypatch.setattr(registry, "has_file", lambda *_: True)

    def make(**changes: Any) -> Lesson:
        experiment = Experiment("stand_in", expected_s=1, **changes)
        monkeypatch.setattr(lesson, "EXPERIMENTS", {"stand_in": experiment})
        monkeypatch.setattr(runner, "EXPERIMENTS", {"stand_in": experiment})
        return Lesson([ENTRY], StandIn, Display(file=log))  # type: ignore[arg-type]

    with (tmp_path / "progress").open("w") as log:
        yield make


def probed() -> list[list[list[str]]]:
    return [worker.probed for worker in StandIn.started]


def test_a_crash_in_a_shared_process_costs_its_own_way(make_lesson: Callable[..., Lesson]) -> None:
    found = make_lesson().measure("stand_in")
    assert probed() == [[["one", "fatal", "two"]], [["one"]], [["fatal"]], [["two"]]]
    assert [(one["way"], one["status"], one["reason"]) for one in found] == [
        ("one", "measured", None),
        ("fatal", "crashed", "ended by SIGSEGV"),
        ("two", "measured", None),
    ]


def test_a_shared_process_lives_until_it_fails(make_lesson: Callable[..., Lesson]) -> None:
    taught = make_lesson(shares_process=True)
    taught.make_worker = type("Sound", (StandIn,), {"ways": ("one", "two")})  # type: ignore[assignment]
    taught.measure("stand_in")
    taught.finished.clear()
    taught.make_worker = StandIn  # type: ignore[assignment]
    taught.measure("stand_in")
    assert probed() == [[["one", "two"]] * 2]
    taught.close()
    taught.finished.clear()
    found = taught.measure("stand_in")
    assert probed()[1:] == [[["one", "fatal", "two"]], [["one"], ["fatal"]], [["two"]]]
    assert [worker.is_killed for worker in StandIn.started] == [False, True, True, False]
    assert [one["status"] for one in found[-3:]] == ["measured", "crashed", "measured"]


def test_ways_that_need_a_fresh_process_get_one(make_lesson: Callable[..., Lesson]) -> None:
    found = make_lesson(is_fresh=True).measure("stand_in")
    assert probed() == [[["one"]], [["fatal"]], [["two"]]]
    assert [one["status"] for one in found] == ["measured", "crashed", "measured"]


@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_backend_without_ways_takes_no_part(is_fresh: bool, make_lesson: Callable[..., Lesson]) -> None:
    taught = make_lesson(is_fresh=is_fresh)
    taught.make_worker = type("Idle", (StandIn,), {"ways": ()})  # type: ignore[assignment]
    assert taught.measure("stand_in") == []


def test_a_backend_that_cannot_start_is_told_once(make_lesson: Callable[..., Lesson]) -> None:
    taught = make_lesson()

    def fail(_: object) -> None:
        raise WorkerError("broken", "SyntaxError", "")

    taught.make_worker = lambda entry: type("Broken", (StandIn,), {"start": fail})(entry)  # type: ignore[assignment]
    assert [(one["way"], one["status"]) for one in taught.measure("stand_in")] == [(None, "failed")]


def test_a_missing_framework_is_not_installed(
    make_lesson: Callable[..., Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = make_lesson()
    monkeypatch.setattr(registry, "missing_modules", lambda _: ["absent"])
    (found,) = taught.measure("stand_in")
    assert (found["status"], found["reason"]) == ("not installed", "absent cannot be imported")
    assert not StandIn.started


def test_the_object_fits_the_schema_and_is_taken_over(make_lesson: Callable[..., Lesson]) -> None:
    """What was finished is not measured again; an experiment that was stopped is, as a whole."""
    taught = make_lesson()
    taught.measure("stand_in")
    found = taught.as_dict()
    jsonschema.validate({"lesson": found}, {"properties": {"lesson": results.schema()["properties"]["lesson"]}})
    assert [graph["framework"] for graph in found["graphs"]] == [ENTRY.title] * 2
    assert found["measurements"][0]["data"] == {"seconds": [1.0]}, "the graphs have a place of their own"

    again = make_lesson()
    again.take_over(found)
    assert again.unfinished == []
    num_started = len(StandIn.started)
    assert again.measure("stand_in") == taught.measure("stand_in")
    assert len(StandIn.started) == num_started

    stopped = make_lesson()
    stopped.take_over({**found, "finished": []})
    assert stopped.unfinished == ["stand_in"]
    assert stopped.measurements == []


def test_ctrl_c_keeps_what_was_measured(make_lesson: Callable[..., Lesson]) -> None:
    taught = make_lesson(is_fresh=True)
    first = taught.make_worker

    def interrupted(entry: Entry) -> Worker:
        if StandIn.started:
            raise KeyboardInterrupt
        return first(entry)

    taught.make_worker = interrupted
    with pytest.raises(KeyboardInterrupt):
        taught.measure("stand_in")
    assert [one["way"] for one in taught.as_dict()["measurements"]] == ["one"]
    assert taught.unfinished == ["stand_in"]


def test_a_real_worker_runs_an_experiment() -> None:
    """The smallest one, on the reference: through the channel and back."""
    with Worker(ENTRY, num_threads=1, device="cpu") as worker:
        worker.start()
        (way,) = worker.call("ways", name="retrace")
        found = worker.call("experiment", name="retrace", ways=[way])
    assert found[way]["status"] == "measured"
    assert len(found[way]["data"]["first_seconds"]) == len(found[way]["data"]["batch_sizes"]) == 20
    assert "w1" in found[way]["source"]
