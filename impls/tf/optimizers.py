"""The six optimizers, each step one kernel per parameter: those behind the classes of tf.compat.v1.train.

The classes themselves make their slots when they are first applied, which in a static graph is after the Session
initialised its variables, and spend several times the kernel's own time on each parameter when they run eagerly.
"""

from collections.abc import Mapping

import tensorflow as tf

from impls.specs import OptimizerSpec
from impls.tf.net import Variables, zeros_like

Numbers = dict[str, tf.Tensor]
"""What a kernel is given besides arrays, by the kernel's own names."""


class Optimizer:
    """Updates the variables `params`; `slots` are its own, zeros at first, by canonical name ("m/PARAM").

    `slot_factors` says by slot ("m") how many times larger its variables are than the spec defines them, if at all.
    """

    def __init__(self, spec: OptimizerSpec, params: Variables) -> None:
        self.spec = spec
        self.params = params
        self.slots = {name: zeros for slot in spec.slots for name, zeros in zeros_like(params, slot).items()}
        self.slot_factors: dict[str, float] = {}

    def apply_gradients(self, grads: Mapping[str, tf.Tensor]) -> list[tf.Operation]:
        """Take one step along gradients by name; in a static graph, return the operations that take it."""
        with tf.control_dependencies(grads.values()):  # no variable is written before all were read
            numbers = self.numbers(next(iter(self.params.values())).dtype)
            return [self.update(name, grad, numbers) for name, grad in grads.items()]

    def numbers(self, dtype: tf.DType) -> Numbers:
        """Return what all kernels of one step are given."""
        return {"lr": tf.constant(self.spec.learning_rate, dtype)}

    def update(self, name: str, grad: tf.Tensor, numbers: Numbers) -> tf.Operation:
        """Update one parameter and its slots."""
        raise NotImplementedError


class GradientDescent(Optimizer):
    """`sgd`, with the kernel of tf.compat.v1.train.GradientDescentOptimizer."""

    def update(self, name: str, grad: tf.Tensor, numbers: Numbers) -> tf.Operation:
        """Do p ← p - lr·g."""
        return tf.raw_ops.ResourceApplyGradientDescent(var=self.params[name].handle, alpha=numbers["lr"], delta=grad)


class Momentum(Optimizer):
    """`momentum` and `nesterov`, which that of tf.compat.v1.train.MomentumOptimizer computes as specified."""

    def numbers(self, dtype: tf.DType) -> Numbers:
        """Return rate and momentum."""
        return super().numbers(dtype) | {"momentum": tf.constant(self.spec.momentum, dtype)}

    def update(self, name: str, grad: tf.Tensor, numbers: Numbers) -> tf.Operation:
        """Do v ← momentum·v + g; p ← p - lr·v, or for Nesterov p ← p - lr·(g + momentum·v)."""
        return tf.raw_ops.ResourceApplyMomentum(
            var=self.params[name].handle,
            accum=self.slots[f"velocity/{name}"].handle,
            grad=grad,
            use_nesterov=self.spec.name == "nesterov",
            **numbers,
        )


class Adam(Optimizer):
    """`adam`, with the kernel of tf.compat.v1.train.AdamOptimizer.

    The kernel adds epsilon before the bias correction (Kingma & Ba 2015, end of section 2). And it takes 1 - β of a
    rounded β, which in float32 is off by 1.3e-5 for 0.999: its m and v are larger by `slot_factors` than they should
    be. Its rate and its epsilon make up for both.
    """

    def __init__(self, spec: OptimizerSpec, params: Variables) -> None:
        super().__init__(spec, params)
        self.num_steps = tf.Variable(0, dtype=tf.int64, name="num_steps")
        number = next(iter(params.values())).dtype.as_numpy_dtype
        betas = {"m": spec.beta1, "v": spec.beta2}
        self.slot_factors = {slot: float(1 - number(beta)) / (1 - beta) for slot, beta in betas.items()}

    def numbers(self, dtype: tf.DType) -> Numbers:
        """Count the step; return rate and epsilon with bias corrections and `slot_factors` folded in, and both β.

        lr·m̂ / (√v̂ + eps) = (lr·√(1-β2ᵗ) / (1-β1ᵗ))·m / (√v + √(1-β2ᵗ)·eps), which saves two passes over each
        parameter. In float64, because in float32 1 - 0.999 has only four digits.
        """
        spec, t = self.spec, tf.cast(self.num_steps.assign_add(1), tf.float64)
        root = tf.sqrt((1 - spec.beta2**t) * self.slot_factors["v"])
        lr = spec.learning_rate * root / ((1 - spec.beta1**t) * self.slot_factors["m"])
        betas = {"beta1": tf.constant(spec.beta1, dtype), "beta2": tf.constant(spec.beta2, dtype)}
        return {"lr": tf.cast(lr, dtype), "epsilon": tf.cast(spec.eps * root, dtype), **betas}

    def update(self, name: str, grad: tf.Tensor, numbers: Numbers) -> tf.Operation:
        """Do m ← β1·m + (1-β1)·g; v ← β2·v + (1-β2)·g²; p ← p - lr·m / (√v + epsilon)."""
        return tf.raw_ops.ResourceApplyAdam(
            var=self.params[name].handle,
            m=self.slots[f"m/{name}"].handle,
            v=self.slots[f"v/{name}"].handle,
            beta1_power=tf.zeros((), grad.dtype),  # the bias corrections that it would make
            beta2_power=tf.zeros((), grad.dtype),
            grad=grad,
            **numbers,
        )


class AdamW(Adam):
    """`adamw`: TensorFlow without Keras has none; the weights shrink in an assignment before Adam's kernel."""

    def update(self, name: str, grad: tf.Tensor, numbers: Numbers) -> tf.Operation:
        """Do p ← p - lr·weight_decay·p, then Adam's step."""
        p = self.params[name]
        with tf.control_dependencies([p.assign_sub(self.spec.learning_rate * self.spec.weight_decay * p)]):
            return super().update(name, grad, numbers)


class RMSProp(Optimizer):
    """`rmsprop`, with the kernel of tf.compat.v1.train.RMSPropOptimizer, whose class starts s at one.

    The kernel knows a momentum too. It is 0, which leaves in `last_updates` the updates of this step, for nobody.
    """

    def __init__(self, spec: OptimizerSpec, params: Variables) -> None:
        super().__init__(spec, params)
        self.last_updates = zeros_like(params, "last_update")

    def numbers(self, dtype: tf.DType) -> Numbers:
        """Return rate, decay, epsilon and no momentum."""
        others = {"rho": self.spec.rho, "epsilon": self.spec.eps, "momentum": 0}
        return super().numbers(dtype) | {name: tf.constant(value, dtype) for name, value in others.items()}

    def update(self, name: str, grad: tf.Tensor, numbers: Numbers) -> tf.Operation:
        """Do s ← rho·s + (1-rho)·g²; p ← p - lr·g / √(s + eps)."""
        s, last_update = self.slots[f"s/{name}"].handle, self.last_updates[f"last_update/{name}"].handle
        return tf.raw_ops.ResourceApplyRMSProp(
            var=self.params[name].handle, ms=s, mom=last_update, grad=grad, **numbers
        )


CLASSES: dict[str, type[Optimizer]] = {
    "sgd": GradientDescent,
    "momentum": Momentum,
    "nesterov": Momentum,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSProp,
}


def make(spec: OptimizerSpec, params: Variables) -> Optimizer:
    """Return the optimizer that `spec` defines, for variables by canonical name."""
    return CLASSES[spec.name](spec, params)
