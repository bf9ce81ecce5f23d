"""Faults planted in the Keras nets, for the checker's own check (`impls.faults`); one text for the three backends.

Arithmetic is that of the backend's own tensors where `keras.ops` would round float64 (`impls.keras.extras`).
"""

import dataclasses
import functools
import sys
from contextlib import ExitStack
from unittest.mock import patch

import keras
import numpy as np
from keras import layers, ops

from impls.faults import Mutants, Planting
from impls.keras import autoencoder, extras, optimizers, recurrent, runtime, two_layer, unet

MODULES = {"two_layer": two_layer, "autoencoder": autoencoder, "recurrent": recurrent, "unet": unet}
FIRST = {"two_layer": "w1", "autoencoder": "encoder1"}
LAST = {"two_layer": "w2", "autoencoder": "decoder2", "recurrent": "head", "unet": "head"}

# ---------------------------------------------------------------- kinds of planting


def method(owner: type, name: str, wrapper) -> Planting:
    """Let wrapper(original, self, ...) stand in for a method; Keras still sees the original's signature."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(self, *args, **kwargs):
        return wrapper(original, self, *args, **kwargs)

    return lambda: patch.object(owner, name, wrapped)


def layer(owner: type, path: str, wrapper) -> Planting:
    """Let wrapper(original, self, inputs, ...) stand in for the `call` of one layer, such as down1/conv1."""

    def call(original, self, *args, **kwargs):
        is_meant = (self.path or "").partition("/")[2] == path  # it is None before the layer is built
        return wrapper(original, self, *args, **kwargs) if is_meant else original(self, *args, **kwargs)

    return method(owner, "call", call)


def dense(module, name: str, **options) -> Planting:
    """Make one dense layer with other options."""

    def make(*args, **given):
        return extras.Dense(*args, **given | (options if given["name"] == name else {}))

    return lambda: patch.object(module, "Dense", make)


def loading(module, name: str, change) -> Planting:
    """Load change(array) for one canonical array."""

    def load(net, spec, params):
        extras.load(net, spec, {**params, name: change(params[name]).copy()})  # torch takes no negative strides

    return lambda: patch.object(module, "load", load)


def reading(name: str, change) -> Planting:
    """Read change(array) for one entry of every batch."""

    def prepare(original, self, batch):
        return original(self, {**batch, name: change(batch[name])})

    return method(runtime.Program, "prepare", prepare)


def hyperparameters(**changes) -> Planting:
    """Replace fields of the `OptimizerSpec`, by values or by functions of it."""

    def init(original, self, implementation, spec, *arguments):
        new = {name: value(spec.optimizer) if callable(value) else value for name, value in changes.items()}
        wrong = dataclasses.replace(spec.optimizer, **new)
        original(self, implementation, dataclasses.replace(spec, optimizer=wrong), *arguments)

    return method(runtime.Program, "__init__", init)


def gradients(change) -> Planting:
    """Give change(gradient, variable) to the optimizer."""

    def apply(original, self, grads, trainable_variables=None):
        changed = [change(grad, variable) for grad, variable in zip(grads, self._trainable_variables, strict=True)]
        original(self, changed, trainable_variables)

    return method(keras.optimizers.Optimizer, "apply", apply)


def steps(wrapper) -> Planting:
    """Let wrapper stand in for the call that takes a training step, and for the one that takes several."""
    return both(method(runtime.Program, "train_step", wrapper), method(runtime.Program, "train_steps", wrapper))


def both(*plantings: Planting) -> Planting:
    """Plant several at once."""

    def plant():
        with ExitStack() as stack:
            for planting in plantings:
                stack.enter_context(planting())
            return stack.pop_all()

    return plant


# ---------------------------------------------------------------- forward


def product(cast):
    """Compute a dense layer's product from operands that are cast, and return to the precision of the net."""

    def call(_original, self, inputs, **_options):
        x = ops.cast(ops.matmul(cast(inputs), cast(self.kernel)), self.compute_dtype)
        return self.activation(x if self.bias is None else x + self.bias.value)

    return call


def missing_first_relu(original, self, x, training=False):
    """Leave out the first of a double convolution's two ReLUs."""
    relus = iter([lambda x: x, ops.relu])
    with patch.object(ops, "relu", lambda x: next(relus)(x)):
        return original(self, x, training=training)


def missing_bias(original, self, *inputs, **options):
    """Add a bias of zeros, so that its gradient is zero; without any, Keras has none on torch and TensorFlow."""
    with patch.object(self, "bias", self.bias.value * 0):
        return original(self, *inputs, **options)


def mask_ignored(original, self, sequences, mask=None, **options):  # noqa: ARG001 - that is the fault
    """Read every example to the end of the padding."""
    return original(self, sequences, **options)


def carrying(change) -> Planting:
    """Carry change(state) from one step to the next."""

    def call(original, self, sequence, states, **options):
        return original(self, sequence, [change(states[0])], **options)

    return layer(extras.SimpleRNNCell, "rnn/cell", call)


def same_padding(original, self, inputs):
    """Pad, and cut the result to the size of a valid convolution."""
    with patch.object(self, "padding", "same"):
        return original(self, inputs)[:, :-2, :-2]


def detached(original, self, inputs, **options):
    """Stop the gradient; what is added makes it zero, for torch takes no gradient that there is not."""
    return original(self, ops.stop_gradient(inputs) + 0 * inputs, **options)


def doubled_gradient(original, self, inputs, training=None):
    """Let the gradient of the kernel count twice, and the kernel once."""
    kernel = self.kernel.value
    with patch.object(self, "_kernel", kernel + (kernel - ops.stop_gradient(kernel))):
        return original(self, inputs, training=training)


def unbiased_variance(original, self, inputs, training=None, mask=None):
    """Correct what has been added to the running variance by n / (n - 1)."""
    kept = self.momentum * ops.copy(self.moving_variance.value)
    outputs = original(self, inputs, training=training, mask=mask)
    if training:
        num_values = inputs.shape[0] * inputs.shape[1] * inputs.shape[2]
        added = self.moving_variance.value - kept
        self.moving_variance.assign(kept + added * num_values / (num_values - 1))
    return outputs


def statistics_in_eval(original, self, inputs, training=None, mask=None):
    """Move the running statistics by a prediction, too."""
    outputs = original(self, inputs, training=training, mask=mask)
    if not training:
        original(self, inputs, training=True, mask=mask)
    return outputs


# ---------------------------------------------------------------- loss and update


def sum_of_squares(_original, _self, y_true, y_pred):
    """Return the sum, which Keras then averages over nothing."""
    return ops.sum(ops.square(y_pred - y_true))


def sum_of_cross_entropies(_original, _self, y_true, y_pred):
    """Return the sum, which Keras then averages over nothing."""
    return ops.sum(ops.binary_crossentropy(y_true, y_pred, from_logits=True))


def frozen_parameter(original, self, grads, trainable_variables=None):
    """Put the last parameter back to where it was."""
    last = self._trainable_variables[-1]
    before = ops.copy(last.value)
    original(self, grads, trainable_variables)
    last.assign(before)


def updated_twice(original, self, grads, trainable_variables=None):
    """Take the same step again."""
    original(self, grads, trainable_variables)
    original(self, grads, trainable_variables)


def build_sums(original, self, variables):
    """Make a variable for the sum of each parameter's gradients."""
    original(self, variables)
    self.sums = self.add_optimizer_variables(variables, "sum")


def apply_sums(original, self, grads, trainable_variables=None):
    """Step along the sums of all gradients so far."""
    for total, grad in zip(self.sums, grads, strict=True):
        self.assign_add(total, grad)
    original(self, [ops.copy(total.value) for total in self.sums], trainable_variables)


def learning_rate_decay(original, self, batch):
    """Halve the rate after a step."""
    value = original(self, batch)
    self._net.optimizer.learning_rate = self._spec.optimizer.learning_rate / 2
    return value


def stale_loss(original, self, batch):
    """Return what the call before should have returned."""
    value = original(self, batch)
    self.last_loss, stale = value, getattr(self, "last_loss", value)
    return stale


PLANTINGS: dict[tuple[str, str], Planting] = {
    ("transposed_weight", "two_layer"): loading(two_layer, "w1", np.transpose),
    ("transposed_weight", "recurrent"): loading(recurrent, "rnn.w_h", np.transpose),
    ("missing_relu", "two_layer"): dense(two_layer, "w1", activation=None),
    ("missing_relu", "autoencoder"): dense(autoencoder, "encoder1", activation=None),
    ("missing_relu", "unet"): layer(unet.DoubleConv, "down1", missing_first_relu),
    ("leaky_relu", "two_layer"): dense(two_layer, "w1", activation="leaky_relu"),
    ("leaky_relu", "autoencoder"): dense(autoencoder, "encoder1", activation="leaky_relu"),
    ("missing_sigmoid", "autoencoder"): dense(autoencoder, "decoder2", activation=None),
    ("missing_bias", "autoencoder"): layer(extras.Dense, "decoder2", missing_bias),
    ("missing_bias", "unet"): layer(layers.Conv2D, "head", missing_bias),
    ("missing_bias", "recurrent"): layer(extras.Dense, "head", missing_bias),
    ("missing_recurrent_bias", "recurrent"): layer(extras.SimpleRNNCell, "rnn/cell", missing_bias),
    ("missing_tanh", "recurrent"): lambda: patch.object(
        recurrent, "SimpleRNNCell", functools.partial(extras.SimpleRNNCell, activation=None)
    ),
    ("mask_ignored", "recurrent"): method(layers.RNN, "call", mask_ignored),
    ("length_off_by_one", "recurrent"): reading("length", lambda length: length - 1),
    ("state_not_carried", "recurrent"): carrying(ops.zeros_like),
    ("batch_and_time_swapped", "recurrent"): reading("x", lambda x: x.swapaxes(0, 1)),
    ("flipped_kernel", "unet"): loading(unet, "down1.conv1.w", lambda w: w[:, :, ::-1, ::-1]),
    ("flipped_transposed_kernel", "unet"): loading(unet, "up4.up.w", lambda w: w[:, :, ::-1, ::-1]),
    ("swapped_channels", "unet"): loading(unet, "up4.up.w", lambda w: w.swapaxes(0, 1)),
    ("same_padding", "unet"): layer(layers.Conv2D, "down1/conv2", same_padding),
    ("average_pool", "unet"): lambda: patch.object(layers, "MaxPooling2D", layers.AveragePooling2D),
    ("crop_offset", "unet"): layer(
        unet.Up, "up4", lambda original, self, x, skip, **options: original(self, x, ops.roll(skip, -1, 1), **options)
    ),
    ("skip_order", "unet"): lambda: patch.object(
        ops, "concatenate", lambda xs, axis, original=ops.concatenate: original(xs[::-1], axis)
    ),
    ("batch_norm_eps", "unet"): lambda: patch.object(unet, "BATCH_NORM_EPS", 1e-3),
    ("batch_norm_momentum", "unet"): lambda: patch.object(unet, "BATCH_NORM_MOMENTUM", 0.9),
    ("eval_for_train", "unet"): method(
        extras.BatchNormalization, "call", lambda original, self, x, **_: original(self, x, training=False)
    ),
    ("train_for_eval", "unet"): method(
        extras.BatchNormalization, "call", lambda original, self, x, **_: original(self, x, training=True)
    ),
    ("unbiased_variance", "unet"): method(extras.BatchNormalization, "call", unbiased_variance),
    ("statistics_in_eval", "unet"): method(extras.BatchNormalization, "call", statistics_in_eval),
    ("dropout_not_rescaled", "unet"): lambda: patch.object(unet, "DROPOUT_RATE", 0.0),
    ("missing_dropout", "unet"): method(
        unet.UNet,
        "call",
        lambda original, self, inputs, **options: original(
            self, {**inputs, "dropout": 1 - unet.DROPOUT_RATE}, **options
        ),
    ),
    ("wrong_layout", "autoencoder"): reading("x", lambda x: x.reshape(-1, 28, 28).swapaxes(1, 2).reshape(x.shape)),
    ("wrong_layout", "unet"): reading("x", lambda x: x.swapaxes(2, 3)),
    ("loss_reduction", "two_layer"): lambda: patch.object(ops, "sum", ops.mean),
    ("loss_reduction", "autoencoder"): method(extras.MeanSquaredError, "call", sum_of_squares),
    ("loss_reduction", "recurrent"): method(extras.BinaryCrossentropy, "call", sum_of_cross_entropies),
    ("loss_reduction", "unet"): method(extras.BinaryCrossentropy, "call", sum_of_cross_entropies),
    ("nan_loss", "two_layer"): lambda: patch.object(ops, "square", lambda x: x * float("nan")),
    ("doubled_gradient", "two_layer"): layer(extras.Dense, "w1", doubled_gradient),
    ("doubled_gradient", "autoencoder"): layer(extras.Dense, "encoder2", doubled_gradient),
    ("detached", "recurrent"): layer(extras.Dense, "head", detached),
    ("truncated_gradient", "recurrent"): carrying(ops.stop_gradient),
    ("detached", "unet"): layer(layers.Conv2D, "head", detached),
    ("ascent", "two_layer"): gradients(lambda grad, _: -grad),
    ("updated_twice", "two_layer"): method(keras.optimizers.Optimizer, "apply", updated_twice),
    ("learning_rate_decay", "two_layer"): steps(learning_rate_decay),
    ("stale_loss", "two_layer"): steps(stale_loss),
    ("adam_eps_hat", "autoencoder"): lambda: patch.object(optimizers, "Adam", keras.optimizers.Adam),
    ("adam_no_bias_correction", "autoencoder"): lambda: patch.object(optimizers.Adam, "iterations", 10**9),
    ("adam_eps", "autoencoder"): hyperparameters(eps=1e-7),
    ("adam_decoupled_decay", "autoencoder"): hyperparameters(name="adamw"),
}
for model, module in MODULES.items():
    PLANTINGS |= {
        ("other_parameters", model): functools.partial(patch.object, module, "load"),
        ("label_shift", model): reading("y", lambda y: np.roll(y, 1, -1)),
        ("learning_rate", model): hyperparameters(learning_rate=lambda right: 2 * right.learning_rate),
        ("frozen_parameter", model): method(keras.optimizers.Optimizer, "apply", frozen_parameter),
        ("gradients_not_cleared", model): both(
            method(keras.optimizers.Optimizer, "build", build_sums),
            method(keras.optimizers.Optimizer, "apply", apply_sums),
        ),
    }
for model in ("two_layer", "recurrent", "unet"):
    PLANTINGS["weight_decay", model] = gradients(lambda grad, variable: grad + 0.01 * variable.value)
for model in ("recurrent", "unet"):
    PLANTINGS |= {
        ("nesterov", model): hyperparameters(name="nesterov"),
        # At 0 itself, Keras makes no velocities.
        ("no_momentum", model): hyperparameters(momentum=sys.float_info.min),
    }
for model, first in FIRST.items():
    PLANTINGS |= {
        ("detached", model): layer(extras.Dense, LAST[model], detached),
        ("float32_inside", model): layer(extras.Dense, first, product(lambda x: ops.cast(x, "float32"))),
        # float16 has the ten bits of TF32.
        ("reduced_precision", model): layer(
            extras.Dense, first, product(lambda x: ops.cast(ops.cast(x, "float16"), "float32"))
        ),
    }
MUTANTS = Mutants(PLANTINGS, inexpressible={})
