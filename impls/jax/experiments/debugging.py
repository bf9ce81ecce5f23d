"""Debugging in JAX: functions that Python runs line by line, and the same traced and compiled."""

import jax
import jax.numpy as jnp


def prints(x):
    """Print, and double."""
    print("x is", x)
    return x * 2


def stops(x):
    """Stop, and double."""
    breakpoint()
    return x * 2


def logarithm(x):
    """Return a logarithm; it is NaN where x is less than 1."""
    return jnp.log(x - 1)  # [nan]


def norm(x):
    """Return the norm of x; its gradient at 0 is 0/0."""
    return jnp.sqrt(jnp.sum(x * x))  # [nan_gradient]


def product(x, w):
    """Multiply matrices."""
    return x @ w  # [shape]


def eager():
    """Return what is probed, run by Python."""
    return {
        "prints": on_arrays(prints),
        "stops": on_arrays(stops),
        "nan": searched(logarithm),
        "nan_gradient": searched(jax.grad(norm)),
        "wrong_shape": {"run": on_arrays(product)},
    }


def jit():
    """Return what is probed, compiled."""
    return {
        "prints": jax.jit(prints),
        "stops": jax.jit(stops),
        "nan": searched(jax.jit(logarithm)),
        "nan_gradient": searched(jax.jit(jax.grad(norm))),
        "wrong_shape": {"trace": lambda x, w: jax.jit(product).lower(x, w), "run": jax.jit(product)},
    }


def searched(function):
    """Let JAX search every result for NaN."""

    def run(x):
        with jax.debug_nans(True):
            return function(jnp.asarray(x))

    return run


def on_arrays(function):
    """Return the function of NumPy's arrays."""
    return lambda *arrays: function(*map(jnp.asarray, arrays))


WAYS = {"eager": eager, "jit": jit}
