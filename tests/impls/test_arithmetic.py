"""The specs' counts against those of two frameworks: FLOP exactly, but for element-wise work; bytes from below."""

import functools
import importlib
import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from impls import registry, specs
from impls.specs import ModelSpec

ALL_SIZES = [(model, size) for model in specs.MODELS for size in specs.sizes(model)]
MAX_ELEMENTWISE = 25
"""XLA's other operations per trained scalar and per product's output: Adam takes about 12, BatchNorm about 20."""

MAX_BYTES = {
    ("two_layer", "tiny"): 1.5,
    ("two_layer", "original"): 1.2,
    ("autoencoder", "original"): 2,
    ("unet", "tiny"): 8,
}
"""What XLA's compiled programs move, at most, in units of the spec's count.

The rest are passes over arrays that are not fused into a product: ReLU and bias, the optimizer's, and most of all those
of BatchNorm, which goes over each output several times. In a U-Net of 2 channels a convolution itself moves little more
than one such pass. The recurrent net is left out: XLA counts the body of its loop once.
"""


def backend_of(library: str) -> tuple[ModuleType, registry.Entry]:
    """Return the library, and the first variant of the backend that is written in it."""
    module = pytest.importorskip(library)
    for entry in registry.variants().values():
        if entry.variant.requires[0] == library and not registry.missing_modules(entry):
            return module, entry
    pytest.skip(f"no backend is written in {library}")


def zeros(spec: ModelSpec) -> dict[str, np.ndarray]:
    return {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in (*spec.params, *spec.statistics)}


@pytest.mark.parametrize(("model", "size"), ALL_SIZES)
def test_flops_are_exactly_those_that_torch_counts(model: str, size: str) -> None:
    """FlopCounterMode counts products and convolutions, as the spec does; on the meta device, nothing is computed."""
    torch, entry = backend_of("torch")
    from torch.utils.flop_counter import FlopCounterMode

    spec = specs.get(model, size)
    implementation: Any = importlib.import_module(f"impls.{entry.backend}.{model}")
    net = implementation.build(spec, zeros(spec)).to("meta")
    batch = {name: torch.zeros(shape, device="meta") for name, shape in spec.inputs.items()}
    counted = {}
    for phase, function in {"forward": implementation.forward, "train_step": implementation.gradients}.items():
        with FlopCounterMode(display=False) as counter:
            function(net, batch)
        counted[phase] = counter.get_total_flops()
    assert counted == spec.flops


@functools.cache
def lower(model: str, size: str, phase: str) -> Any:
    """Lower one phase of a net of zeros for XLA, which can then count or compile it."""
    jax, entry = backend_of("jax")
    runtime: Any = importlib.import_module(f"impls.{entry.backend}.runtime")
    implementation: Any = importlib.import_module(f"impls.{entry.backend}.{model}")
    spec = specs.get(model, size)
    program = runtime.Program(implementation, spec, zeros(spec), entry.variant)
    batch = program.prepare({name: np.zeros(shape, np.float32) for name, shape in spec.inputs.items()})
    return jax.jit(getattr(implementation, phase)).lower(implementation.build(spec, zeros(spec)), batch)


@pytest.mark.parametrize("phase", specs.PHASES)
@pytest.mark.parametrize(("model", "size"), MAX_BYTES)
def test_flops_are_those_of_xla_but_for_element_wise_operations(model: str, size: str, phase: str) -> None:
    spec = specs.get(model, size)
    excess = lower(model, size, phase).cost_analysis()["flops"] - spec.flops[phase]
    assert 0 < excess <= MAX_ELEMENTWISE * (spec.num_params + sum(product.num_outputs for product in spec.products))


@pytest.mark.parametrize("phase", specs.PHASES)
@pytest.mark.parametrize(
    ("model", "size"),
    [pytest.param(*one, marks=[pytest.mark.slow] if one[0] == "unet" else []) for one in MAX_BYTES],
)
def test_bytes_are_the_least_that_xla_compiles_to(model: str, size: str, phase: str) -> None:
    spec = specs.get(model, size)
    moved = lower(model, size, phase).compile().cost_analysis()["bytes accessed"]
    assert spec.bytes[phase] < moved <= MAX_BYTES[model, size] * spec.bytes[phase]


@pytest.mark.parametrize("size", specs.sizes("two_layer"))
def test_the_difference_is_exactly_one_relu_where_that_is_all_there_is(size: str) -> None:
    spec = specs.get("two_layer", size)
    compiled = lower("two_layer", size, "forward").compile().cost_analysis()
    hidden = spec.batch_size * spec.sizes["H"]
    assert compiled["flops"] == spec.flops["forward"] + hidden
    assert compiled["bytes accessed"] == spec.bytes["forward"] + 2 * 4 * hidden


def test_bytes_by_hand() -> None:
    """N, D_in, H, D_out = 4, 10, 5, 3: x (40), w1 (50), h (20), w2 (15), y (12)."""
    spec = specs.get("two_layer", "tiny")
    x, w1, h, w2, y = 40, 50, 20, 15, 12
    forward = (x + w1 + h) + (h + w2 + y)
    gradients = (x + h + w1) + (h + y + w2) + (y + w2 + h)
    sgd = 3 * (w1 + w2)
    assert spec.bytes == {"forward": 4 * forward, "train_step": 4 * (forward + gradients + y + sgd)}


@pytest.mark.parametrize(("optimizer", "accesses"), [("sgd", 3), ("momentum", 5), ("adam", 7)])
def test_an_optimizer_reads_and_writes_its_slots(optimizer: str, accesses: int) -> None:
    spec, plain = (specs.get("autoencoder", "tiny", optimizer=name) for name in (optimizer, "sgd"))
    assert spec.bytes["train_step"] - plain.bytes["train_step"] == 4 * spec.num_params * (accesses - 3)
    assert spec.bytes["forward"] == plain.bytes["forward"]


@pytest.mark.parametrize("model", specs.MODELS)
def test_every_weight_belongs_to_a_product(model: str) -> None:
    """Once, or in each of T steps; the first weights (of each step) meet the batch."""
    spec = specs.get(model, "tiny")
    num_steps = spec.sizes.get("T", 1)
    (*repeated, last) = [math.prod(tensor.shape) for tensor in spec.params if tensor.kind != "vector"]
    assert [product.num_weights for product in spec.products] == [*repeated * num_steps, last]
    first = spec.products[: -1 : len(repeated)]
    assert sum(product.num_inputs for product in first[:num_steps]) == math.prod(spec.inputs["x"])
    assert spec.products[-1].num_outputs == math.prod(spec.output_shape)
