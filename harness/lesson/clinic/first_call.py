"""The mean over ten calls.

Symptom: a small function takes milliseconds "on average over ten calls". Over a hundred calls it is ten times as fast.

Diagnosis: the first call traces and compiles. It is in the mean, and takes longer than all the others together.

Remedy: call once before the clock starts, and give the first call a figure of its own: it is a cost too, paid once.
"""

import time

import jax
import jax.numpy as jnp

NUM_CALLS = 10


def measure(num_calls=NUM_CALLS):
    """Return seconds per call, as the mean."""
    function = jax.jit(lambda x: jnp.tanh(x @ x).sum())
    x = jnp.ones((32, 32))
    start = time.perf_counter()
    for _ in range(num_calls):
        jax.block_until_ready(function(x))
    return {"seconds": (time.perf_counter() - start) / num_calls}


if __name__ == "__main__":
    print(f"{1e3 * measure()['seconds']:.3f} ms per call")
