"""The nets as data: sizes, tensors, loss, optimizer and arithmetic, from which every framework builds the same net.

Everything random that matters is drawn here with NumPy, from a seed, and rounded to float32, so that a float32 and a
float64 run start from the same bytes.
"""

import math
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np

Kind = Literal["dense", "conv", "conv_transpose", "vector"]


@dataclass(frozen=True)
class TensorSpec:
    """One parameter or statistic, in canonical layout.

    Attributes:
        name: `layer.tensor`, the same in every framework.
        shape: dense (in, out); conv (out, in, h, w); conv_transpose (in, out, h, w); vector (n,).
        kind: tells a backend how to convert the layout.
        stddev: of the initial normal distribution; 0 means the constant `mean`.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind
    stddev: float = 0.0
    mean: float = 0.0


OptimizerName = Literal["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"]


@dataclass(frozen=True)
class OptimizerSpec:
    """One definition per optimizer; every framework must meet it. p is a parameter, g its gradient, t counts from 1.

    - `sgd`: p ← p − lr·g
    - `momentum`: v ← momentum·v + g; p ← p − lr·v (Sutskever et al. 2013, with the rate outside the velocity)
    - `nesterov`: v ← momentum·v + g; p ← p − lr·(g + momentum·v)
    - `adam`: m ← β1·m + (1−β1)·g; v ← β2·v + (1−β2)·g²; p ← p − lr·m̂ / (√v̂ + eps), with m̂ = m/(1−β1ᵗ) and
      v̂ = v/(1−β2ᵗ): epsilon after the bias correction (Kingma & Ba 2015, algorithm 1)
    - `adamw`: p ← p − lr·weight_decay·p, then `adam` (decoupled weight decay, Loshchilov & Hutter 2019)
    - `rmsprop`: s ← rho·s + (1−rho)·g²; p ← p − lr·g / √(s + eps): epsilon within the root, s starts at zero
      (Tieleman & Hinton 2012, who have no epsilon)
    """

    name: OptimizerName
    learning_rate: float
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    rho: float = 0.9
    eps: float = 1e-8
    weight_decay: float = 0.01

    @property
    def slots(self) -> tuple[str, ...]:
        """The optimizer's state per parameter, by canonical prefix."""
        return _SLOTS[self.name]


_SLOTS: dict[OptimizerName, tuple[str, ...]] = {
    "sgd": (),
    "momentum": ("velocity",),
    "nesterov": ("velocity",),
    "adam": ("m", "v"),
    "adamw": ("m", "v"),
    "rmsprop": ("s",),
}
OPTIMIZERS = tuple(_SLOTS)


@dataclass(frozen=True)
class ModelSpec:
    """A net of one size.

    Attributes:
        request: the arguments of `get` that make this spec again; plain values, so that a worker can be sent them.
        inputs: shapes of a batch's entries, by name, in canonical layout (images NCHW).
        output_shape: of the prediction.
        params, statistics: what is trained, and what BatchNorm accumulates.
        sizes: the net's own numbers (`D_in`, `channels`, …), by the names that its papers use.
        flops: multiply-adds × 2 of the matrix products and convolutions of one pass, by phase.
        num_certified_steps: training steps that a certificate follows.
    """

    request: dict[str, Any]
    batch_size: int
    inputs: dict[str, tuple[int, ...]]
    output_shape: tuple[int, ...]
    params: tuple[TensorSpec, ...]
    statistics: tuple[TensorSpec, ...]
    sizes: dict[str, int]
    loss: Literal["sum_squared_error", "mean_squared_error", "binary_cross_entropy_on_logits"]
    optimizer: OptimizerSpec
    flops: dict[str, int]
    num_certified_steps: int

    @property
    def model(self) -> str:
        """The net's name."""
        return self.request["model"]

    @property
    def size(self) -> str:
        """The size's name, with what was changed of it: "tiny", "tiny, D_in=3"."""
        changes = [f"{name}={value}" for name, value in self.request.items() if name not in ("model", "size")]
        return ", ".join([self.request["size"], *changes])

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that have parameters, in forward order: w1 and w2; down1.conv1, down1.bn1 and so on."""
        return tuple(dict.fromkeys(tensor.name.rpartition(".")[0] or tensor.name for tensor in self.params))

    def kind(self, name: str) -> Kind:
        """Return the kind of a parameter, statistic or slot ("velocity/NAME" has the kind of NAME)."""
        return self._kinds[name.rpartition("/")[2]]

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        return {tensor.name: tensor.kind for tensor in (*self.params, *self.statistics)}

    @property
    def num_params(self) -> int:
        """Trained scalars."""
        return sum(math.prod(tensor.shape) for tensor in self.params)

    def initial(self, seed: int, dtype: str = "float64") -> dict[str, np.ndarray]:
        """Draw parameters and statistics; float32 values in any `dtype`. A tensor's draw depends on its name alone."""
        arrays = {}
        for tensor in (*self.params, *self.statistics):
            rng = np.random.default_rng([seed, zlib.crc32(tensor.name.encode())])
            drawn = rng.normal(tensor.mean, tensor.stddev, tensor.shape)
            arrays[tensor.name] = drawn.astype(np.float32).astype(dtype)
        return arrays


# ---------------------------------------------------------------- two-layer net


def two_layer(request: dict[str, Any], batch_size: int, D_in: int, H: int, D_out: int, **training: Any) -> ModelSpec:
    """Y = max(x·w1, 0)·w2 without biases; the sizes of the lecture notes are N, D_in, H, D_out = 64, 1000, 100, 10."""
    products = batch_size * (D_in * H + H * D_out)
    return ModelSpec(
        request=request,
        batch_size=batch_size,
        inputs={"x": (batch_size, D_in), "y": (batch_size, D_out)},
        output_shape=(batch_size, D_out),
        params=(TensorSpec("w1", (D_in, H), "dense", 1.0), TensorSpec("w2", (H, D_out), "dense", 1.0)),
        statistics=(),
        sizes={"D_in": D_in, "H": H, "D_out": D_out},
        loss="sum_squared_error",
        # backward: a product for each weight, and one for the hidden layer's gradient
        flops={"forward": 2 * products, "train_step": 2 * (2 * products + batch_size * H * D_out)},
        **training,
    )


# ---------------------------------------------------------------- denoising autoencoder


def autoencoder(
    request: dict[str, Any], batch_size: int, pixels: int, hidden: int, code: int, **training: Any
) -> ModelSpec:
    """Fully connected pixels → hidden → code → hidden → pixels, ReLU between and a sigmoid at the end."""
    layers = (
        ("encoder1", pixels, hidden),
        ("encoder2", hidden, code),
        ("decoder1", code, hidden),
        ("decoder2", hidden, pixels),
    )
    params = []
    for layer, fan_in, fan_out in layers:
        params.append(TensorSpec(f"{layer}.w", (fan_in, fan_out), "dense", math.sqrt(2 / fan_in)))
        params.append(TensorSpec(f"{layer}.b", (fan_out,), "vector"))
    products = batch_size * sum(fan_in * fan_out for _, fan_in, fan_out in layers)
    return ModelSpec(
        request=request,
        batch_size=batch_size,
        inputs={"x": (batch_size, pixels), "y": (batch_size, pixels)},
        output_shape=(batch_size, pixels),
        params=tuple(params),
        statistics=(),
        sizes={"pixels": pixels, "hidden": hidden, "code": code},
        loss="mean_squared_error",
        # backward costs twice the forward pass, but for the gradient of the image, which nobody asks for
        flops={"forward": 2 * products, "train_step": 2 * (3 * products - batch_size * pixels * hidden)},
        **training,
    )


# ---------------------------------------------------------------- U-Net

BATCH_NORM_EPS = 1e-5
BATCH_NORM_MOMENTUM = 0.1
"""running ← (1 − momentum)·running + momentum·batch, with the biased variance in both places (Keras, Flax)."""
DROPOUT_RATE = 0.5
NUM_LEVELS = 4


def unet(
    request: dict[str, Any],
    batch_size: int,
    in_channels: int,
    channels: int,
    height: int,
    width: int,
    **training: Any,
) -> ModelSpec:
    """U-Net (Ronneberger et al. 2015) with BatchNorm: valid 3×3 convolutions, four levels, 1 channel out.

    No convolution before a BatchNorm has a bias, and no transposed one either: a constant per channel passes a valid
    convolution as a constant, which the next BatchNorm subtracts, so that its gradient would be exactly zero.

    Raises:
        ValueError: nothing would be left of an image of this size; a side needs 188 pixels or more.
    """
    N = batch_size
    params: list[TensorSpec] = []
    statistics: list[TensorSpec] = []
    forward_products = 0
    first_conv_products = 0

    def conv(name: str, fan_in: int, fan_out: int, kernel: int, out_pixels: int) -> None:
        nonlocal forward_products, first_conv_products
        stddev = math.sqrt(2 / (fan_in * kernel**2))
        params.append(TensorSpec(f"{name}.w", (fan_out, fan_in, kernel, kernel), "conv", stddev))
        forward_products += N * out_pixels * fan_in * fan_out * kernel**2
        first_conv_products = first_conv_products or forward_products

    def double_conv(name: str, fan_in: int, fan_out: int, sides: tuple[int, ...]) -> tuple[int, ...]:
        for index, inputs in ((1, fan_in), (2, fan_out)):
            sides = tuple(side - 2 for side in sides)
            if min(sides) < 1:
                raise ValueError(f"an image of {height}×{width} is too small for this U-Net; its least side is 188")
            conv(f"{name}.conv{index}", inputs, fan_out, 3, math.prod(sides))
            params.append(TensorSpec(f"{name}.bn{index}.scale", (fan_out,), "vector", mean=1.0))
            params.append(TensorSpec(f"{name}.bn{index}.offset", (fan_out,), "vector"))
            statistics.append(TensorSpec(f"{name}.bn{index}.mean", (fan_out,), "vector"))
            statistics.append(TensorSpec(f"{name}.bn{index}.var", (fan_out,), "vector", mean=1.0))
        return sides

    sides: tuple[int, ...] = (height, width)
    fan_in, num_features = in_channels, channels
    for level in range(1, NUM_LEVELS + 1):
        sides = tuple(side // 2 for side in double_conv(f"down{level}", fan_in, num_features, sides))
        fan_in, num_features = num_features, 2 * num_features
    sides = double_conv("bottleneck", fan_in, num_features, sides)
    dropout_shape = (N, num_features, *sides)
    fan_in = num_features
    for level in range(NUM_LEVELS, 0, -1):
        sides = tuple(2 * side for side in sides)
        stddev = math.sqrt(1 / fan_in)  # with stride 2 each output pixel sees one kernel position
        params.append(TensorSpec(f"up{level}.up.w", (fan_in, fan_in, 2, 2), "conv_transpose", stddev))
        forward_products += N * math.prod(sides) * fan_in**2
        num_features = channels * 2 ** (level - 1)
        sides = double_conv(f"up{level}", fan_in + num_features, num_features, sides)
        fan_in = num_features
    conv("head", fan_in, 1, 1, math.prod(sides))
    params.append(TensorSpec("head.b", (1,), "vector"))
    return ModelSpec(
        request=request,
        batch_size=N,
        inputs={"x": (N, in_channels, height, width), "y": (N, 1, *sides), "dropout": dropout_shape},
        output_shape=(N, 1, *sides),
        params=tuple(params),
        statistics=tuple(statistics),
        sizes={"in_channels": in_channels, "channels": channels},
        loss="binary_cross_entropy_on_logits",
        flops={"forward": 2 * forward_products, "train_step": 2 * (3 * forward_products - first_conv_products)},
        **training,
    )


# ---------------------------------------------------------------- by name

_MAKERS: dict[str, Callable[..., ModelSpec]] = {"two_layer": two_layer, "autoencoder": autoencoder, "unet": unet}
MODELS = tuple(_MAKERS)

_SIZES: dict[str, dict[str, dict[str, int]]] = {
    "two_layer": {
        "tiny": {"batch_size": 4, "D_in": 10, "H": 5, "D_out": 3, "num_certified_steps": 10},
        "original": {"batch_size": 64, "D_in": 1000, "H": 100, "D_out": 10, "num_certified_steps": 500},
    },
    "autoencoder": {
        "tiny": {"batch_size": 4, "pixels": 784, "hidden": 12, "code": 6, "num_certified_steps": 5},
        "original": {"batch_size": 128, "pixels": 784, "hidden": 256, "code": 64, "num_certified_steps": 100},
    },
    "unet": {
        size: {
            "batch_size": 1,
            "in_channels": 3,
            "channels": channels,
            "height": pixels,
            "width": pixels,
            "num_certified_steps": num_certified_steps,
        }
        for size, (channels, pixels, num_certified_steps) in {
            "tiny": (2, 188, 3),
            "small": (16, 252, 10),
            "original": (64, 572, 1),
        }.items()
    },
}

_LEARNING_RATES: dict[str, dict[OptimizerName, float]] = {
    "two_layer": {"sgd": 1e-6},
    "autoencoder": {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 3e-4, "sgd": 1.0, "momentum": 0.1, "nesterov": 0.1},
    "unet": {"momentum": 1e-2, "nesterov": 1e-2, "sgd": 1e-2, "adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3},
}
"""The optimizers that a net can be trained with; the first is its own. The two-layer net's step is written out."""


def sizes(model: str) -> tuple[str, ...]:
    """Return the names of a net's sizes."""
    return tuple(_SIZES[model])


def optimizers(model: str) -> tuple[OptimizerName, ...]:
    """Return the names of the optimizers that a net can be trained with, its own first."""
    return tuple(_LEARNING_RATES[model])


def get(
    model: str,
    size: str = "original",
    *,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    **changes: Any,
) -> ModelSpec:
    """Return the spec of `model` in `size`.

    Args:
        model: one of `MODELS`.
        size: a name for a set of sizes.
        optimizer: instead of the net's own.
        learning_rate: instead of the optimizer's usual one for this net.
        changes: sizes that differ from the named ones: `batch_size`, `D_in`, `channels`, ….

    Raises:
        ValueError: unknown model, size, optimizer or change; the message lists those that exist.
    """
    _choose("model", model, MODELS)
    _choose(f"size of {model}", size, _SIZES[model])
    rates = _LEARNING_RATES[model]
    name = cast(OptimizerName, _choose(f"optimizer of {model}", optimizer or next(iter(rates)), rates))
    numbers = dict(_SIZES[model][size])
    for change in changes:
        _choose(f"size of {model}", change, numbers)
    training = {"optimizer": optimizer, "learning_rate": learning_rate}
    request = {"model": model, "size": size} | {key: value for key, value in training.items() if value is not None}
    rate = rates[name] if learning_rate is None else learning_rate
    return _MAKERS[model](request=request | changes, optimizer=OptimizerSpec(name, rate), **{**numbers, **changes})


def _choose(what: str, name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; choose from {', '.join(names)}")
    return name
