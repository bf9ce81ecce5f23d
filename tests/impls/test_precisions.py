"""Mixed precision on a CPU: it passes limits of its own, and would not pass those of float32."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from harness import certify, programs
from harness.oracle import BOTH_PRECISIONS, Oracle
from harness.problem import Problem
from harness.workers import Worker
from impls import registry, specs
from impls.contract import PRECISIONS

pytestmark = pytest.mark.usefixtures("cheap_xla")

# Of the larger nets, a variant per framework: the others lower the same products by the same means.
MIXED = [
    (name, model)
    for name, entry in registry.variants().items()
    for model in specs.MODELS
    if entry.variant.computes_in("bf16") and (entry.variant.headline or model in ("two_layer", "autoencoder"))
]
NUM_STEPS = 10


@pytest.fixture(scope="module")
def oracle_of() -> Iterator[Any]:
    """Makes oracles of a few steps, and keeps them for the tests to come."""
    with ExitStack() as stack:

        @cache
        def prepared(model: str, precision: str, starts: tuple[str, ...]) -> Oracle:
            problem = Problem.of(model, "tiny", seed=0)
            oracle = stack.enter_context(Oracle(problem, NUM_STEPS, 1, starts, precision))
            oracle.prepare()
            return oracle

        yield prepared


def proof_of(variant: str, precision: str, oracle: Oracle) -> certify.Proof:
    with Worker(registry.variants()[variant], 1, "cpu", precision=precision) as worker:
        worker.start()
        programs.launch(worker, oracle.problem)
        return certify.prove(worker, oracle)


def skip_unless_quick(variant: str, model: str) -> None:
    entry = registry.variants()[variant]
    available = registry.availability(model, entry)
    if available.status != "available":
        pytest.skip(f"{available.status}: {available.reason}")
    if model in entry.variant.slow_models:
        pytest.skip("compiles for long; python -m harness check --precision bf16 --preset full does it")


@pytest.mark.parametrize(("variant", "model"), MIXED)
def test_mixed_precision_is_certified(variant: str, model: str, oracle_of: Any) -> None:
    skip_unless_quick(variant, model)
    proof = proof_of(variant, "bf16", oracle_of(model, "bf16", BOTH_PRECISIONS))
    assert proof.failed == []


@pytest.mark.parametrize(
    ("variant", "model"),
    [
        (name, model)
        for name, model in MIXED
        if model == "two_layer" or (model == "autoencoder" and registry.variants()[name].variant.headline)
    ],
)
def test_it_would_not_pass_for_float32(variant: str, model: str, oracle_of: Any) -> None:
    """A program that ignored the setting would pass."""
    skip_unless_quick(variant, model)
    failed = proof_of(variant, "bf16", oracle_of(model, "fp32", BOTH_PRECISIONS)).failed
    assert {certificate.precision for certificate in failed} == {"float32"}, "float64 stays float64"
    assert any(certificate.quantity.startswith("layer@0/") for certificate in failed)


def test_all_frameworks_have_all_precisions() -> None:
    for entry in registry.variants().values():
        expected = set() if entry.backend == "reference" else PRECISIONS.keys() - {"fp32"}
        assert set(entry.variant.precisions) == expected, entry.name
