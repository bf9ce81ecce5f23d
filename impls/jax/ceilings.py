"""The operations that the machine's ceilings are measured with; see `harness.ceilings`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def matmul(n: int, dtype: str) -> Callable[[], jax.Array]:
    """Return a product of two n×n matrices of ones."""
    with jax.enable_x64(dtype == "float64"):
        a, b = jnp.ones((n, n), dtype), jnp.ones((n, n), dtype)
        product = jax.jit(jnp.matmul).lower(a, b).compile()
    return lambda: product(a, b).block_until_ready()


def copy(num_bytes: int) -> Callable[[], jax.Array]:
    """Return a copy of an array of `num_bytes` into another: the donated one, so that no new memory is taken.

    Copies into fresh memory were 3 to 6 times as slow from 64 MiB on, while the system handed it out page by page.
    """
    source = jnp.ones(num_bytes // 4, jnp.float32)
    target = jnp.zeros_like(source)
    into = jax.jit(lambda source, _: jnp.copy(source), donate_argnums=1, keep_unused=True)

    def run() -> jax.Array:
        nonlocal target
        target = into(source, target).block_until_ready()
        return target

    return run
