"""Looks into a net: the outputs of its layers, from the very function that computes the training loss."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
from flax.training.train_state import TrainState

from impls.contract import Arrays
from impls.specs import ModelSpec


def layer_outputs(loss: Callable[..., jax.Array], spec: ModelSpec, state: Any, batch: Arrays) -> dict[str, jax.Array]:
    """Return the output of each of `spec.layers` while `loss` is computed; a pure function of `state` and `batch`.

    In a Flax net every call of a module is intercepted, by Flax's own means. Plain JAX has no modules: there the layers
    are the matrix products in the program that JAX traces the function into, the first for the first layer.

    Raises:
        KeyError, ValueError: the net has other layers.
    """
    return (_modules if isinstance(state, TrainState) else _products)(loss, spec, state, batch)


def _modules(loss: Callable[..., jax.Array], spec: ModelSpec, state: Any, batch: Arrays) -> dict[str, jax.Array]:
    outputs = {}

    def record(call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        output = outputs[".".join(context.module.path)] = call(*args, **kwargs)
        return output

    with nn.intercept_methods(record):
        loss(state, batch)
    return {layer: outputs[layer] for layer in spec.layers}


def _products(loss: Callable[..., jax.Array], spec: ModelSpec, state: Any, batch: Arrays) -> dict[str, jax.Array]:
    traced = jax.make_jaxpr(functools.partial(loss))(state, batch)  # a new function: JAX keeps the trace of an old one
    products = [equation.outvars[0] for equation in traced.eqns if equation.primitive is jax.lax.dot_general_p]
    outputs = jax.core.eval_jaxpr(
        traced.jaxpr.replace(outvars=products), traced.consts, *jax.tree.leaves((state, batch))
    )
    return dict(zip(spec.layers, outputs, strict=True))
