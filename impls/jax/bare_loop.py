"""The two-layer training step in a loop of its own, as one would write it without this project."""

from collections.abc import Callable

import jax

from impls.contract import Arrays
from impls.jax import two_layer
from impls.specs import ModelSpec


def loop(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Return a function that takes so many training steps and waits for them."""
    state = two_layer.build(spec, params)
    train_step = jax.jit(two_layer.train_step)

    def steps(num_steps: int) -> None:
        nonlocal state
        for _ in range(num_steps):
            state, value = train_step(state, batch)
        jax.block_until_ready((state, value))

    return steps
