"""Mixed precision as JAX's users have it: a policy around a net's `apply`, as the library jmp makes them.

The parameters that are trained stay float32; the net computes with copies of them, and of its inputs, in bfloat16.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax.training.train_state import TrainState


def mixed(state: TrainState) -> TrainState:
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
