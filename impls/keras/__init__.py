"""Keras 3, one model file for its three backends. Imports no framework."""

from impls.contract import Backend, Variant

_PRECISIONS = ("tf32", "bf16")

BACKEND = Backend(
    title="Keras",
    variants=(
        Variant(
            name="keras-tf",
            mode="graph",
            requires=("keras", "tensorflow"),
            headline=True,
            env=(("KERAS_BACKEND", "tensorflow"),),
            precisions=_PRECISIONS,
        ),
        Variant(
            name="keras-jax",
            mode="compiled",
            requires=("keras", "jax"),
            slow_models=("unet",),
            env=(("KERAS_BACKEND", "jax"), ("XLA_PYTHON_CLIENT_PREALLOCATE", "false")),
            cache_env=(
                ("JAX_COMPILATION_CACHE_DIR", "{cache}"),
                ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0"),
                ("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0"),
            ),
            precisions=_PRECISIONS,
        ),
        Variant(
            name="keras-tuned",
            mode="graph",
            requires=("keras", "tensorflow"),
            lane="tuned",
            env=(("KERAS_BACKEND", "tensorflow"),),
            steps_per_call=(("two_layer", 10), ("autoencoder", 10)),
            precisions=_PRECISIONS,
        ),
        Variant(
            name="keras-torch",
            mode="eager",
            requires=("keras", "torch"),
            env=(("KERAS_BACKEND", "torch"),),
            precisions=_PRECISIONS,
        ),
    ),
)
