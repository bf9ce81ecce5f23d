"""Every variant of every net passes both gates at the tiny size, in a worker as a benchmark would start it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from harness import certify
from harness.certify import Oracle
from harness.problem import Problem
from harness.workers import Worker
from impls import registry, specs


@pytest.fixture(scope="module")
def oracle_of() -> Iterator[Callable[[str, tuple[str, ...]], Oracle]]:
    with ExitStack() as stack:

        @cache
        def prepared(model: str, starts: tuple[str, ...]) -> Oracle:
            problem = Problem.of(model, "tiny", seed=0)
            oracle = stack.enter_context(Oracle(problem, problem.spec.num_certified_steps, 1, starts))
            oracle.prepare()
            return oracle

        yield prepared


@pytest.mark.parametrize("model", specs.MODELS)
@pytest.mark.parametrize("variant", registry.variants())
def test_certificate(variant: str, model: str, oracle_of: Callable[[str, tuple[str, ...]], Oracle]) -> None:
    entry = registry.variants()[variant]
    available = registry.availability(model, entry)
    if available.status != "available":
        pytest.skip(f"{available.status}: {available.reason}")
    # What compiles for minutes is spared the functions that only a certificate calls, as in the shorter presets.
    is_slow = model in entry.variant.slow_models
    oracle = oracle_of(model, () if is_slow else certify.BOTH_PRECISIONS)
    with Worker(entry, num_threads=1, device="cpu") as worker:
        worker.start()
        stages = certify.launch(worker, oracle.problem)
        certificates = certify.prove(worker, oracle)
    assert set(stages) == set(certify.PHASES)
    assert {(c.precision, c.quantity) for c in certificates} == {
        (precision, quantity) for precision in ("float32", "float64") for quantity in oracle
    }
    assert [c for c in certificates if not c.passed] == []
