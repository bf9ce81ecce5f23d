"""The tuned lane (jax-tuned): layers that XLA's CPU compiler is slow at, computed by other means.

A profile of the small U-Net's training step has two of them, both slow in the gradient. Without them, and with donated
buffers, the step takes 0.76 times as long.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


def with_fast_layers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function on a Flax net compute some layers by other means; the net and its parameters stay the same."""

    @functools.wraps(function)
    def fast(*args: Any) -> Any:
        with nn.intercept_methods(_compute):
            return function(*args)

    return fast


def _compute(call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
    """Stand in for a call of a layer; Flax calls this instead."""
    if context.method_name == "max_pool":
        return max_pool(*args)
    if isinstance(context.module, nn.ConvTranspose):
        (x,) = args
        return upsample(x, context.module.get_variable("params", "kernel"))
    return call(*args, **kwargs)


def max_pool(x: jax.Array) -> jax.Array:
    """Halve height and width of x (N, H, W, C): the largest of four pixels, of equals the first.

    The gradient of `nn.max_pool` becomes a scatter by indices on a CPU. The small U-Net's four, forward and back, took
    19.9 ms, and 1.0 ms like this; 2.4 ms with `jnp.maximum`.
    """
    N, H, W, C = x.shape
    even = x[:, : H // 2 * 2, : W // 2 * 2]  # a last row or column without a partner belongs to no window
    windows = even.reshape(N, H // 2, 2, W // 2, 2, C)
    top = _larger(windows[:, :, 0, :, 0], windows[:, :, 0, :, 1])
    bottom = _larger(windows[:, :, 1, :, 0], windows[:, :, 1, :, 1])
    return _larger(top, bottom)


def _larger(first: jax.Array, second: jax.Array) -> jax.Array:
    """Return the larger of two arrays; unlike `jnp.maximum`, whose gradient equals share, give the first all of it."""
    return jnp.where(second > first, second, first)


def upsample(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve x (N, H, W, I), transposed and with stride 2, with a kernel (2, 2, O, I).

    Its windows do not overlap, so that it is one matrix product, and pixels put in order. The kernel's gradient of
    `nn.ConvTranspose` is a convolution with a dilated window, for which XLA has nothing but plain loops on a CPU: the
    small U-Net's four took 37.8 ms, and 1.1 ms like this.
    """
    N, H, W, _ = x.shape
    products = jnp.einsum("nhwi,aboi->nhawbo", x, kernel)
    return products.reshape(N, 2 * H, 2 * W, kernel.shape[2])
