"""When Python runs, in JAX: eagerly in every call, under jit when it traces."""

import jax
import jax.numpy as jnp
import numpy as np


def eager(ran):
    """Return a function that counts its runs."""

    def scale(x, number):
        ran()
        return x * number

    return lambda x, number: np.asarray(scale(jnp.asarray(x), number))


def jit(ran):
    """Return the same traced; a Python number becomes an input of the graph."""

    @jax.jit
    def scale(x, number):
        ran()
        return x * number

    return lambda x, number: np.asarray(scale(x, number))


def static(ran):
    """Return the same with the number as a part of the graph."""

    def scale(x, number):
        ran()
        return x * number

    scale = jax.jit(scale, static_argnames="number")
    return lambda x, number: np.asarray(scale(x, number=number))


WAYS = {"eager": eager, "jit": jit, "jit, static number": static}
