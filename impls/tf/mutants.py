"""How to make each of the mistakes in `impls.faults` with TensorFlow."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf

from impls.faults import Mutants, Planting
from impls.tf import autoencoder, optimizers, recurrent, two_layer, unet
from impls.tf.runtime import Program

MODELS = {"two_layer": two_layer, "autoencoder": autoencoder, "recurrent": recurrent, "unet": unet}
Wrong = Callable[..., Any]
"""Called with the right function, and then with that one's arguments."""


# ---------------------------------------------------------------- ways to plant


def wrong(owner: Any, name: str, function: Wrong) -> Planting:
    """Replace a function or method by `function`."""

    def planting() -> AbstractContextManager[object]:
        right = getattr(owner, name)

        def planted(*args: Any, **options: Any) -> Any:
            return function(right, *args, **options)

        return mock.patch.object(owner, name, planted)

    return planting


def wrong_at(owner: Any, name: str, variable: str, function: Wrong) -> Planting:
    """Replace an operation where its second argument is the variable called so (or ends so), nowhere else."""

    def at(right: Wrong, x: Any, w: Any, *args: Any) -> Any:
        is_there = w.name.removesuffix(":0").endswith(variable)
        return function(right, x, w, *args) if is_there else right(x, w, *args)

    return wrong(owner, name, at)


def constant(owner: Any, name: str, value: object) -> Planting:
    """Replace a constant."""
    return lambda: mock.patch.object(owner, name, value)


def both(*plantings: Planting) -> Planting:
    """Plant several."""

    @contextmanager
    def planted() -> Any:
        with ExitStack() as stack:
            yield [stack.enter_context(planting()) for planting in plantings]

    return planted


def steps(function: Wrong) -> Planting:
    """Replace the call that takes a training step, and the one that takes several."""
    return both(wrong(Program, "train_step", function), wrong(Program, "train_steps", function))


def optimizer(module: ModuleType, rate: float = 1.0, **changes: Any) -> Planting:
    """Build with an optimizer of `rate` times the specified learning rate, and with other `changes`."""

    def build(right: Wrong, spec: Any, params: Any) -> Any:
        learning_rate = rate * spec.optimizer.learning_rate
        changed = dataclasses.replace(spec.optimizer, learning_rate=learning_rate, **changes)
        return right(dataclasses.replace(spec, optimizer=changed), params)

    return wrong(module, "build", build)


def batches(change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> Planting:
    """Change a batch, in canonical layout, before the program gets it."""
    return wrong(Program, "prepare", lambda right, self, batch: right(self, change(batch)))


def step_gradients(change: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> Planting:
    """Change what the two-layer net's step makes of (variables, gradients), but not the gradients that it reports."""

    def gradients(right: Wrong, net: Any, batch: Any) -> Any:
        value, grads = right(net, batch)
        return value, change(net.params, grads)

    def train_step(right: Wrong, net: Any, batch: Any) -> Any:
        with wrong(two_layer, "gradients", gradients)():
            return right(net, batch)

    return wrong(two_layer, "train_step", train_step)


# ---------------------------------------------------------------- mistakes


def other_parameters(right: Wrong, spec: Any, params: Any) -> Any:
    """Draw with another seed."""
    return right(spec, spec.initial(1, params[spec.params[0].name].dtype))


def first_relu_missing(num_relus: int) -> Planting:
    """Leave out the first of `num_relus` that a pass through the net calls."""
    is_first = itertools.cycle([True] + [False] * (num_relus - 1))
    return wrong(tf.nn, "relu", lambda right, x: x if next(is_first) else right(x))


def swapped_sides(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Swap height and width, of the autoencoder's flat images of 28×28 too."""
    images = {name: x.reshape(len(x), -1, 28, 28) if x.ndim == 2 else x for name, x in batch.items()}
    return {name: x.swapaxes(2, 3).reshape(batch[name].shape) for name, x in images.items()}


def shifted_labels(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Shift y by one, along its last axis."""
    return batch | {"y": np.roll(batch["y"], 1, axis=-1)}


def without_bias(right: Wrong, x: Any, b: Any) -> Any:
    """Add zeros, through which no gradient comes."""
    return right(x, 0 * b)


def flipped(right: Wrong, x: Any, w: Any, *args: Any) -> Any:
    """Turn the kernel (H, W, …) by 180°."""
    return right(x, tf.reverse(w, [0, 1]), *args)


def same_padding(right: Wrong, x: Any, w: Any, strides: int, padding: str) -> Any:
    """Pad, and keep as much of the result as VALID would have left."""
    height, width = right(x, w, strides, padding).shape[1:3]
    return right(x, w, strides, "SAME")[:, :height, :width]


def in_float32(right: Wrong, x: Any, w: Any) -> Any:
    """Multiply in float32."""
    return tf.cast(right(tf.cast(x, tf.float32), tf.cast(w, tf.float32)), w.dtype)


def in_ten_bits(right: Wrong, x: Any, w: Any) -> Any:
    """Round the operands to float16's mantissa, which is TF32's."""
    return right(*(tf.cast(tf.cast(operand, tf.float16), w.dtype) for operand in (x, w)))


def detached(right: Wrong, x: Any, *args: Any) -> Any:
    """Let no gradient through: zero, for TensorFlow would answer None, and refuse to go on."""
    return right(tf.stop_gradient(x) + 0 * x, *args)


def doubled(name: str) -> Wrong:
    """Count the gradient of `name` twice."""

    def gradients(right: Wrong, net: Any, batch: Any) -> Any:
        value, grads = right(net, batch)
        return value, grads | {name: 2 * grads[name]}

    return gradients


def frozen(variable: str) -> Wrong:
    """Let the rate be 0 for one parameter; its slots go on."""

    def update(right: Wrong, self: Any, name: str, grad: Any, numbers: Any) -> Any:
        return right(self, name, grad, numbers | {"lr": 0 * numbers["lr"]} if name == variable else numbers)

    return update


def decayed_weights(right: Wrong, self: Any, name: str, grad: Any, numbers: Any) -> Any:
    """Add a hundredth of the parameter to its gradient."""
    return right(self, name, grad + 0.01 * self.params[name], numbers)


def stepped_twice(right: Wrong, net: Any, batch: Any) -> Any:
    """Step, and step again."""
    value = right(net, batch)
    with tf.control_dependencies([value]), tf.control_dependencies([right(net, batch)]):
        return tf.identity(value)


def decayed(right: Wrong, self: Any, batch: Any) -> Any:
    """Halve the rate after a step, and build the next one anew."""
    value = right(self, batch)
    rate = self._net.spec.optimizer.learning_rate / 2
    changed = dataclasses.replace(self._net.spec.optimizer, learning_rate=rate)
    self._net.spec = dataclasses.replace(self._net.spec, optimizer=changed)
    self._functions.clear()
    return value


def stale(right: Wrong, self: Any, batch: Any) -> Any:
    """Return what the call before returned."""
    value = right(self, batch)
    last, self.last = getattr(self, "last", value), value
    return last


def eps_hat(right: Wrong, self: Any, dtype: Any) -> Any:
    """Add epsilon to √v as it is."""
    return right(self, dtype) | {"epsilon": tf.constant(self.spec.eps, dtype)}


def unbiased(right: Wrong, net: Any, layer: str, x: Any, seen: Any) -> Any:
    """Correct the variance that the running one takes up."""
    y = right(net, layer, x, seen)
    if seen is not None:
        num_values = math.prod(x.shape[:3])
        seen[f"{layer}.var"] *= num_values / (num_values - 1)
    return y


def moved_by_prediction(right: Wrong, net: Any, layer: str, x: Any, seen: Any) -> Any:
    """In eval mode, average the batch's statistics into the running ones after use."""
    y = right(net, layer, x, seen)
    if seen is not None:
        return y
    moments: dict[str, Any] = {}
    right(net, layer, x, moments)
    with tf.control_dependencies([y]):
        running = {name: net.statistics[name] for name in moments}
        moves = [running[name].assign_sub(0.1 * (running[name] - moments[name])) for name in moments]
    with tf.control_dependencies(moves):
        return tf.identity(y)


# ---------------------------------------------------------------- what is planted where

MUTANTS = Mutants(
    plantings={
        **{("other_parameters", name): wrong(module, "build", other_parameters) for name, module in MODELS.items()},
        ("transposed_weight", "two_layer"): wrong_at(
            tf, "matmul", "w1", lambda right, x, w: right(x, w, transpose_b=True)
        ),
        ("transposed_weight", "recurrent"): wrong_at(
            tf, "matmul", "rnn.w_h", lambda right, x, w: right(x, w, transpose_b=True)
        ),
        ("missing_relu", "two_layer"): first_relu_missing(1),
        ("missing_relu", "autoencoder"): first_relu_missing(3),
        ("missing_relu", "unet"): first_relu_missing(18),
        ("leaky_relu", "two_layer"): constant(tf.nn, "relu", tf.nn.leaky_relu),
        ("leaky_relu", "autoencoder"): constant(tf.nn, "relu", tf.nn.leaky_relu),
        ("missing_sigmoid", "autoencoder"): constant(tf.nn, "sigmoid", tf.identity),
        ("missing_bias", "autoencoder"): wrong_at(tf.nn, "bias_add", "decoder2.b", without_bias),
        ("missing_bias", "unet"): wrong_at(tf.nn, "bias_add", "head.b", without_bias),
        ("missing_bias", "recurrent"): wrong_at(tf.nn, "bias_add", "head.b", without_bias),
        ("missing_recurrent_bias", "recurrent"): wrong_at(tf.nn, "bias_add", "rnn.b_h", without_bias),
        ("missing_tanh", "recurrent"): constant(tf, "tanh", tf.identity),
        ("mask_ignored", "recurrent"): wrong(tf, "where", lambda *args: args[2]),
        ("length_off_by_one", "recurrent"): batches(lambda batch: batch | {"length": batch["length"] - 1}),
        ("state_not_carried", "recurrent"): wrong_at(tf, "matmul", "rnn.w_h", lambda right, h, w: right(0 * h, w)),
        ("batch_and_time_swapped", "recurrent"): batches(lambda batch: batch | {"x": batch["x"].swapaxes(0, 1)}),
        ("flipped_kernel", "unet"): wrong(tf.nn, "conv2d", flipped),
        ("flipped_transposed_kernel", "unet"): wrong(tf.nn, "conv2d_transpose", flipped),
        ("swapped_channels", "unet"): wrong(
            tf.nn, "conv2d_transpose", lambda right, x, w, *args: right(x, tf.transpose(w, [0, 1, 3, 2]), *args)
        ),
        ("same_padding", "unet"): wrong_at(tf.nn, "conv2d", "conv2.w", same_padding),
        ("average_pool", "unet"): constant(tf.nn, "max_pool2d", tf.nn.avg_pool2d),
        ("crop_offset", "unet"): wrong(
            unet, "up", lambda right, net, block, x, skip, seen: right(net, block, x, tf.roll(skip, -1, axis=1), seen)
        ),
        ("skip_order", "unet"): wrong(tf, "concat", lambda right, values, axis: right(values[::-1], axis)),
        ("batch_norm_eps", "unet"): constant(unet, "BATCH_NORM_EPS", 1e-3),
        ("eval_for_train", "unet"): wrong(
            unet, "batch_norm", lambda right, net, layer, x, _: right(net, layer, x, None)
        ),
        ("train_for_eval", "unet"): wrong(
            unet, "batch_norm", lambda right, net, layer, x, seen: right(net, layer, x, {} if seen is None else seen)
        ),
        ("dropout_not_rescaled", "unet"): constant(unet, "DROPOUT_RATE", 0.0),
        ("missing_dropout", "unet"): both(
            constant(unet, "DROPOUT_RATE", 0.0),
            batches(lambda batch: batch | {"dropout": np.ones_like(batch["dropout"])}),
        ),
        ("wrong_layout", "autoencoder"): batches(swapped_sides),
        ("wrong_layout", "unet"): batches(swapped_sides),
        ("float32_inside", "two_layer"): wrong_at(tf, "matmul", "w1", in_float32),
        ("float32_inside", "autoencoder"): wrong_at(tf, "matmul", "encoder1.w", in_float32),
        ("reduced_precision", "two_layer"): wrong_at(tf, "matmul", "w1", in_ten_bits),
        ("reduced_precision", "autoencoder"): wrong_at(tf, "matmul", "encoder1.w", in_ten_bits),
        ("loss_reduction", "two_layer"): constant(tf, "reduce_sum", tf.reduce_mean),
        ("loss_reduction", "autoencoder"): constant(tf, "reduce_mean", tf.reduce_sum),
        ("loss_reduction", "recurrent"): constant(tf, "reduce_mean", tf.reduce_sum),
        ("loss_reduction", "unet"): constant(tf, "reduce_mean", tf.reduce_sum),
        **{("label_shift", name): batches(shifted_labels) for name in MODELS},
        ("nan_loss", "two_layer"): wrong(tf, "reduce_sum", lambda right, x: math.nan * right(x)),
        ("detached", "two_layer"): wrong_at(tf, "matmul", "w2", detached),
        ("detached", "autoencoder"): wrong_at(tf, "matmul", "decoder2.w", detached),
        ("detached", "recurrent"): wrong_at(tf, "matmul", "head.w", detached),
        ("truncated_gradient", "recurrent"): wrong_at(
            tf, "matmul", "rnn.w_h", lambda right, h, w: right(tf.stop_gradient(h), w)
        ),
        ("detached", "unet"): wrong_at(tf.nn, "conv2d", "head.w", detached),
        ("doubled_gradient", "two_layer"): wrong(two_layer, "gradients", doubled("w1")),
        ("doubled_gradient", "autoencoder"): wrong(autoencoder, "gradients", doubled("encoder2.w")),
        **{("learning_rate", name): optimizer(module, rate=2) for name, module in MODELS.items()},
        ("ascent", "two_layer"): optimizer(two_layer, rate=-1),
        ("frozen_parameter", "two_layer"): step_gradients(lambda _, grads: grads | {"w2": 0 * grads["w2"]}),
        ("frozen_parameter", "autoencoder"): wrong(optimizers.Adam, "update", frozen("decoder2.b")),
        **{
            ("frozen_parameter", name): wrong(optimizers.Momentum, "update", frozen("head.b"))
            for name in ("recurrent", "unet")
        },
        ("updated_twice", "two_layer"): wrong(two_layer, "train_step", stepped_twice),
        ("learning_rate_decay", "two_layer"): steps(decayed),
        ("weight_decay", "two_layer"): step_gradients(
            lambda params, grads: {name: grad + 0.01 * params[name] for name, grad in grads.items()}
        ),
        **{
            ("weight_decay", name): wrong(optimizers.Momentum, "update", decayed_weights)
            for name in ("recurrent", "unet")
        },
        **{("nesterov", name): optimizer(MODELS[name], name="nesterov") for name in ("recurrent", "unet")},
        **{("no_momentum", name): optimizer(MODELS[name], momentum=0.0) for name in ("recurrent", "unet")},
        ("adam_eps_hat", "autoencoder"): wrong(optimizers.Adam, "numbers", eps_hat),
        ("adam_no_bias_correction", "autoencoder"): wrong(
            optimizers.Adam,
            "numbers",
            lambda right, self, dtype: eps_hat(right, self, dtype) | optimizers.Optimizer.numbers(self, dtype),
        ),
        ("adam_eps", "autoencoder"): optimizer(autoencoder, eps=1e-7),
        ("adam_decoupled_decay", "autoencoder"): optimizer(autoencoder, name="adamw"),
        ("batch_norm_momentum", "unet"): constant(unet, "BATCH_NORM_MOMENTUM", 0.9),
        ("unbiased_variance", "unet"): wrong(unet, "batch_norm", unbiased),
        ("statistics_in_eval", "unet"): wrong(unet, "batch_norm", moved_by_prediction),
        ("stale_loss", "two_layer"): steps(stale),
    },
    inexpressible={
        ("gradients_not_cleared", ""): (
            "tf.gradients and a tape return gradients as new tensors: there is no buffer that keeps those of a step."
        ),
    },
)
