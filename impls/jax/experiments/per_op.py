"""A chain of 20 elementwise operations in JAX: dispatched one at a time, or compiled into one program."""

import jax
import jax.numpy as jnp


def chain(x):
    """Apply 20 operations to x, one after the other."""
    for _ in range(5):
        x = x * 0.99
        x = x + 0.5
        x = jnp.maximum(x, 0.1)
        x = x - 0.25
    return x


def eager(x):
    """Return what computes the chain of x operation by operation."""
    x = jnp.asarray(x)
    return lambda: chain(x).block_until_ready()


def jit(x):
    """Return what computes the chain of x in one compiled program."""
    x = jnp.asarray(x)
    compiled = jax.jit(chain)
    return lambda: compiled(x).block_until_ready()


WAYS = {"eager": eager, "jit": jit}
