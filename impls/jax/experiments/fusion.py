"""How often the chain goes over the memory in JAX."""

import jax
import jax.numpy as jnp

from impls import hlo
from impls.jax.experiments import per_op


def eager(x):
    """Return what computes the chain of x operation by operation, and what counts them."""
    return per_op.eager(x), lambda: count_primitives(jnp.asarray(x))


def jit(x):
    """Return what computes the chain of x in one compiled program, and what counts its kernels."""
    return per_op.jit(x), lambda: count_kernels(jnp.asarray(x))


def count_primitives(x):
    """Return how many primitives there are in the chain."""
    return len(jax.make_jaxpr(per_op.chain)(x).eqns), "primitives in the jaxpr, each a compiled program of its own"


def count_kernels(x):
    """Return how many kernels XLA has made of the chain."""
    optimised = jax.jit(per_op.chain).lower(x).compile().as_text()
    return hlo.num_kernels(optimised), "instructions that go over memory in XLA's optimised program"


WAYS = {"eager": eager, "jit": jit}
