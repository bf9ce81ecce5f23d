"""A small two-layer net in JAX: jit traces and compiles for every shape that it has not seen."""

import jax
import jax.numpy as jnp
import numpy as np


def net(x, w1, w2):
    """Predict (N, D_out) from (N, D_in)."""
    h = jnp.maximum(x @ w1, 0)  # (N, H)
    return h @ w2  # (N, D_out)


def eager(w1, w2):
    """Return what predicts operation by operation: each operation is compiled for each shape."""
    w1, w2 = jnp.asarray(w1), jnp.asarray(w2)
    return lambda x: net(jnp.asarray(x), w1, w2).block_until_ready(), lambda: None


def jit(w1, w2):
    """Return what predicts in a compiled program, and how often it was traced."""
    w1, w2 = jnp.asarray(w1), jnp.asarray(w2)
    num_traces = 0

    @jax.jit
    def compiled(x):
        nonlocal num_traces
        num_traces += 1  # Python runs this line while JAX traces, and at no other time
        return net(x, w1, w2)

    return lambda x: compiled(x).block_until_ready(), lambda: num_traces


def jit_padded(w1, w2):
    """Return the same with batches filled up with zeros to a power of two, so that few shapes are left."""
    predict, num_traces = jit(w1, w2)

    def predict_padded(x):
        num_rows = 2 ** (len(x) - 1).bit_length()
        padded = np.pad(x, ((0, num_rows - len(x)), (0, 0)))
        return np.asarray(predict(padded))[: len(x)]  # cut by NumPy: JAX would compile a slice for every size

    return predict_padded, num_traces


WAYS = {"eager": eager, "jit": jit, "jit, padded to powers of two": jit_padded}
