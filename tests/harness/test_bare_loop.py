"""The loops that a worker is measured against: each runs in a process of its own, and one that fails says why."""

import pytest

from benchmarks.test_tutorials import TUTORIALS
from harness import bare_loop
from harness.problem import Problem
from impls import registry

pytestmark = pytest.mark.usefixtures("cheap_xla")

ENTRIES = registry.variants()
HEADLINE = [entry.name for entry in ENTRIES.values() if entry.variant.headline]
LOOPS = [("two_layer", variant, bare_loop.OWN_LOOP) for variant in HEADLINE]
LOOPS += [(model, variant, f"tutorials.{model}_{tutorial}") for model, variant, tutorial in TUTORIALS]


def process(model: str, variant: str, loop: str):
    available = registry.availability(model, ENTRIES[variant])
    if available.status != "available":
        pytest.skip(f"{available.status}: {available.reason}")
    return bare_loop.bare_process(ENTRIES[variant], Problem.of(model, "tiny", 0), 1, "cpu", loop)


@pytest.mark.parametrize(("model", "variant", "loop"), LOOPS)
def test_every_loop_trains_on_a_batch_in_canonical_layout(model: str, variant: str, loop: str) -> None:
    with process(model, variant, loop) as bare:
        num_iterations, _ = bare.calibrate(0.0)
        samples = bare.sample(num_iterations, 3)
    assert len(samples) == 3
    assert all(wall_s > 0 for wall_s, *_ in samples)


def test_a_loop_that_fails_says_why() -> None:
    with process("two_layer", "torch-eager", "tutorials.no_such_loop") as bare:
        with pytest.raises(RuntimeError, match=r"exit status 1: AttributeError.*no_such_loop"):
            bare.calibrate(0.0)
        with pytest.raises(RuntimeError, match="exit status 1"):
            bare.sample(1, 1)
