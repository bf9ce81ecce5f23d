"""TensorFlow: a static graph and its Session, and the traced and eager modes. Importing this imports no framework."""

from impls.contract import Backend, Variant

_REQUIRES = ("tensorflow",)

BACKEND = Backend(
    title="TensorFlow",
    variants=(
        Variant("tf-graph", "graph", _REQUIRES, headline=True),
        Variant("tf-function", "graph", _REQUIRES),
        Variant("tf-xla", "compiled", _REQUIRES, slow_models=("unet",)),
        Variant("tf-eager", "eager", _REQUIRES),
    ),
)
