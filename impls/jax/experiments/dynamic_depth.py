"""A net whose middle layer is applied another number of times in each step: a Python loop, eager or traced."""

import jax
import jax.numpy as jnp
import numpy as np

MOST_LAYERS = 50


def loss(params, x, y, depth):
    """Return the sum of squares, after `depth` middle layers."""
    h = jax.nn.relu(x @ params["w_in"])
    for _ in range(depth):
        h = jax.nn.relu(h @ params["w_mid"])
    return jnp.sum((h @ params["w_out"] - y) ** 2)


def masked_loss(params, x, y, depth):
    """Return the same from a loop in the graph that turns `MOST_LAYERS` times; turns beyond `depth` change nothing."""

    def layer(h, k):
        return jax.lax.cond(k < depth, lambda h: jax.nn.relu(h @ params["w_mid"]), lambda h: h, h), None

    h, _ = jax.lax.scan(layer, jax.nn.relu(x @ params["w_in"]), jnp.arange(MOST_LAYERS))
    return jnp.sum((h @ params["w_out"] - y) ** 2)


def eager(params):
    """Let Python run the loop."""
    return step(jax.value_and_grad(loss), params)


def jit(params):
    """Trace and compile a program for each depth that comes."""
    return step(jax.jit(jax.value_and_grad(loss), static_argnums=3), params)


def scanned(params):
    """Trace and compile one program for all depths."""
    return step(jax.jit(jax.value_and_grad(masked_loss)), params)


def step(function, params):
    """Return what computes the loss and its gradients."""
    params = jax.device_put(params)

    def run(x, y, depth):
        return jax.tree.map(np.asarray, function(params, x, y, depth))

    return run


WAYS = {"eager": eager, "jit": jit, "jit, lax.scan and lax.cond": scanned}
