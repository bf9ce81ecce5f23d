"""The nets as data: sizes, tensors, loss, optimizer and arithmetic, from which every framework builds the same net.

Everything random that matters is drawn here with NumPy, from a seed, and rounded to float32, so that a float32 and a
float64 run start from the same bytes.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

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


@dataclass(frozen=True)
class OptimizerSpec:
    """One definition per optimizer; every framework must meet it.

    - `sgd`: p ← p − lr·g
    - `momentum`: v ← momentum·v + g; p ← p − lr·v (Sutskever's form with the rate outside; torch and optax)
    - `adam`: m ← β1·m + (1−β1)·g; v ← β2·v + (1−β2)·g²; p ← p − lr·m̂ / (√v̂ + eps), with m̂ = m/(1−β1ᵗ) and
      v̂ = v/(1−β2ᵗ): epsilon after the bias correction (Kingma & Ba 2015, algorithm 1; torch and optax)
    """

    name: Literal["sgd", "momentum", "adam"]
    learning_rate: float
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    @property
    def slots(self) -> tuple[str, ...]:
        """The optimizer's state per parameter, by canonical prefix."""
        return {"sgd": (), "momentum": ("velocity",), "adam": ("m", "v")}[self.name]


@dataclass(frozen=True)
class ModelSpec:
    """A net of one size.

    Attributes:
        inputs: shapes of a batch's entries, by name, in canonical layout (images NCHW).
        output_shape: of the prediction.
        params, statistics: what is trained, and what BatchNorm accumulates.
        sizes: the net's own numbers (`D_in`, `channels`, …), by the names that its papers use.
        flops: multiply-adds × 2 of the matrix products and convolutions of one pass, by phase.
        num_certified_steps: training steps that a certificate follows.
    """

    model: str
    size: str
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


def two_layer(size: str, batch_size: int | None = None) -> ModelSpec:
    """Y = max(x·w1, 0)·w2 without biases; the sizes of the lecture notes are N, D_in, H, D_out = 64, 1000, 100, 10."""
    N, D_in, H, D_out = {"tiny": (4, 10, 5, 3), "original": (64, 1000, 100, 10)}[size]
    N = batch_size or N
    products = N * (D_in * H + H * D_out)
    return ModelSpec(
        model="two_layer",
        size=size,
        batch_size=N,
        inputs={"x": (N, D_in), "y": (N, D_out)},
        output_shape=(N, D_out),
        params=(TensorSpec("w1", (D_in, H), "dense", 1.0), TensorSpec("w2", (H, D_out), "dense", 1.0)),
        statistics=(),
        sizes={"D_in": D_in, "H": H, "D_out": D_out},
        loss="sum_squared_error",
        optimizer=OptimizerSpec("sgd", learning_rate=1e-6),
        # backward: a product for each weight, and one for the hidden layer's gradient
        flops={"forward": 2 * products, "train_step": 2 * (2 * products + N * H * D_out)},
        num_certified_steps={"tiny": 10, "original": 500}[size],
    )


# ---------------------------------------------------------------- denoising autoencoder


def autoencoder(size: str, batch_size: int | None = None) -> ModelSpec:
    """Fully connected 784 → hidden → code → hidden → 784, ReLU between and a sigmoid at the end."""
    hidden, code, N = {"tiny": (12, 6, 4), "original": (256, 64, 128)}[size]
    N = batch_size or N
    pixels = 28 * 28
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
    products = N * sum(fan_in * fan_out for _, fan_in, fan_out in layers)
    return ModelSpec(
        model="autoencoder",
        size=size,
        batch_size=N,
        inputs={"x": (N, pixels), "y": (N, pixels)},
        output_shape=(N, pixels),
        params=tuple(params),
        statistics=(),
        sizes={"pixels": pixels, "hidden": hidden, "code": code},
        loss="mean_squared_error",
        optimizer=OptimizerSpec("adam", learning_rate=1e-3),
        # backward costs twice the forward pass, but for the gradient of the image, which nobody asks for
        flops={"forward": 2 * products, "train_step": 2 * (3 * products - N * pixels * hidden)},
        num_certified_steps={"tiny": 5, "original": 100}[size],
    )


# ---------------------------------------------------------------- U-Net

BATCH_NORM_EPS = 1e-5
BATCH_NORM_MOMENTUM = 0.1
"""running ← (1 − momentum)·running + momentum·batch, with the biased variance in both places (Keras, Flax)."""
DROPOUT_RATE = 0.5
NUM_LEVELS = 4


def unet(size: str, batch_size: int | None = None) -> ModelSpec:
    """U-Net (Ronneberger et al. 2015) with BatchNorm: valid 3×3 convolutions, four levels, 3 channels in, 1 out.

    No convolution before a BatchNorm has a bias, and no transposed one either: a constant per channel passes a valid
    convolution as a constant, which the next BatchNorm subtracts, so that its gradient would be exactly zero.
    """
    channels, pixels, N = {"tiny": (2, 188, 1), "small": (16, 252, 1), "original": (64, 572, 1)}[size]
    N = batch_size or N
    params: list[TensorSpec] = []
    statistics: list[TensorSpec] = []
    forward_products = 0
    first_conv_products = 0

    def conv(name: str, fan_in: int, fan_out: int, kernel: int, out_pixels: int) -> None:
        nonlocal forward_products, first_conv_products
        stddev = math.sqrt(2 / (fan_in * kernel**2))
        params.append(TensorSpec(f"{name}.w", (fan_out, fan_in, kernel, kernel), "conv", stddev))
        forward_products += N * out_pixels**2 * fan_in * fan_out * kernel**2
        first_conv_products = first_conv_products or forward_products

    def double_conv(name: str, fan_in: int, fan_out: int, pixels: int) -> int:
        for index, inputs in ((1, fan_in), (2, fan_out)):
            pixels -= 2
            conv(f"{name}.conv{index}", inputs, fan_out, 3, pixels)
            params.append(TensorSpec(f"{name}.bn{index}.scale", (fan_out,), "vector", mean=1.0))
            params.append(TensorSpec(f"{name}.bn{index}.offset", (fan_out,), "vector"))
            statistics.append(TensorSpec(f"{name}.bn{index}.mean", (fan_out,), "vector"))
            statistics.append(TensorSpec(f"{name}.bn{index}.var", (fan_out,), "vector", mean=1.0))
        return pixels

    image = pixels
    fan_in, width = 3, channels
    for level in range(1, NUM_LEVELS + 1):
        pixels = double_conv(f"down{level}", fan_in, width, pixels) // 2
        fan_in, width = width, 2 * width
    pixels = double_conv("bottleneck", fan_in, width, pixels)
    dropout_shape = (N, width, pixels, pixels)
    fan_in = width
    for level in range(NUM_LEVELS, 0, -1):
        pixels *= 2
        stddev = math.sqrt(1 / fan_in)  # with stride 2 each output pixel sees one kernel position
        params.append(TensorSpec(f"up{level}.up.w", (fan_in, fan_in, 2, 2), "conv_transpose", stddev))
        forward_products += N * pixels**2 * fan_in**2
        width = channels * 2 ** (level - 1)
        pixels = double_conv(f"up{level}", fan_in + width, width, pixels)
        fan_in = width
    conv("head", fan_in, 1, 1, pixels)
    params.append(TensorSpec("head.b", (1,), "vector"))
    return ModelSpec(
        model="unet",
        size=size,
        batch_size=N,
        inputs={"x": (N, 3, image, image), "y": (N, 1, pixels, pixels), "dropout": dropout_shape},
        output_shape=(N, 1, pixels, pixels),
        params=tuple(params),
        statistics=tuple(statistics),
        sizes={"channels": channels, "in_pixels": image, "out_pixels": pixels},
        loss="binary_cross_entropy_on_logits",
        optimizer=OptimizerSpec("momentum", learning_rate=0.01, momentum=0.9),
        flops={"forward": 2 * forward_products, "train_step": 2 * (3 * forward_products - first_conv_products)},
        num_certified_steps={"tiny": 3, "small": 10, "original": 1}[size],
    )


# ---------------------------------------------------------------- by name

_MAKERS: dict[str, tuple[Callable[..., ModelSpec], tuple[str, ...]]] = {
    "two_layer": (two_layer, ("tiny", "original")),
    "autoencoder": (autoencoder, ("tiny", "original")),
    "unet": (unet, ("tiny", "small", "original")),
}
MODELS = tuple(_MAKERS)


def get(model: str, size: str = "original", batch_size: int | None = None) -> ModelSpec:
    """Return the spec of `model` in `size`.

    Raises:
        ValueError: unknown model or size; the message lists those that exist.
    """
    if model not in _MAKERS:
        raise ValueError(f"unknown model {model!r}; choose from {', '.join(MODELS)}")
    maker, sizes = _MAKERS[model]
    if size not in sizes:
        raise ValueError(f"unknown size {size!r} of {model}; choose from {', '.join(sizes)}")
    return maker(size, batch_size)
