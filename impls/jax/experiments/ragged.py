"""A recurrence over examples of different lengths, h = tanh(h·W + x_t): loops in Python or in the graph, and masks."""

import jax
import jax.numpy as jnp
import numpy as np


def recurrence(w, xs, lengths):  # noqa: ARG001 - one example at a time needs no mask
    """Return the last h (1, H) of an example (1, length, H)."""
    h = jnp.zeros((1, len(w)))
    for t in range(xs.shape[1]):
        h = jnp.tanh(h @ w + xs[:, t])
    return h


def masked_scan(w, xs, lengths):
    """Return each example's h (N, H) after its own last step; what comes behind it is computed and not kept."""

    def step(h, inputs):
        t, x = inputs
        return jnp.where((t < lengths)[:, None], jnp.tanh(h @ w + x), h), None

    steps = (jnp.arange(xs.shape[1]), xs.transpose(1, 0, 2))
    h, _ = jax.lax.scan(step, jnp.zeros((len(xs), len(w))), steps)
    return h


def counted_loop(w, xs, lengths):
    """Return the last h (1, H) of a padded example; the graph's loop ends at the example's length."""
    return jax.lax.fori_loop(0, lengths[0], lambda t, h: jnp.tanh(h @ w + xs[:, t]), jnp.zeros((1, len(w))))


def one_by_one(w):
    """Let each example have a Python loop of its own length."""
    w = jnp.asarray(w)
    return "as they are", lambda xs, lengths: np.asarray(recurrence(w, xs, lengths)), lambda: None


def scanned(w):
    """Trace a scan for each length that comes."""
    return "as they are", *compiled(masked_scan, w)


def padded(w):
    """Scan over each example as if it were the longest."""
    return "padded", *compiled(masked_scan, w)


def bucketed(w):
    """Scan over each example as if it had the next of a few lengths."""
    return "bucketed", *compiled(masked_scan, w)


def one_batch(w):
    """Scan over all examples at once."""
    return "one batch", *compiled(masked_scan, w)


def counted(w):
    """Loop as often as the example is long, in an array as long as the longest."""
    return "stops early", *compiled(counted_loop, w)


def compiled(function, w):
    """Return the compiled function, and how often it was traced."""
    w = jnp.asarray(w)
    num_traces = 0

    @jax.jit
    def jitted(xs, lengths):
        nonlocal num_traces
        num_traces += 1  # Python runs this line while JAX traces, and at no other time
        return function(w, xs, lengths)

    return lambda xs, lengths: np.asarray(jitted(xs, lengths)), lambda: num_traces


WAYS = {
    "eager, one by one": one_by_one,
    "jit, lax.scan one by one": scanned,
    "jit, lax.scan padded": padded,
    "jit, lax.scan bucketed": bucketed,
    "jit, lax.fori_loop of any length": counted,
    "jit, lax.scan of one masked batch": one_batch,
}
