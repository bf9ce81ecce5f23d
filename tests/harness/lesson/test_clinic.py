"""The broken benchmarks: each is really broken, by the mechanism that its diagnosis states.

What can be counted is counted. Where times are compared they are two of the same process, at least three times apart.
"""

import itertools
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from harness import environment
from harness.lesson import clinic
from harness.workers import ROOT
from impls.registry import is_installed

CASES = {case.name: case for case in clinic.cases()}

PROOFS = {
    "returns_early": """
found = program.measure()["seconds"]
x = program.jnp.ones((program.SIZE, program.SIZE))
product = program.jax.jit(program.jnp.matmul)
done = seconds(lambda: product(x, x).block_until_ready())
print(json.dumps({"found": found, "true": done}))
""",
    "first_call": """
found = program.measure()["seconds"]
print(json.dumps({"found": found, "true": program.measure(1000)["seconds"]}))
""",
    "traced_again": """
program.measure()
print(json.dumps({"num_traces": program.num_traces, "num_calls": program.NUM_CALLS + 1}))
""",
    "python_number": """
print(json.dumps({"num_traces": program.measure()["num_traces"], "num_calls": program.NUM_STEPS + 1}))
""",
    "dead_code": """
x = program.jnp.ones((program.SIZE, program.SIZE))
lowered = program.model.lower(x, x)
print(json.dumps({
    "flops": lowered.compile().cost_analysis()["flops"],
    "flops_of_products": 2 * program.SIZE**3 * program.NUM_LAYERS,
    "num_products_written": str(program.jax.make_jaxpr(program.model)(x, x)).count("dot_general"),
}))
program.measure()
""",
    "half_the_bytes": """
print(json.dumps({"num_bytes": program.measure()["num_bytes"]}))
""",
    "data_inside": """
found = program.measure()
random = program.np.random.default_rng(0)
x, w = (random.standard_normal(shape, "float32") for shape in ((program.N, program.D_IN), (program.D_IN, 10)))
print(json.dumps({"found": found[10], "true": seconds(lambda: program.np.maximum(x @ w, 0))}))
""",
    "growing_graph": """
print(json.dumps({"num_nodes": program.measure()["num_nodes"]}))
""",
    "tiny_numbers": """
left = program.measure()["left"]
smallest = program.torch.finfo(left.dtype).tiny
print(json.dumps({"num": len(left), "num_subnormal": int(((left > 0) & (left < smallest)).sum())}))
""",
}
"""What is run after each program was imported; `seconds` returns the best of five."""

SETUP = """
import json, importlib, time
program = importlib.import_module("harness.lesson.clinic.{name}")

def seconds(call):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
"""


def run(name: str) -> dict[str, Any]:
    """Run a program's proof in a process of its own; skip where a framework is missing."""
    frameworks = [word for word in ("jax", "tensorflow", "torch") if f"import {word}" in CASES[name].code]
    if missing := [module for module in frameworks if not is_installed(module)]:
        pytest.skip(f"{', '.join(missing)} not installed")
    done = subprocess.run(
        [sys.executable, "-c", SETUP.format(name=name) + PROOFS[name]],
        cwd=ROOT,
        env={**os.environ, **environment.worker_env(1)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_there_are_enough_and_each_has_a_proof() -> None:
    assert len(CASES) >= 6
    assert set(PROOFS) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_case_hides_its_diagnosis(name: str) -> None:
    case = CASES[name]
    assert all([case.title, case.symptom, case.diagnosis, case.remedy])
    assert case.diagnosis not in case.code
    assert "def measure(" in case.code
    assert set(case.as_dict()) == {"title", "code", "symptom", "diagnosis", "remedy"}
    compile(case.code, name, "exec")


def test_the_clock_stops_before_the_work_is_done() -> None:
    found = run("returns_early")
    assert 3 * found["found"] < found["true"]


def test_the_first_call_is_most_of_the_mean() -> None:
    found = run("first_call")
    assert found["found"] > 3 * found["true"]


@pytest.mark.parametrize("name", ["traced_again", "python_number"])
def test_every_call_traces(name: str) -> None:
    found = run(name)
    assert found["num_traces"] == found["num_calls"]


def test_the_products_are_written_and_left_out() -> None:
    found = run("dead_code")
    assert found["num_products_written"] > 0
    assert found["flops"] < 0.01 * found["flops_of_products"]


def test_one_side_has_half_the_bytes() -> None:
    numpy, framework = run("half_the_bytes")["num_bytes"]
    assert numpy == 2 * framework


def test_the_data_takes_longer_than_the_net() -> None:
    found = run("data_inside")
    assert found["found"] > 3 * found["true"]


def test_every_step_adds_nodes() -> None:
    counts = run("growing_graph")["num_nodes"]
    assert all(later > earlier for earlier, later in itertools.pairwise(counts))


def test_the_numbers_end_below_the_normal_ones() -> None:
    found = run("tiny_numbers")
    assert found["num_subnormal"] == found["num"]
