"""A matrix product in JAX: a call may return an array that is still being computed."""

import jax
import jax.numpy as jnp


def jit(matrix):
    """Return the compiled product, and what waits for one."""
    matrix = jnp.asarray(matrix)
    square = jax.jit(jnp.matmul)
    return lambda: square(matrix, matrix), jax.block_until_ready


def eager(matrix):
    """Return the product without jit, and what waits for one."""
    matrix = jnp.asarray(matrix)
    return lambda: matrix @ matrix, jax.block_until_ready


WAYS = {"eager": eager, "jit": jit}
