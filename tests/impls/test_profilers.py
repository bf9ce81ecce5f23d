"""Profiles are read right; without a GPU, those of the host's operations, and that nothing ran on a device."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import activity, environment, programs
from harness.problem import Problem
from harness.workers import Worker
from impls import registry, specs

ROOT = Path(__file__).parents[2]
PROFILED = [entry.name for entry in registry.variants().values() if registry.provider(entry, "profiler")]
SCRIPT = """
import importlib, json, os, sys, time
variant, scratch = sys.argv[1:]
from impls import registry
import numpy as np
entry = registry.variants()[variant]
os.environ.update(entry.variant.environ(scratch))
importlib.import_module(f"impls.{entry.backend}.runtime").configure(entry.variant, 1, "cpu")
backend = registry.provider(entry, "profiler")
ways = importlib.import_module(f"impls.{entry.backend}.experiments.per_op").WAYS
call = next(iter(ways.values()))(np.ones(1000, np.float32))
call()
def run():
    start = time.perf_counter()
    call()
    run.seconds = time.perf_counter() - start
kernels = importlib.import_module(f"impls.{backend}.profiler").kernels
print(json.dumps([kernels(run, "cpu"), run.seconds]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("variant", PROFILED)
def test_operations_of_the_host_have_names_and_lie_within_the_call(variant: str, tmp_path: Path) -> None:
    missing = registry.missing_modules(registry.variants()[variant])
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    command = [sys.executable, "-c", SCRIPT, variant, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    recorded, seconds = json.loads(done.stdout.splitlines()[-1])
    assert recorded
    assert all(name and start <= end for name, start, end in recorded)
    longest = max(end - start for _, start, end in recorded)
    assert 0 < longest <= 10 * seconds


@pytest.mark.parametrize("variant", [name for name in PROFILED if registry.variants()[name].variant.headline])
def test_on_a_cpu_no_kernel_runs_on_a_device(variant: str) -> None:
    entry = registry.variants()[variant]
    missing = registry.missing_modules(entry)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    problem = Problem(specs.get("two_layer", "tiny"), seed=0)
    with Worker(entry, environment.default_num_threads(), "cpu") as worker:
        worker.start()
        programs.launch(worker, problem)
        assert activity.measure(worker, "train_step") is None


def test_whoever_computes_with_a_framework_uses_its_profiler() -> None:
    """A library on top of others has none of its own."""
    entries = registry.variants().values()
    borrowed = {entry.name: registry.provider(entry, "profiler") for entry in entries if entry.backend not in PROFILERS}
    assert set(filter(None, borrowed.values())) <= PROFILERS
    for name, backend in borrowed.items():
        computing = set(registry.variants()[name].variant.requires)
        hosts = {module for entry in entries if entry.backend == backend for module in entry.variant.requires[:1]}
        assert backend is None or hosts & computing, name


PROFILERS = {entry.backend for entry in registry.variants().values() if registry.has_file(entry.backend, "profiler")}
