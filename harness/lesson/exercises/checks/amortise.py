"""Measures after how many calls a compiled function has caught up with the same loop, run by Python."""

import functools
import math
from typing import Any

import numpy as np

from harness.lesson.clock import seconds
from harness.lesson.exercises.checks import UnsolvedError

REQUIRES = ("jax",)
HINTS = (
    "How many operations does XLA have to compile? `jax.make_jaxpr(final_state)(w, xs)` shows them.",
    "A loop that is part of the graph is compiled once, however often it turns.",
    "jax.lax.scan(step, h, xs), where step(h, x) returns the next h, and None.",
)
NUM_STEPS, H = 60, 32
MAX_CALLS = 100
NUM_SAMPLES = 10


def check(solution: Any) -> str:
    """Compute N* = (C_graph - C_eager) / (t_eager - t_graph): a ratio of times, hundreds before and a few after."""
    import jax
    import jax.numpy as jnp

    def eager(w: Any, xs: Any) -> Any:
        h = jnp.zeros(w.shape[0])
        for x in xs:
            h = jnp.tanh(h @ w + x)
        return h

    random = np.random.default_rng(0)
    w = jnp.asarray(random.standard_normal((H, H), np.float32) / np.float32(np.sqrt(H)))
    xs = jnp.asarray(random.standard_normal((NUM_STEPS, H), np.float32))
    jax.block_until_ready(jax.jit(jnp.tanh)(w))  # starts JAX
    first_s, step_s = {}, {}
    for name, function in (("eager", eager), ("graph", solution.final_state)):
        call = functools.partial(_done, function, w, xs)
        first_s[name] = seconds(call)
        step_s[name] = min(seconds(call) for _ in range(NUM_SAMPLES))
    if not np.allclose(solution.final_state(w, xs), eager(w, xs), atol=1e-4):
        raise UnsolvedError("the last state is not what it was")
    gain_s = step_s["eager"] - step_s["graph"]
    num_calls = (first_s["graph"] - first_s["eager"]) / gain_s if gain_s > 0 else math.inf
    words = "never" if math.isinf(num_calls) else f"after {max(num_calls, 1):.0f} calls"
    if num_calls >= MAX_CALLS:
        raise UnsolvedError(f"your function catches up with the loop without jit {words}; it should within {MAX_CALLS}")
    return f"Your function catches up with the loop without jit {words}."


def _done(function: Any, *arguments: Any) -> None:
    function(*arguments).block_until_ready()
