"""TensorFlow: a static graph and its Session, and the traced and eager modes. Importing this imports no framework."""

from impls.contract import Backend, Variant

_REQUIRES = ("tensorflow",)

_PRECISIONS = ("tf32", "bf16")

BACKEND = Backend(
    title="TensorFlow",
    variants=(
        Variant("tf-graph", "graph", _REQUIRES, headline=True, precisions=_PRECISIONS),
        Variant("tf-function", "graph", _REQUIRES, precisions=_PRECISIONS),
        Variant(
            "tf-xla",
            "compiled",
            _REQUIRES,
            slow_models=("unet",),
            cache_env=(("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory={cache}"),),
            precisions=_PRECISIONS,
        ),
        Variant("tf-eager", "eager", _REQUIRES, precisions=_PRECISIONS),
        Variant(
            "tf-tuned",
            "graph",
            _REQUIRES,
            lane="tuned",
            steps_per_call=(("two_layer", 10), ("autoencoder", 10)),
            precisions=_PRECISIONS,
        ),
    ),
)
