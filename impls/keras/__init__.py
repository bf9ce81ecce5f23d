"""Keras 3, one model file for its three backends. Imports no framework."""

from impls.contract import Backend, Variant

BACKEND = Backend(
    title="Keras",
    variants=(
        Variant(
            name="keras-tf",
            mode="graph",
            requires=("keras", "tensorflow"),
            headline=True,
            env=(("KERAS_BACKEND", "tensorflow"),),
        ),
        Variant(
            name="keras-jax",
            mode="compiled",
            requires=("keras", "jax"),
            slow_models=("unet",),
            env=(("KERAS_BACKEND", "jax"),),
        ),
        Variant(name="keras-torch", mode="eager", requires=("keras", "torch"), env=(("KERAS_BACKEND", "torch"),)),
    ),
)
