"""The lesson's ways of running, for real and at small sizes; the probes compare every result with NumPy's."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.lesson import runner
from impls import registry
from impls.graphs import CHAIN, GRADIENTS, NET

BACKENDS = sorted({entry.backend for entry in registry.variants().values()})
EXPERIMENTS = ("loops", "ragged", "dynamic_depth", "python_runs", "debugging", "export", "graphs")
pytestmark = pytest.mark.slow
each_backend = pytest.mark.parametrize("backend", BACKENDS)


@cache
def probed(backend: str) -> dict[str, Any]:
    """Return what a backend's ways found, by experiment and way."""
    script = Path(__file__).with_name("ways_runner.py")
    done = subprocess.run([sys.executable, str(script), backend], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def data(backend: str, experiment: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (way, data); skip where the framework or the experiment is missing."""
    if missing := registry.missing_modules(runner.host(backend)):
        pytest.skip(f"{', '.join(missing)} not installed")
    if not registry.has_file(backend, f"experiments/{experiment}"):
        pytest.skip(f"there is no impls/{backend}/experiments/{experiment}.py")
    for way, found in probed(backend)[experiment].items():
        if found["status"] == "measured":  # the first test below says why one was not
            yield way, found["data"]


@each_backend
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_way_is_measured_and_shows_its_source(backend: str, experiment: str) -> None:
    assert list(data(backend, experiment)), "nothing was measured"
    for way, found in probed(backend)[experiment].items():
        assert found["status"] == "measured", f"{way}: {found['reason']}"
        assert "def " in found["source"], way


@each_backend
def test_only_an_unrolled_graph_grows_with_the_loop(backend: str) -> None:
    for way, found in data(backend, "loops"):
        if (counts := found["num_nodes"])[0] is not None:
            assert (counts[1] > counts[0]) == ("unrolled" in way), way


@each_backend
def test_eager_mode_has_no_graph_to_count(backend: str) -> None:
    for way, found in data(backend, "loops"):
        if way == "eager":
            assert found["num_nodes"] == [None, None]


@each_backend
def test_a_trace_for_each_length_or_for_all(backend: str) -> None:
    for way, found in data(backend, "ragged"):
        num_lengths = len(set(found["lengths"]))
        expected = {"as they are": num_lengths, "bucketed": 2}.get(found["packing"], 1)
        if "any length" in way:
            expected = 1
        assert found["num_traces"] in (None, expected), way
        assert (found["num_wasted_steps"] == 0) == (found["packing"] in ("as they are", "stops early"))


@each_backend
def test_python_runs_in_every_eager_call_and_not_in_a_second_traced_one(backend: str) -> None:
    for way, found in data(backend, "python_runs"):
        if "eager" in way or way == "NumPy":
            assert found["python_ran"] == [1, 1, 1, 1], way
        else:
            assert found["python_ran"][0] == 1, way
            assert found["python_ran"][1] == 0, way


@each_backend
def test_eager_functions_print_and_stop_in_every_call(backend: str) -> None:
    for way, found in data(backend, "debugging"):
        if "eager" in way or way == "NumPy":
            assert found["prints"] == found["breakpoint_reached"] == found["print_calls"], way
        assert found["own_line_in_traceback"], way


@each_backend
def test_what_was_not_read_says_why(backend: str) -> None:
    for way, found in data(backend, "export"):
        assert found["reloads_without_source"] or found["message"], way
        assert found["exported"] or not found["reloads_without_source"], way


@each_backend
def test_graphs_can_be_drawn(backend: str) -> None:
    for way, found in data(backend, "graphs"):
        assert found["graphs"], way
        for graph in found["graphs"]:
            assert graph["subject"] in (NET, GRADIENTS, CHAIN)
            names = [node["id"] for node in graph["nodes"]]
            assert len(set(names)) == len(names) == graph["num_nodes"] > 0
            assert {name for node in graph["nodes"] for name in node["inputs"]} <= set(names)
            edges = sum(len(node["inputs"]) for node in graph["nodes"])
            assert edges > 0 or len(names) == 1, "nodes without an edge were not understood"
            assert 0 < len(graph["text"]) <= 3000


@each_backend
def test_the_chain_has_twenty_operations_before_and_no_more_after(backend: str) -> None:
    for _, found in data(backend, "graphs"):
        chains = {graph["stage"]: graph for graph in found["graphs"] if graph["subject"] == CHAIN}
        if chains:
            with_inputs = [node for node in chains["before"]["nodes"] if node["inputs"] and node["op"] != "output"]
            assert len(with_inputs) == 20
            assert chains["after"]["num_nodes"] <= chains["before"]["num_nodes"]
