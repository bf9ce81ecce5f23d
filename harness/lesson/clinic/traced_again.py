"""The compiled function that stays slow.

Symptom: `jit` was added, there was a call to warm up, and every later call is still as slow as the first.

Diagnosis: `jax.jit(lambda …)` stands inside the loop. Each turn makes a new function, and a new function is traced and
compiled; the one that was warmed up is never called again.

Remedy: make the jitted function once, before the loop.
"""

import time

import jax
import jax.numpy as jnp

NUM_CALLS = 5
num_traces = 0


def model(x, w):
    """Count how often Python runs the body, which is how often it is traced."""
    global num_traces
    num_traces += 1
    return jnp.tanh(x @ w)


def measure():
    """Return seconds per call after a warm-up."""
    x, w = jnp.ones((8, 8)), jnp.ones((8, 8))
    jax.block_until_ready(jax.jit(lambda x: model(x, w))(x))
    start = time.perf_counter()
    for _ in range(NUM_CALLS):
        jax.block_until_ready(jax.jit(lambda x: model(x, w))(x))
    return {"seconds": (time.perf_counter() - start) / NUM_CALLS}


if __name__ == "__main__":
    print(f"{1e3 * measure()['seconds']:.3f} ms per call, {num_traces} traces")
