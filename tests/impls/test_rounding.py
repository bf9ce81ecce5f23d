"""The imitation of lower precisions: the bits are right, and no product of a net escapes it."""

import importlib
from typing import Any

import numpy as np
import pytest

from harness.problem import Problem
from impls import specs
from impls.contract import Variant
from impls.reference import BACKEND, rounding, runtime

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 3.3895e38, -3.3895e38, 1.1754944e-38], np.float32)


def some_floats(size: int) -> np.ndarray:
    bits = np.random.default_rng(0).integers(0, 2**32, size, dtype=np.uint32)
    return np.concatenate((SPECIAL, bits.view(np.float32)))


def test_bf16_is_rounded_as_by_those_who_have_the_type() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = some_floats(100_000)
    x = x[np.abs(x) < 3.38e38]  # beyond, the type rounds up to infinity
    np.testing.assert_array_equal(rounding.rounded(x, "bf16"), x.astype(bfloat16).astype(np.float32))


def test_tf32_has_the_ten_bits_of_float16() -> None:
    x = some_floats(100_000)
    x = x[(np.abs(x) >= 2.0**-14) & (np.abs(x) < 65_000)]  # where float16 has all of them
    assert len(x) > 10_000
    np.testing.assert_array_equal(rounding.rounded(x, "tf32"), x.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("precision", rounding.MANTISSA_BITS)
def test_rounding_twice_changes_nothing(precision: str) -> None:
    once = rounding.rounded(some_floats(1_000), precision)
    np.testing.assert_array_equal(rounding.rounded(once, precision), once)


def program(model: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, dict[str, np.ndarray]]:
    """Return a tiny net's program as a worker would have it, and its first batch."""
    monkeypatch.setattr(runtime, "_precision", precision)
    problem = Problem.of(model, "tiny", seed=0)
    variant: Variant = BACKEND.variants[0]
    implementation = importlib.import_module(f"impls.reference.{model}")
    made = runtime.Program(implementation, problem.spec, problem.params, variant)
    return made, made.prepare(problem.batches[0])


@pytest.mark.parametrize("model", specs.MODELS)
def test_every_product_of_a_net_is_rounded(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If rounding gives zeros, then no weight has a gradient: a product that were not rounded would leave one."""
    monkeypatch.setattr(rounding, "rounded", lambda x, precision: np.zeros_like(x))  # noqa: ARG005
    net, batch = program(model, "tf32", monkeypatch)
    _, grads = net.gradients(batch)
    spec = Problem.of(model, "tiny", seed=0).spec
    weights = [tensor.name for tensor in spec.params if len(tensor.shape) > 1]
    assert weights
    for name in weights:
        assert not grads[name].any(), name
    outputs = net.layers(batch)
    for layer in (name for name in outputs if f"{name}.b" not in grads and f"{name}.scale" not in grads):
        if layer != "rnn":  # its bias is called otherwise
            assert not outputs[layer].any(), layer


@pytest.mark.parametrize("model", specs.MODELS)
def test_the_error_is_that_of_so_many_bits(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exact, batch = program(model, "fp32", monkeypatch)
    expected = exact.forward(batch)
    errors = {}
    for precision, bits in rounding.MANTISSA_BITS.items():
        net, batch = program(model, precision, monkeypatch)
        found = np.asarray(net.forward(batch))
        errors[precision] = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        assert 2.0 ** -(bits + 8) < errors[precision] < 2.0 ** -(bits - 4)
    assert errors["tf32"] < errors["bf16"]


def test_float64_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_precision", "bf16")
    problem = Problem.of("autoencoder", "tiny", seed=0)
    params = {name: array.astype(np.float64) for name, array in problem.params.items()}
    implementation = importlib.import_module("impls.reference.autoencoder")
    net = runtime.Program(implementation, problem.spec, params, BACKEND.variants[0])
    assert not isinstance(net.forward(net.prepare(problem.batches[0])), rounding.LowPrecision)
