"""What JAX, Flax and Optax take for granted, read from their signatures or observed on small examples."""

import inspect
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from impls.jax.runtime import JAX_DEFAULTS


def read() -> dict[str, bool | int | float | str]:
    """Return the answers to `impls.conventions.SUBJECTS`.

    Left out: the learning rate of Optax's Adam and the rate of Flax's Dropout, which have no defaults, and TF32, which
    shows on a GPU only. Optax's squared error is that of each element, so that its reduction is "none".
    """
    seen = jax.device_get(jax.jit(_observe)())  # compiled at once: op by op would take seconds
    weight_of_new = seen["mean"] / 10
    first, last = (round(3 - float(window)) for window in seen["same"])
    kernel = _kernel_shape(nn.Conv(2, (3, 4)), (1, 6, 6, 5))
    with jax.enable_x64(JAX_DEFAULTS["jax_enable_x64"]):
        float64_array = jnp.asarray(np.ones(1, np.float64))
    return {
        "batch_norm.eps": nn.BatchNorm().epsilon,
        "batch_norm.momentum": nn.BatchNorm().momentum,
        "batch_norm.momentum_weighs": "new" if np.isclose(nn.BatchNorm().momentum, weight_of_new) else "old",
        "batch_norm.running_variance": "biased" if np.isclose(seen["var"] / weight_of_new, 4) else "corrected",
        "layer_norm.eps": nn.LayerNorm().epsilon,
        "adam.eps": _default(optax.adam, "eps"),
        # 1e-8 / (1e-8 + eps) is a half; an epsilon that counts before the correction by √(1 - β2) is 32 times as large
        "adam.eps_is_added": "after" if np.isclose(seen["adam"], 0.5) else "before",
        "adamw.weight_decay": _default(optax.adamw, "weight_decay"),
        "rmsprop.rho": _default(optax.rmsprop, "decay"),
        "rmsprop.eps": _default(optax.rmsprop, "eps"),
        # the root of an epsilon that dwarfs the gradient's square is 1e-4, and so is the step
        "rmsprop.eps_is_added": "inside" if seen["rmsprop"] < 1e-3 else "outside",
        "momentum.velocity_holds": "gradients" if seen["velocity"] == 1 else "gradients times the rate",
        "gelu.approximate": _default(nn.gelu, "approximate"),
        "leaky_relu.slope": _default(nn.leaky_relu, "negative_slope"),
        "dense.weight_shape": {(2, 3): "(in, out)", (3, 2): "(out, in)"}[_kernel_shape(nn.Dense(3), (1, 2))],
        "conv.kernel_shape": "".join({3: "H", 4: "W", 5: "I", 2: "O"}[size] for size in kernel),
        "conv.padding": nn.Conv(2, (3, 4)).padding,
        "conv.same_with_stride_2": f"{first} and {last}",
        "conv_transpose.is_gradient": bool(np.array_equal(seen["transposed"], [1, 2])),
        "image.layout": "NHWC" if 5 in kernel else "NCHW",  # the last axis of the input has size 5
        "mean_squared_error.reduction": "none"
        if seen["squared"].shape
        else {5: "mean", 10: "sum"}[int(seen["squared"])],
        "binary_cross_entropy.takes": "logits" if np.isclose(seen["at_zero"], np.log(2)) else "probabilities",
        "float64.stays": bool(float64_array.dtype == np.float64),
        "float32_matmul": JAX_DEFAULTS["jax_default_matmul_precision"] or "not set",
    }


def _default(function: Callable[..., Any], parameter: str) -> Any:
    return inspect.signature(function).parameters[parameter].default


def _kernel_shape(layer: nn.Module, input_shape: tuple[int, ...]) -> Any:
    """Return the shape of the weights that `layer` makes for an input; nothing is computed."""
    return jax.eval_shape(lambda: layer.init(jax.random.key(0), jnp.ones(input_shape)))["params"]["kernel"].shape


def _observe() -> dict[str, jax.Array]:
    """Run the examples."""
    batch = jnp.array([[8.0], [12.0]])  # mean 10; variance 4 biased, 8 corrected
    variables = {
        "params": {"scale": jnp.ones(1), "bias": jnp.zeros(1)},
        "batch_stats": {"mean": jnp.zeros(1), "var": jnp.zeros(1)},
    }
    _, updates = nn.BatchNorm(use_running_average=False).apply(variables, batch, mutable=["batch_stats"])
    same = nn.Conv(1, (3,), strides=2, padding="SAME", use_bias=False)
    transposed = nn.ConvTranspose(1, (2,), strides=(2,), padding="VALID", use_bias=False)
    _, velocity = _step(optax.sgd(0.1, momentum=0.9), 1.0)
    return {
        "mean": updates["batch_stats"]["mean"][0],
        "var": updates["batch_stats"]["var"][0],
        "adam": _step(optax.adam(1.0, eps=1e-8), 1e-8)[0],
        "rmsprop": _step(optax.rmsprop(1.0, eps=1e-8), 1e-8)[0],
        "velocity": velocity,
        "same": same.apply({"params": {"kernel": jnp.ones((3, 1, 1))}}, jnp.ones((1, 4, 1)))[0, :, 0],
        "transposed": transposed.apply(
            {"params": {"kernel": jnp.array([[[1.0]], [[2.0]]])}}, jnp.ones((1, 1, 1))
        ).ravel(),
        "squared": optax.squared_error(jnp.array([1.0, 3.0])),
        "at_zero": optax.sigmoid_binary_cross_entropy(jnp.zeros(()), jnp.ones(())),
    }


def _step(optimizer: optax.GradientTransformation, grad: float) -> tuple[jax.Array, jax.Array]:
    """Return by how much the first step takes a parameter down, and the first array of the optimizer's state."""
    param = jnp.zeros(())
    update, state = optimizer.update(jnp.asarray(grad), optimizer.init(param), param)
    return -update, jax.tree.leaves(state)[0]
