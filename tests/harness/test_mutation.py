"""The checker, checked: faults planted in every installed framework are found where they were planted.

The whole list is `python -m harness mutants`; here the small nets are run whole, and the list is proven complete.
"""

import pytest

from harness import mutation, tables
from harness.mutation import Verdict
from harness.programs import load_model
from harness.workers import Worker
from impls import registry
from impls.faults import FAULTS

pytestmark = pytest.mark.usefixtures("cheap_xla")

VARIANTS = mutation.default_variants(registry.find_variants())
SMALL = ["two_layer", "autoencoder", "recurrent"]
PAIRS = {(name, model) for name, fault in FAULTS.items() for model in fault.found_at}


@pytest.mark.parametrize("entry", VARIANTS, ids=lambda entry: entry.name)
def test_every_fault_is_caught_where_it_was_planted(entry: registry.Entry) -> None:
    verdicts = list(mutation.run([entry], SMALL))
    assert {(v.fault, v.model) for v in verdicts} == {pair for pair in PAIRS if pair[1] in SMALL}
    assert [v for v in verdicts if v.outcome not in ("caught", "inexpressible")] == []
    assert sum(v.outcome == "caught" for v in verdicts) > 50


def test_there_are_more_than_45_mutants() -> None:
    assert len(PAIRS) >= 45


def test_a_healthy_program_is_not_refused() -> None:
    """What finds the faults finds none in the reference's own float32 and float64."""
    entry = registry.variants()["numpy"]
    with mutation.oracle("two_layer") as oracle, Worker(entry, 1, "cpu") as worker:
        oracle.prepare()
        worker.start()
        load_model(worker, oracle.problem)
        assert mutation.locate(worker, oracle, "float64") is None
        assert mutation.locate(worker, oracle, "float32") is None


@pytest.mark.parametrize("entry", VARIANTS, ids=lambda entry: entry.name)
def test_each_backend_answers_for_every_fault(entry: registry.Entry) -> None:
    with Worker(entry, 1, "cpu") as worker:
        worker.start()
        reasons = worker.call("faults")
    assert {pair for pair in PAIRS if pair not in reasons and (pair[0], "") not in reasons} == set()
    assert {pair for pair in reasons if pair[1]} <= PAIRS, "a fault that nobody asked for"
    assert all(len(reason) > 20 for reason in reasons.values() if reason)


def test_the_table_has_a_row_per_fault_and_model_and_a_column_per_variant() -> None:
    verdicts = [
        Verdict("ascent", "two_layer", "a", "caught", "state@1/w1", "state@1/w1", ""),
        Verdict("ascent", "two_layer", "b", "survived", "state@1/w1", None, ""),
        Verdict("nan_loss", "two_layer", "a", "inexpressible", "loss@0", None, "why"),
    ]
    assert tables.mutant_rows(verdicts) == (
        ["fault", "model", "must be found at", "a", "b"],
        [
            ["ascent", "two_layer", "state@1/w1", "caught", "survived"],
            ["nan_loss", "two_layer", "loss@0", "–", ""],
        ],
    )
