"""The certificate: what it compares, and that nothing wrong passes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from harness import certify
from harness import oracle as oracles
from harness.oracle import Oracle
from harness.problem import Problem
from impls import registry, specs

ENTRY = next(entry for entry in registry.variants().values() if entry.backend == "reference")


@pytest.fixture(scope="module", params=specs.MODELS)
def oracle(request: pytest.FixtureRequest) -> Iterator[Oracle]:
    with Oracle(Problem.of(request.param, "tiny", seed=0), num_steps=3, num_threads=1) as oracle:
        oracle.prepare()
        yield oracle


def certified(oracle: Oracle, precision: str, **changed: Any) -> dict[str, certify.Certificate]:
    """Certify the oracle's own values, with some quantities replaced by a function of themselves."""
    values = [(name, np.array(oracle[name]).astype(precision)) for name in oracle]
    quantities = ((name, changed.get(name, lambda value: value)(value)) for name, value in values)
    found = certify.certify(ENTRY.name, "cpu", oracle, precision, quantities).certificates
    return {certificate.quantity: certificate for certificate in found}


def summed_up(quantity: str) -> str:
    """The certificate that a quantity of three steps belongs to."""
    what, _, name = quantity.partition("/")
    if what.startswith("state@"):
        return f"state@1..3/{name}"
    return "loss@1..2" if what in ("loss@1", "loss@2") else quantity


def test_every_tensor_is_a_quantity(oracle: Oracle) -> None:
    spec = oracle.problem.spec
    params = {tensor.name for tensor in spec.params}
    state = {tensor.name for tensor in (*spec.params, *spec.statistics)}
    slots = {f"{slot}/{name}" for slot in spec.optimizer.slots for name in params}
    expected = {"forward@0", "forward@1", "forward@3", "loss@0", "loss@1", "loss@2"}
    expected |= {f"grad@0/{name}" for name in params} | {f"layer@0/{layer}" for layer in spec.layers}
    expected |= {f"state@{step}/{name}" for step in (1, 2, 3) for name in state | slots}
    assert set(oracle) == expected


def test_every_quantity_has_its_own_array(oracle: Oracle) -> None:
    """The first loss comes twice; the second time must not take another quantity's place."""
    spec = oracle.problem.spec
    shapes = {tensor.name: tensor.shape for tensor in (*spec.params, *spec.statistics)}
    for quantity in oracle:
        what, _, name = quantity.partition("/")
        if what.startswith("loss@"):
            assert oracle[quantity].shape == ()
        elif what.startswith(("grad@", "state@")):
            assert oracle[quantity].shape == shapes[name.rpartition("/")[2]], quantity


def test_a_trajectory_fails_at_the_first_step_that_differs(oracle: Oracle) -> None:
    name = oracle.problem.spec.params[-1].name
    wrong = {f"state@{step}/{name}": lambda value: value + 1 for step in (2, 3)}
    found = certified(oracle, "float64", **wrong)
    assert [certificate.quantity for certificate in found.values() if not certificate.passed] == [f"state@1..3/{name}"]
    assert found[f"state@1..3/{name}"].step == 2


def test_a_trajectory_is_drawn_as_shares_of_the_limit(oracle: Oracle) -> None:
    name = oracle.problem.spec.params[-1].name

    def values() -> Iterator[tuple[str, np.ndarray]]:
        for quantity in oracle:
            is_off = quantity in (f"state@2/{name}", "loss@2")
            yield quantity, np.array(oracle[quantity]) * (1 + 1e-11 * is_off)

    (found,) = certify.certify("numpy", "cpu", oracle, "float64", values()).trajectories
    assert found.steps == [1, 2, 3]
    assert found.state_error == [0.0, pytest.approx(1e-11, rel=1e-3), 0.0]
    assert found.state_share == [0.0, pytest.approx(0.1, rel=1e-3), 0.0]
    assert found.loss_error[:2] == [0.0, 0.0]  # the loss of step 3 is computed after 2 steps
    assert 0 < found.loss_error[2] <= 1.1e-11


def test_of_a_quantity_that_comes_twice_the_worse_counts(oracle: Oracle) -> None:
    values = [(name, np.array(oracle[name])) for name in oracle]
    twice = [("loss@0", np.array(oracle["loss@0"]) * 2), *values]
    found = certify.certify("numpy", "cpu", oracle, "float64", twice).certificates
    assert [c.quantity for c in found if not c.passed] == ["loss@0"]


def test_what_is_too_far_off_says_so(oracle: Oracle) -> None:
    name = f"grad@0/{oracle.problem.spec.params[0].name}"
    found = certified(oracle, "float64", **{name: lambda value: value + 1e200})
    assert "too far off" in (found[name].detail or "")


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_right_values_pass(oracle: Oracle, precision: str) -> None:
    found = certified(oracle, precision)
    assert found.keys() == {summed_up(quantity) for quantity in oracle}
    assert all(certificate.passed for certificate in found.values())


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda value: value * (1 + 1e-9), "worst element"),
        (lambda value: value * np.nan, "NaN or infinite"),
        (lambda value: value / 0.0, "NaN or infinite"),
        (lambda value: value[..., None], "shape"),
        (lambda value: value.astype("float32"), "dtype float32, expected float64"),
        (lambda value: np.zeros_like(value), "worst element"),
        (lambda value: value[:0], "shape"),
    ],
    ids=["one in a thousand million", "NaN", "infinity", "shape", "dtype", "zeros", "empty"],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_nothing_wrong_passes(oracle: Oracle, change: Any, detail: str) -> None:
    name = f"grad@0/{oracle.problem.spec.params[0].name}"
    found = certified(oracle, "float64", **{name: change})
    assert not found[name].passed
    assert detail in (found[name].detail or "")
    assert [other.quantity for other in found.values() if not other.passed] == [name]


def test_a_quantity_left_out_fails(oracle: Oracle) -> None:
    found = {c.quantity: c for c in certify.certify(ENTRY.name, "cpu", oracle, "float64", []).certificates}
    assert found.keys() == {summed_up(quantity) for quantity in oracle}
    assert {c.detail for c in found.values()} == {"was not computed"}
    assert not any(c.passed for c in found.values())


def test_an_unknown_quantity_fails(oracle: Oracle) -> None:
    found = certify.certify(ENTRY.name, "cpu", oracle, "float64", [("grad@0/nothing", np.zeros(1))]).certificates
    assert next(c for c in found if c.quantity == "grad@0/nothing").detail == "the oracle has no such quantity"


def test_float32_limits_follow_the_references_own_error(oracle: Oracle) -> None:
    for name in oracle:
        own = oracle.float32_error[name]
        assert np.finfo(np.float32).eps <= own < 0.5, f"{name}: the reference itself is off by {own}"
        assert oracle.limit(name, "float32") == oracles.FLOAT32_FACTOR * own


def test_the_worst_element_is_named() -> None:
    reference = np.ones((2, 3))
    measured = reference.copy()
    measured[1, 2] = 4.0
    assert oracles.relative_error(measured, reference) == (pytest.approx(3 / np.sqrt(6)), None)
    assert oracles.worst_element(measured, reference) == "worst element [1, 2] of (2, 3): 4.0, expected 1.0"


def test_zeros_are_matched_by_zeros_only() -> None:
    assert oracles.relative_error(np.zeros(3), np.zeros(3))[0] == 0
    assert oracles.relative_error(np.full(3, 1e-30), np.zeros(3))[0] is None


def test_losses_are_compared_on_the_scale_of_the_first() -> None:
    """A loss that has sunk to 1e-9 of its start differs by 10 % of itself between two roundings."""
    assert oracles.relative_error(np.array([1.0, 1.1e-9]), np.array([1.0, 1e-9]), scale=1.0)[0] == pytest.approx(1e-10)


def test_a_failed_certificate_reads_as_a_sentence(oracle: Oracle) -> None:
    from harness.run import describe_failures

    found = certified(oracle, "float64", **{"loss@0": lambda value: value * 2, "forward@0": lambda value: value * 2})
    text = describe_failures([c for c in found.values() if not c.passed])
    assert text.startswith("forward@0 in float64: error 1.0e+00, limit 1.0e-13 (worst element [")
    assert text.endswith("and 1 more")
