"""The two-layer training step as JAX's and Optax's tutorials teach it, for the question whether ours is as fast."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from impls.contract import Arrays
from impls.specs import ModelSpec


def loss(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the sum of squared errors."""
    w1, w2 = weights
    return jnp.sum((jnp.maximum(x @ w1, 0) @ w2 - y) ** 2)


def jit_update(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """A jitted update of a list of weights; the loss itself is not returned."""
    learning_rate = spec.optimizer.learning_rate
    weights = [jnp.array(params[name]) for name in ("w1", "w2")]

    @jax.jit
    def update(weights, x, y):
        return [w - learning_rate * dw for w, dw in zip(weights, jax.grad(loss)(weights, x, y), strict=True)]

    def steps(num_steps: int) -> None:
        nonlocal weights
        for _ in range(num_steps):
            weights = update(weights, batch["x"], batch["y"])
        jax.block_until_ready(weights)

    return steps


def optax_sgd(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """A jitted step with `optax.sgd`, which returns the loss."""
    weights = [jnp.array(params[name]) for name in ("w1", "w2")]
    optimizer = optax.sgd(spec.optimizer.learning_rate)
    state = optimizer.init(weights)

    @jax.jit
    def step(weights, state, x, y):
        value, grads = jax.value_and_grad(loss)(weights, x, y)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(weights, updates), state, value

    def steps(num_steps: int) -> None:
        nonlocal weights, state
        for _ in range(num_steps):
            weights, state, _ = step(weights, state, batch["x"], batch["y"])
        jax.block_until_ready(weights)

    return steps
