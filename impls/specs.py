"""The nets as data: sizes, tensors, loss, optimizer and arithmetic, from which every framework builds the same net.

Everything random that matters is drawn here with NumPy, from a seed, and rounded to float32, so that a float32 and a
float64 run start from the same bytes.
"""

import itertools
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


PHASES = ("forward", "train_step")
TRAINING_INPUTS = ("y", "dropout")
"""Entries of a batch that a prediction does not read."""
FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Product:
    """A matrix product or a convolution of the forward pass: an input and weights make an output.

    The gradients that training takes of it are products of the same three sizes: input and output's gradient make the
    weights' gradient, output's gradient and weights make the input's.

    Attributes:
        num_inputs, num_weights, num_outputs: scalars in the three arrays.
        num_multiply_adds: of this product, and of each of its gradients.
        has_input_grad: False for the batch's own, which nobody asks for.
    """

    num_inputs: int
    num_weights: int
    num_outputs: int
    num_multiply_adds: int
    has_input_grad: bool = True

    @property
    def num_scalars(self) -> int:
        """Scalars read and written by this product, and by each of its gradients."""
        return self.num_inputs + self.num_weights + self.num_outputs

    def count(self, phase: str) -> int:
        """Return how many products of this size a phase takes: one, and in training one for each gradient."""
        return 2 + self.has_input_grad if phase == "train_step" else 1


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
        inputs: shapes of a batch's entries, by name, in canonical layout (images NCHW, sequences N, T, features).
        output_shape: of the prediction.
        params, statistics: what is trained, and what BatchNorm accumulates.
        sizes: the net's own numbers (`D_in`, `channels`, …), by the names that its papers use.
        products: the matrix products and convolutions of the forward pass, in its order.
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
    products: tuple[Product, ...]
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

    @property
    def flops(self) -> dict[str, int]:
        """Arithmetic of one step, by phase: two operations per multiply-add of the products, nothing else."""
        return {
            phase: 2 * sum(product.count(phase) * product.num_multiply_adds for product in self.products)
            for phase in PHASES
        }

    @property
    def bytes(self) -> dict[str, int]:
        """Bytes that one float32 step moves between processor and memory, by phase.

        The traffic of each product on its own: it reads its two operands and writes its result, once, however the
        kernel cuts them up. In training the target and the dropout mask are read, too, and the optimizer reads
        parameter, gradient and slots, and writes parameter and slots. It is how an operator's arithmetic intensity is
        usually given (compulsory traffic: Williams, Waterman and Patterson 2009).

        Nothing is counted of element-wise operations (biases, activations, normalisation, pooling, loss), which a
        compiler can do while a product reads or writes: no framework moves less without keeping arrays in a cache from
        one product to the next. One that does has the cache's bandwidth for these bytes, not the memory's.
        """
        targets = sum(math.prod(shape) for name, shape in self.inputs.items() if name in TRAINING_INPUTS)
        updates = self.num_params * (3 + 2 * len(self.optimizer.slots))
        around = {"forward": 0, "train_step": targets + updates}
        return {
            phase: FLOAT32_BYTES
            * (around[phase] + sum(product.count(phase) * product.num_scalars for product in self.products))
            for phase in PHASES
        }

    def initial(self, seed: int, dtype: str = "float64") -> dict[str, np.ndarray]:
        """Draw parameters and statistics; float32 values in any `dtype`. A tensor's draw depends on its name alone."""
        arrays = {}
        for tensor in (*self.params, *self.statistics):
            rng = np.random.default_rng([seed, zlib.crc32(tensor.name.encode())])
            drawn = rng.normal(tensor.mean, tensor.stddev, tensor.shape)
            arrays[tensor.name] = drawn.astype(np.float32).astype(dtype)
        return arrays


def _dense(batch_size: int, fan_in: int, fan_out: int, has_input_grad: bool = True) -> Product:
    num_weights = fan_in * fan_out
    return Product(
        batch_size * fan_in, num_weights, batch_size * fan_out, batch_size * num_weights, has_input_grad=has_input_grad
    )


# ---------------------------------------------------------------- two-layer net


def two_layer(request: dict[str, Any], batch_size: int, D_in: int, H: int, D_out: int, **training: Any) -> ModelSpec:
    """Y = max(x·w1, 0)·w2 without biases; the sizes of the lecture notes are N, D_in, H, D_out = 64, 1000, 100, 10."""
    return ModelSpec(
        request=request,
        batch_size=batch_size,
        inputs={"x": (batch_size, D_in), "y": (batch_size, D_out)},
        output_shape=(batch_size, D_out),
        params=(TensorSpec("w1", (D_in, H), "dense", 1.0), TensorSpec("w2", (H, D_out), "dense", 1.0)),
        statistics=(),
        sizes={"D_in": D_in, "H": H, "D_out": D_out},
        loss="sum_squared_error",
        products=(_dense(batch_size, D_in, H, has_input_grad=False), _dense(batch_size, H, D_out)),
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
    products = [
        _dense(batch_size, fan_in, fan_out, has_input_grad=index > 0)
        for index, (_, fan_in, fan_out) in enumerate(layers)
    ]
    return ModelSpec(
        request=request,
        batch_size=batch_size,
        inputs={"x": (batch_size, pixels), "y": (batch_size, pixels)},
        output_shape=(batch_size, pixels),
        params=tuple(params),
        statistics=(),
        sizes={"pixels": pixels, "hidden": hidden, "code": code},
        loss="mean_squared_error",
        products=tuple(products),
        **training,
    )


# ---------------------------------------------------------------- recurrent net

NUM_DIGITS = 10


def recurrent(request: dict[str, Any], batch_size: int, T: int, D_in: int, H: int, **training: Any) -> ModelSpec:
    """Recurrent net (Elman 1990) that reads `length` of the T steps of each example, and then predicts, once.

    h_0 = 0, h_t = tanh(x_t·w_x + h_{t-1}·w_h + b_h), logits = h_length·w + b. `length` holds whole numbers from 1 to T,
    as floats, so that a batch has one dtype. What `x` holds after them is padding, and changes nothing.

    The products are counted as every program here takes them: over all T steps of all examples, padding included.
    """
    N, D_out = batch_size, NUM_DIGITS
    steps = [(_dense(N, D_in, H, has_input_grad=False), _dense(N, H, H, has_input_grad=t > 0)) for t in range(T)]
    return ModelSpec(
        request=request,
        batch_size=N,
        inputs={"x": (N, T, D_in), "length": (N,), "y": (N, D_out)},
        output_shape=(N, D_out),
        params=(
            TensorSpec("rnn.w_x", (D_in, H), "dense", math.sqrt(1 / D_in)),
            TensorSpec("rnn.w_h", (H, H), "dense", math.sqrt(1 / H)),
            TensorSpec("rnn.b_h", (H,), "vector"),
            TensorSpec("head.w", (H, D_out), "dense", math.sqrt(1 / H)),
            TensorSpec("head.b", (D_out,), "vector"),
        ),
        statistics=(),
        sizes={"T": T, "D_in": D_in, "H": H, "D_out": D_out},
        loss="binary_cross_entropy_on_logits",
        products=(*itertools.chain.from_iterable(steps), _dense(N, H, D_out)),
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
    products: list[Product] = []

    def conv(name: str, fan_in: int, fan_out: int, kernel: int, sides: tuple[int, ...]) -> None:
        stddev = math.sqrt(2 / (fan_in * kernel**2))
        params.append(TensorSpec(f"{name}.w", (fan_out, fan_in, kernel, kernel), "conv", stddev))
        in_pixels, out_pixels = math.prod(side + kernel - 1 for side in sides), math.prod(sides)
        num_weights = fan_in * fan_out * kernel**2
        products.append(
            Product(
                N * fan_in * in_pixels,
                num_weights,
                N * fan_out * out_pixels,
                N * out_pixels * num_weights,
                has_input_grad=bool(products),
            )
        )

    def double_conv(name: str, fan_in: int, fan_out: int, sides: tuple[int, ...]) -> tuple[int, ...]:
        for index, inputs in ((1, fan_in), (2, fan_out)):
            sides = tuple(side - 2 for side in sides)
            if min(sides) < 1:
                raise ValueError(f"an image of {height}×{width} is too small for this U-Net; its least side is 188")
            conv(f"{name}.conv{index}", inputs, fan_out, 3, sides)
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
        in_pixels, sides = math.prod(sides), tuple(2 * side for side in sides)
        out_pixels = math.prod(sides)
        stddev = math.sqrt(1 / fan_in)  # with stride 2 each output pixel sees one kernel position
        params.append(TensorSpec(f"up{level}.up.w", (fan_in, fan_in, 2, 2), "conv_transpose", stddev))
        # with stride 2 each output pixel is one product with the kernel's channels
        products.append(
            Product(N * fan_in * in_pixels, 4 * fan_in**2, N * fan_in * out_pixels, N * out_pixels * fan_in**2)
        )
        num_features = channels * 2 ** (level - 1)
        sides = double_conv(f"up{level}", fan_in + num_features, num_features, sides)
        fan_in = num_features
    conv("head", fan_in, 1, 1, sides)
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
        products=tuple(products),
        **training,
    )


# ---------------------------------------------------------------- by name

_MAKERS: dict[str, Callable[..., ModelSpec]] = {
    "two_layer": two_layer,
    "autoencoder": autoencoder,
    "recurrent": recurrent,
    "unet": unet,
}
MODELS = tuple(_MAKERS)

_SIZES: dict[str, dict[str, dict[str, int]]] = {
    "two_layer": {
        "tiny": {"batch_size": 4, "D_in": 10, "H": 5, "D_out": 3, "num_certified_steps": 10},
        "original": {"batch_size": 64, "D_in": 1000, "H": 100, "D_out": 10, "num_certified_steps": 500},
    },
    "autoencoder": {
        "tiny": {"batch_size": 4, "pixels": 784, "hidden": 12, "code": 6, "num_certified_steps": 10},
        "original": {"batch_size": 128, "pixels": 784, "hidden": 256, "code": 64, "num_certified_steps": 100},
    },
    "recurrent": {
        "tiny": {"batch_size": 4, "T": 5, "D_in": 3, "H": 6, "num_certified_steps": 10},
        "small": {"batch_size": 64, "T": 8, "D_in": 8, "H": 128, "num_certified_steps": 50},
        "original": {"batch_size": 64, "T": 28, "D_in": 28, "H": 128, "num_certified_steps": 20},
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
            "narrow": (8, 252, 10),
            "small": (16, 252, 10),
            "original": (64, 572, 1),
        }.items()
    },
}

_LEARNING_RATES: dict[str, dict[OptimizerName, float]] = {
    "two_layer": {"sgd": 1e-6},
    "autoencoder": {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 3e-4, "sgd": 1.0, "momentum": 0.1, "nesterov": 0.1},
    "recurrent": {"momentum": 0.1, "nesterov": 0.1, "sgd": 0.1, "adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3},
    "unet": {"momentum": 1e-2, "nesterov": 1e-2, "sgd": 1e-2, "adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3},
}
"""The optimizers that a net can be trained with; the first is its own. The two-layer net's step is written out."""


def sizes(model: str) -> tuple[str, ...]:
    """Return the names of a net's sizes."""
    return tuple(_SIZES[model])


def size_names(model: str) -> tuple[str, ...]:
    """Return what a net's sizes are called: `batch_size`, `D_in`, …."""
    return tuple(_SIZES[model]["original"])


WIDTHS = {"two_layer": "H", "autoencoder": "hidden", "recurrent": "H", "unet": "channels"}
"""Which size of a net is its width."""


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
