"""Mixed precision as JAX's users have it: a policy around a net's `apply`, as the library jmp makes them.

The parameters that are trained stay float32; the net computes with copies of them, and of its inputs, in bfloat16. A
net without Flax has its products alone lowered.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest import mock

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from flax.training.train_state import TrainState


def lower_products(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function in which `jnp.dot` computes in bfloat16, and hands on float32."""
    dot = jnp.dot

    def lowered(x: jax.Array, w: jax.Array) -> jax.Array:
        return _cast(dot(*_cast((x, w), jnp.float32, jnp.bfloat16)), jnp.bfloat16, jnp.float32)

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        with mock.patch.object(jnp, "dot", lowered):
            return function(*args)

    return run


def lower_net(state: "TrainState") -> "TrainState":
    """Return the state with a net that computes in bfloat16 and returns float32."""
    return state.replace(apply_fn=_lowered(state.apply_fn))


def _lowered(apply: Callable[..., Any]) -> Callable[..., Any]:
    def run(variables: dict[str, Any], *inputs: jax.Array, **options: Any) -> Any:
        # BatchNorm's running statistics are not among the copies: they are updated, and Flax computes them in float32.
        variables = {**variables, "params": _cast(variables["params"], jnp.float32, jnp.bfloat16)}
        found = apply(variables, *_cast(inputs, jnp.float32, jnp.bfloat16), **options)
        return _cast(found, jnp.bfloat16, jnp.float32)

    return run


def _cast(tree: Any, old: Any, new: Any) -> Any:
    """Return a tree with its arrays of one type in another; all others (lengths, float64) stay."""
    return jax.tree.map(lambda leaf: leaf.astype(new) if leaf.dtype == old else leaf, tree)
