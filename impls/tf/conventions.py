"""What TensorFlow without Keras takes for granted; see `impls.conventions`.

Its layers are functions, its optimizers the classes of tf.compat.v1.train. Left out: LayerNorm and AdamW, which it has
not, and what has no default: the padding of a convolution, the rate of dropout.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from impls.tf.runtime import TF32_BY_DEFAULT

v1 = tf.compat.v1


def read() -> dict[str, bool | int | float | str]:
    """Answer from the installed version: defaults from signatures, behaviours as a small example shows."""
    return {**_layers(), **_convolutions(), **_losses(), **_optimizers()}


def _default(function: Callable[..., Any], name: str) -> Any:
    return inspect.signature(function).parameters[name].default


def _layers() -> dict[str, Any]:
    x = tf.reshape([1.0, 3.0], (2, 1, 1, 1))  # mean 2, variance 1, corrected 2
    _, _, var = v1.nn.fused_batch_norm(x, [1.0], [0.0])
    _, mean, _ = v1.nn.fused_batch_norm(x, [1.0], [0.0], [0.0], [1.0], exponential_avg_factor=0.1)
    rows, weights = tf.zeros((1, 2)), tf.zeros((2, 3))
    sides = {rows.shape[1]: "in", v1.nn.xw_plus_b(rows, weights, tf.zeros(3)).shape[1]: "out"}
    return {
        "batch_norm.eps": _default(v1.nn.fused_batch_norm, "epsilon"),
        "batch_norm.momentum": _default(v1.nn.fused_batch_norm, "exponential_avg_factor"),
        "batch_norm.momentum_weighs": "new" if mean < 1 else "old",
        "batch_norm.running_variance": "corrected" if var > 1.5 else "biased",
        "gelu.approximate": _default(tf.nn.gelu, "approximate"),
        "leaky_relu.slope": _default(tf.nn.leaky_relu, "alpha"),
        "dense.weight_shape": f"({', '.join(sides[size] for size in weights.shape)})",
        "float64.stays": tf.convert_to_tensor(np.zeros(1)).dtype == tf.float64,
        "tf32.matmul": TF32_BY_DEFAULT,
        "tf32.conv": TF32_BY_DEFAULT,
    }


def _convolutions() -> dict[str, Any]:
    x, kernel = tf.zeros((1, 9, 9, 2)), tf.zeros((4, 5, 2, 3))
    y = tf.nn.conv2d(x, kernel, 1, "VALID")
    axes = {x.shape[3]: "I", y.shape[3]: "O", 10 - y.shape[1]: "H", 10 - y.shape[2]: "W"}
    # All ones: the sum over a window is what it holds of the row of four pixels, the rest is padding.
    first, last = tf.nn.conv2d(tf.ones((1, 1, 4, 1)), tf.ones((1, 3, 1, 1)), 2, "SAME").numpy().ravel()
    # One pixel leaves a picture of the kernel: as it is in the convolution's gradient, or mirrored.
    picture = tf.nn.conv2d_transpose(tf.ones((1, 1, 1, 1)), tf.reshape([1.0, 2.0], (1, 2, 1, 1)), (1, 1, 2, 1), (1, 2))
    return {
        "conv.kernel_shape": "".join(axes[size] for size in kernel.shape),
        "conv.same_with_stride_2": f"{3 - first:.0f} and {3 - last:.0f}",
        "conv_transpose.is_gradient": bool(np.array_equal(picture.numpy().ravel(), [1, 2])),
        "image.layout": _default(tf.nn.conv2d, "data_format"),
    }


def _losses() -> dict[str, Any]:
    error = float(v1.losses.mean_squared_error(tf.zeros((2, 2)), tf.ones((2, 2))))
    from_logit = np.isclose(v1.losses.sigmoid_cross_entropy([[1.0]], [[0.0]]), np.log(2))
    return {
        "mean_squared_error.reduction": {1: "mean", 4: "sum"}[round(error)],
        "binary_cross_entropy.takes": "logits" if from_logit else "probabilities",
    }


def _optimizers() -> dict[str, Any]:
    # A gradient as large as epsilon: half the rate with epsilon after the correction, 0.03 times the rate before it.
    adam_step, _ = _first_step(v1.train.AdamOptimizer(1.0, epsilon=1e-8), 1e-8)
    # The mean square of gradients stays at 1, where the class starts it: 1 / √(1 + 3), or 1 / (1 + 3).
    rmsprop_step, _ = _first_step(v1.train.RMSPropOptimizer(1.0, epsilon=3.0), 1.0)
    _, velocity = _first_step(v1.train.MomentumOptimizer(0.1, momentum=0.9), 1.0)
    return {
        "adam.learning_rate": _default(v1.train.AdamOptimizer, "learning_rate"),
        "adam.eps": _default(v1.train.AdamOptimizer, "epsilon"),
        "adam.eps_is_added": "after" if adam_step > 0.25 else "before",
        "rmsprop.rho": _default(v1.train.RMSPropOptimizer, "decay"),
        "rmsprop.eps": _default(v1.train.RMSPropOptimizer, "epsilon"),
        "rmsprop.eps_is_added": "inside" if rmsprop_step > 0.375 else "outside",
        "momentum.velocity_holds": "gradients" if velocity == 1 else "gradients times the rate",
    }


def _first_step(optimizer: Any, grad: float) -> tuple[float, float]:
    """Return how far a step along `grad` goes down, and the optimizer's first slot after it."""
    variable = tf.Variable(0.0)
    optimizer.apply_gradients([(tf.constant(grad), variable)])
    return -float(variable), float(optimizer.get_slot(variable, optimizer.get_slot_names()[0]))
