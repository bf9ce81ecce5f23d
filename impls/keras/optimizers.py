"""The optimizers of `impls.specs.OptimizerSpec` in Keras.

Keras' SGD and RMSprop (epsilon inside the root) meet their definitions as they are, and so does decoupled weight decay,
which every Keras optimizer has. The two classes here override `update_step`, the documented extension point.
"""

import math

import keras
import numpy as np
from keras import ops

from impls.specs import OptimizerSpec

SLOTS = {"velocity": "momentums", "m": "_momentums", "v": "_velocities", "s": "_velocities"}
"""Attributes that hold the variables of a slot, in the order of the trained ones. `momentums` are -learning_rate·v."""


def make(spec: OptimizerSpec) -> keras.optimizers.Optimizer:
    """Return the optimizer; `numpy.float64` where Keras would make float32 of a Python float (`impls.keras.extras`)."""
    rate = spec.learning_rate
    match spec.name:
        case "sgd":
            return keras.optimizers.SGD(rate)
        case "momentum" | "nesterov":
            sgd = keras.optimizers.SGD if rate else RestingSGD
            return sgd(rate, momentum=np.float64(spec.momentum), nesterov=spec.name == "nesterov")
        case "adam":
            return Adam(rate, spec.beta1, spec.beta2, spec.eps)
        case "adamw":
            return Adam(rate, spec.beta1, spec.beta2, spec.eps, weight_decay=np.float64(spec.weight_decay))
        case "rmsprop":
            return keras.optimizers.RMSprop(rate, spec.rho, epsilon=spec.eps)


class Adam(keras.optimizers.Adam):
    """Adam with epsilon after the bias correction (Kingma & Ba 2015, algorithm 1); Keras' own has it before."""

    def update_step(self, gradient, variable, learning_rate):
        """Update one variable, in the order of Kingma & Ba's section 2, with ε̂ = ε·√(1 − β2ᵗ): fewer passes, as Keras.

        1 − βᵗ comes from expm1: as a difference in float32, it would be off by up to 2e-5 of itself for β2 = 0.999.
        """
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
        step = ops.cast(self.iterations + 1, variable.dtype)
        correction1 = -ops.expm1(step * math.log(self.beta_1))
        correction2 = ops.sqrt(-ops.expm1(step * math.log(self.beta_2)))
        step_size = ops.cast(learning_rate, variable.dtype) * correction2 / correction1
        self.assign_sub(variable, m * step_size / (ops.sqrt(v) + self.epsilon * correction2))


class RestingSGD(keras.optimizers.SGD):
    """SGD with momentum at the learning rate 0: Keras' own velocity, -learning_rate·v, would forget the gradients."""

    def update_step(self, gradient, variable, learning_rate):  # noqa: ARG002 - it is 0
        """Keep -v, as if at the rate 1; the variable stays where it is."""
        velocity = self.momentums[self._get_variable_index(variable)]
        self.assign(velocity, velocity * ops.cast(self.momentum, variable.dtype) - gradient)
