"""A wide sum of large temporaries in JAX: eager, and compiled by XLA, which need not keep any of them."""

import jax
import jax.numpy as jnp

from impls.jax.runtime import peak_device_memory_bytes


def wide_sum(x):
    """Return the sum over k of tanh(x + k); every term is written before they are summed."""
    terms = [jnp.tanh(x + k) for k in range(10)]
    return sum(terms)


def eager(x):
    """Return what computes the sum operation by operation, and what reads a device's peak."""
    x = jnp.asarray(x)
    return lambda: wide_sum(x).block_until_ready(), peak_device_memory_bytes


def jit(x):
    """Return what computes the sum in one compiled program, and what reads a device's peak."""
    x = jnp.asarray(x)
    compiled = jax.jit(wide_sum)
    return lambda: compiled(x).block_until_ready(), peak_device_memory_bytes


WAYS = {"eager": eager, "jit": jit}
