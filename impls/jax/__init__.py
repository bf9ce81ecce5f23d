"""JAX: pure functions of arrays, traced and compiled by XLA. Importing this imports no framework."""

from impls.contract import Backend, Variant

_REQUIRES = ("jax", "flax", "optax")

BACKEND = Backend(
    title="JAX",
    variants=(
        Variant("jax-jit", "compiled", _REQUIRES, headline=True),
        Variant("jax-eager", "eager", _REQUIRES, slow_models=("unet",)),
    ),
)
