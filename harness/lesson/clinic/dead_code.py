"""Ten layers for the price of none.

Symptom: a net of ten layers is as fast as no net at all, however wide the layers are.

Diagnosis: only the shape of the result is used, so that nobody needs its numbers. The compiler leaves out what nobody
needs: there is no matrix product in the program that it makes.

Remedy: return what the work is for, and check its numbers. A benchmark whose result is looked at cannot lose it.
"""

import time

import jax
import jax.numpy as jnp

SIZE, NUM_LAYERS, NUM_CALLS = 512, 10, 20


@jax.jit
def model(x, w):
    """Return the mean over as many rows as the last layer has."""
    h = x
    for _ in range(NUM_LAYERS):
        h = jnp.tanh(h @ w)
    return x.sum() / h.shape[0]


def measure():
    """Return seconds per call."""
    x, w = jnp.ones((SIZE, SIZE)), jnp.ones((SIZE, SIZE))
    jax.block_until_ready(model(x, w))
    start = time.perf_counter()
    for _ in range(NUM_CALLS):
        jax.block_until_ready(model(x, w))
    return {"seconds": (time.perf_counter() - start) / NUM_CALLS}


if __name__ == "__main__":
    print(f"{1e3 * measure()['seconds']:.3f} ms per call")
