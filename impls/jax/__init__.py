"""JAX: pure functions of arrays, traced and compiled by XLA. Importing this imports no framework."""

from impls.contract import Backend, Variant

_REQUIRES = ("jax", "flax", "optax")

_CACHED = (
    ("JAX_COMPILATION_CACHE_DIR", "{cache}"),
    ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0"),
    ("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1"),
)

_PRECISIONS = ("tf32", "bf16")

_ENV = (("XLA_PYTHON_CLIENT_PREALLOCATE", "false"),)
"""JAX would take three quarters of a GPU's memory at once, whatever it needs; the other workers need theirs."""

BACKEND = Backend(
    title="JAX",
    variants=(
        Variant("jax-jit", "compiled", _REQUIRES, headline=True, env=_ENV, cache_env=_CACHED, precisions=_PRECISIONS),
        Variant(
            "jax-eager",
            "eager",
            _REQUIRES,
            slow_models=("unet",),
            env=_ENV,
            cache_env=_CACHED,
            precisions=_PRECISIONS,
        ),
        Variant(
            "jax-tuned",
            "compiled",
            _REQUIRES,
            lane="tuned",
            env=_ENV,
            cache_env=_CACHED,
            steps_per_call=(("two_layer", 10),),  # 0.65 times as long per step; the autoencoder gains nothing
            precisions=_PRECISIONS,
        ),
    ),
)
