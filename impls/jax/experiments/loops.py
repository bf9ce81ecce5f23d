"""A recurrence over the rows of xs, h = tanh(h·W + x_t): a Python loop, eager or unrolled by jit, and `lax.scan`."""

import jax
import jax.numpy as jnp
import numpy as np

from impls.jax.experiments.graphs import equations


def python_loop(w, xs):
    """Return the last h (1, H)."""
    h = jnp.zeros((1, len(w)))
    for x in xs:
        h = jnp.tanh(h @ w + x)
    return h


def scan(w, xs):
    """Return the last h (1, H), from a loop that is one operation of the graph."""

    def step(h, x):
        return jnp.tanh(h @ w + x), None

    h, _ = jax.lax.scan(step, jnp.zeros((1, len(w))), xs)
    return h


def eager(w, xs):
    """Let Python run the loop."""
    w, xs = jnp.asarray(w), jnp.asarray(xs)
    return lambda: np.asarray(python_loop(w, xs)), lambda: None


def unrolled(w, xs):
    """Let jit run the loop once, and write down every step."""
    return compiled(python_loop, w, xs)


def scanned(w, xs):
    """Write down one step, and that it is repeated."""
    return compiled(scan, w, xs)


def compiled(function, w, xs):
    """Return the compiled function, and what counts the equations of its jaxpr."""
    jitted, w, xs = jax.jit(function), jnp.asarray(w), jnp.asarray(xs)
    return lambda: np.asarray(jitted(w, xs)), lambda: len(equations(jax.make_jaxpr(function)(w, xs).jaxpr))


WAYS = {"eager": eager, "jit, unrolled": unrolled, "jit, lax.scan": scanned}
