"""What Keras takes for granted; see `impls.conventions`.

Left out are TF32 and the precision of float32 products, which are its backend's, and a rate of dropout, which it has no
default for. `float64.stays` depends on the backend.
"""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, losses, ops, optimizers

TINY = 1e-8
"""A gradient as large as the epsilon that is given to Adam and RMSprop: where it is added decides on the step."""


def read() -> dict[str, bool | int | float | str]:
    """Answer from the installed version: defaults from signatures, behaviours as a small example shows."""
    return {**_layers(), **_convolutions(), **_losses(), **_optimizers()}


def _default(function: Callable[..., Any], name: str) -> Any:
    return inspect.signature(function).parameters[name].default


def _layers() -> dict[str, Any]:
    norm = layers.BatchNormalization()
    norm(np.array([[1.0], [3.0]]), training=True)  # mean 2, variance 1, corrected 2; the running ones were 0 and 1
    dense = layers.Dense(3, kernel_initializer="zeros")
    dense.build((None, 2))
    return {
        "batch_norm.eps": _default(layers.BatchNormalization, "epsilon"),
        "batch_norm.momentum": _default(layers.BatchNormalization, "momentum"),
        "batch_norm.momentum_weighs": "old" if _numpy(norm.moving_mean) < 1 else "new",
        "batch_norm.running_variance": "corrected" if _numpy(norm.moving_variance) > 1.005 else "biased",
        "layer_norm.eps": _default(layers.LayerNormalization, "epsilon"),
        "gelu.approximate": _default(keras.activations.gelu, "approximate"),
        "leaky_relu.slope": _default(layers.LeakyReLU, "negative_slope"),
        "dense.weight_shape": {(2, 3): "(in, out)", (3, 2): "(out, in)"}[dense.kernel.shape],
        "float64.stays": keras.backend.standardize_dtype(ops.convert_to_tensor(np.zeros(1)).dtype) == "float64",
    }


def _convolutions() -> dict[str, Any]:
    layout = {"channels_first": "NCHW", "channels_last": "NHWC"}[keras.config.image_data_format()]
    conv = layers.Conv2D(3, (4, 5), kernel_initializer="zeros")
    conv.build([{"N": None, "C": 2, "H": 9, "W": 9}[axis] for axis in layout])
    # All ones: the sum over a window is what it holds of the row of four pixels, the rest is padding.
    same = layers.Conv2D(1, (1, 3), strides=2, padding="same", kernel_initializer="ones")
    first, last = _numpy(same(np.ones([4 if axis == "W" else 1 for axis in layout]))).ravel()
    # One pixel leaves a picture of the kernel: as it is in the convolution's gradient, or mirrored.
    transposed = layers.Conv2DTranspose(1, (1, 2))
    transposed.build((None, 1, 1, 1))
    transposed.kernel.assign(np.reshape([1.0, 2.0], transposed.kernel.shape))
    return {
        "conv.kernel_shape": "".join({2: "I", 3: "O", 4: "H", 5: "W"}[size] for size in conv.kernel.shape),
        "conv.padding": _default(layers.Conv2D, "padding").upper(),
        "conv.same_with_stride_2": f"{3 - first:.0f} and {3 - last:.0f}",
        "conv_transpose.is_gradient": bool(np.array_equal(_numpy(transposed(np.ones((1, 1, 1, 1)))).ravel(), [1, 2])),
        "image.layout": layout,
    }


def _losses() -> dict[str, Any]:
    error = float(_numpy(losses.MeanSquaredError()(np.zeros((2, 2)), np.ones((2, 2)))))
    from_probability = np.isclose(
        _numpy(losses.BinaryCrossentropy()(np.ones(1), np.full(1, 0.5))), np.log(2), atol=1e-3
    )
    return {
        "mean_squared_error.reduction": {1: "mean", 4: "sum"}[round(error)],
        "binary_cross_entropy.takes": "probabilities" if from_probability else "logits",
    }


def _optimizers() -> dict[str, Any]:
    # Adam: with epsilon after the correction half the rate, before it 0.03 times the rate.
    adam_step, _ = _first_step(optimizers.Adam(1.0, epsilon=TINY))
    # RMSprop: g / (√(1 - rho)·g + eps), about 0.8 times the rate, or next to nothing if epsilon is within the root.
    rmsprop_step, _ = _first_step(optimizers.RMSprop(1.0, epsilon=TINY))
    _, sgd = _first_step(optimizers.SGD(0.1, momentum=0.9))
    velocity = abs(_numpy(sgd.momentums[0]))
    return {
        "adam.learning_rate": _default(optimizers.Adam, "learning_rate"),
        "adam.eps": _default(optimizers.Adam, "epsilon"),
        "adam.eps_is_added": "after" if adam_step > 0.25 else "before",
        "adamw.weight_decay": _default(optimizers.AdamW, "weight_decay"),
        "rmsprop.rho": _default(optimizers.RMSprop, "rho"),
        "rmsprop.eps": _default(optimizers.RMSprop, "epsilon"),
        "rmsprop.eps_is_added": "outside" if rmsprop_step > 0.25 else "inside",
        "momentum.velocity_holds": "gradients" if np.isclose(velocity, TINY, atol=0) else "gradients times the rate",
    }


def _first_step(optimizer: keras.optimizers.Optimizer) -> tuple[float, keras.optimizers.Optimizer]:
    """Return how far a step along the gradient `TINY` goes down, and the optimizer after it."""
    variable = keras.Variable(0.0)
    optimizer.apply([ops.convert_to_tensor(TINY)], [variable])
    return -float(_numpy(variable)), optimizer


def _numpy(value: Any) -> np.ndarray:
    return ops.convert_to_numpy(value)
