"""The six optimizers, each Optax's own: all of `specs.OptimizerSpec` can be said in their parameters."""

import optax

from impls.specs import OptimizerSpec


def make(spec: OptimizerSpec) -> optax.GradientTransformation:
    """Return the optimizer that meets its definition in `OptimizerSpec`.

    Optax adds Adam's epsilon after the bias correction; its AdamW adds the decay to Adam's direction, before the rate,
    which is the same sum; its RMSprop has epsilon inside the root, and a mean square that starts at zero.
    """
    rate = spec.learning_rate
    match spec.name:
        case "sgd":
            return optax.sgd(rate)
        case "momentum" | "nesterov":
            return optax.sgd(rate, spec.momentum, nesterov=spec.name == "nesterov")
        case "adam":
            return optax.adam(rate, b1=spec.beta1, b2=spec.beta2, eps=spec.eps)
        case "adamw":
            return optax.adamw(rate, b1=spec.beta1, b2=spec.beta2, eps=spec.eps, weight_decay=spec.weight_decay)
        case "rmsprop":
            return optax.rmsprop(rate, decay=spec.rho, eps=spec.eps)
