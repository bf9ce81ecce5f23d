"""JAX: pure functions of arrays, traced and compiled by XLA. Importing this imports no framework."""

from impls.contract import Backend, Variant

_REQUIRES = ("jax", "flax", "optax")

_CACHED = (
    ("JAX_COMPILATION_CACHE_DIR", "{cache}"),
    ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0"),
    ("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1"),
)

BACKEND = Backend(
    title="JAX",
    variants=(
        Variant("jax-jit", "compiled", _REQUIRES, headline=True, cache_env=_CACHED),
        Variant("jax-eager", "eager", _REQUIRES, slow_models=("unet",), cache_env=_CACHED),
        Variant(
            "jax-tuned",
            "compiled",
            _REQUIRES,
            lane="tuned",
            cache_env=_CACHED,
            steps_per_call=(("two_layer", 10),),  # 0.65 times as long per step; the autoencoder gains nothing
        ),
    ),
)
