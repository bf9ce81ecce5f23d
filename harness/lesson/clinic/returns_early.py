"""A matrix product in no time.

Symptom: a product of two 1500 × 1500 matrices, 6.75 billion operations, takes less than a millisecond. No processor
that this runs on is as fast.

Diagnosis: JAX's call returns when the work is queued, not when it is done. The clock is read in between.

Remedy: wait for the result inside the timed region: `jax.block_until_ready(product(x))`.
"""

import time

import jax
import jax.numpy as jnp

SIZE = 1500


def measure():
    """Return seconds per product."""
    x = jnp.ones((SIZE, SIZE))
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(x, x))  # compile first
    start = time.perf_counter()
    product(x, x)
    return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    print(f"{1e3 * measure()['seconds']:.3f} ms per product")
