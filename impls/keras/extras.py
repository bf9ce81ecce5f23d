"""What Keras leaves to the backend or defines otherwise, by its documented extension points.

- What the layers make: `layer_outputs`.
- Gradients: `Model.value_and_gradients`, by `tf.GradientTape`, `jax.value_and_grad` or `torch.autograd`.
- float64 that stays float64. Keras 3 turns float64 into float32 in its type promotion on JAX and torch ("aligned with
  JAX's default", `keras.backend.result_type`), also after `set_floatx("float64")` and with JAX's x64 on. It rounds in
  `ops.mean` and `BatchNormalization` on both, in `ops.tanh` (thus `SimpleRNNCell`) on JAX, and in `ops.matmul` (thus
  `Dense` and `SimpleRNNCell`) and `ops.divide_no_nan` (thus the mean of the loss) on torch. The subclasses below take
  over in float64 on both, with operations that do not promote. In float32, and on TensorFlow in both precisions, they
  run Keras' own code.
- Numbers: on TensorFlow `ops.cast` makes float32 of a Python float before it makes float64 of that, also inside Keras'
  SGD; it keeps a `numpy.float64`, which is a float too.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from impls.contract import Arrays
from impls.specs import ModelSpec

_FROM_CANONICAL = {"conv": (2, 3, 1, 0), "conv_transpose": (2, 3, 1, 0), "image": (0, 2, 3, 1)}
"""Axes of OIHW → HWIO, IOHW → HWOI and NCHW → NHWC."""
_TO_CANONICAL = {"conv": (3, 2, 0, 1), "conv_transpose": (3, 2, 0, 1), "image": (0, 3, 1, 2)}

_SUFFIXES = {
    "kernel": "w",
    "bias": "b",
    "gamma": "scale",
    "beta": "offset",
    "moving_mean": "mean",
    "moving_variance": "var",
}
_CELL_SUFFIXES = {"kernel": "w_x", "recurrent_kernel": "w_h", "bias": "b_h"}
_PROMOTION_ROUNDS = keras.backend.result_type("float64", "float64") != "float64"


def rounds(dtype: str) -> bool:
    """Tell whether Keras' type promotion on this backend would round values of `dtype`."""
    return _PROMOTION_ROUNDS and dtype == "float64"


# ---------------------------------------------------------------- names and values


def canonical_name(variable: keras.Variable) -> str:
    """Return the canonical name.

    unet/up4/conv1/kernel is up4.conv1.w, recurrent/rnn/cell/kernel is rnn.w_x, and two_layer/w1/kernel is w1.
    """
    model, *layers, tensor = variable.path.split("/")
    if layers[-1] == "cell":
        return ".".join([*layers[:-1], _CELL_SUFFIXES[tensor]])
    return layers[0] if model == "two_layer" else ".".join([*layers, _SUFFIXES[tensor]])


def from_canonical(array: np.ndarray, kind: str) -> np.ndarray:
    """Return a view in Keras' layout; what is no image or convolution keeps its own."""
    return array.transpose(_FROM_CANONICAL[kind]) if array.ndim == 4 and kind in _FROM_CANONICAL else array


def to_canonical(array: np.ndarray, kind: str) -> np.ndarray:
    """Return a view in canonical layout."""
    return array.transpose(_TO_CANONICAL[kind]) if array.ndim == 4 and kind in _TO_CANONICAL else array


def load(net: keras.Model, spec: ModelSpec, params: Arrays) -> None:
    """Give every variable of `net` its value from canonical arrays."""
    for variable in net.weights:
        name = canonical_name(variable)
        variable.assign(from_canonical(params[name], spec.kind(name)))


@contextlib.contextmanager
def layer_outputs(net: keras.Model) -> Iterator[dict[str, Any]]:
    """Yield a dictionary that receives, while the context is open, what each layer with variables makes, by its name.

    Keras has no hooks, so what a layer runs is watched: its `activation`, whose argument is the output before it (Keras
    makes a linear one of None), or where there is no such thing, in BatchNormalization and RNN, its `call`.
    """
    outputs: dict[str, Any] = {}

    def watched(function, name, is_activation):
        def run(x, *args, **kwargs):
            y = function(x, *args, **kwargs)
            outputs[name] = x if is_activation else y
            return y

        return run

    tensors = [canonical_name(variable) for variable in net.weights]
    names = {tensor.rpartition(".")[0] or tensor for tensor in tensors}
    with contextlib.ExitStack() as stack:
        for layer in net._flatten_layers():
            # A layer that has no variables may have no path.
            name = (layer.path or "").partition("/")[2].replace("/", ".")
            if name not in names:
                continue
            if hasattr(layer, "activation"):
                stack.callback(setattr, layer, "activation", layer.activation)
                layer.activation = watched(layer.activation, name, True)
            else:
                stack.callback(delattr, layer, "call")
                layer.call = watched(layer.call, name, False)
        yield outputs


# ---------------------------------------------------------------- gradients


class Model(keras.Model):
    """A `keras.Model` with gradients, and with the loss in its own precision."""

    def value_and_gradients(self, loss, batch):
        """Return (loss(self, batch), its gradients in the order of trainable_variables) in this backend's mode.

        A stateless scope keeps what the forward pass would assign (BatchNorm's statistics) from the variables.
        """
        if not hasattr(self, "_value_and_gradients"):
            self._value_and_gradients = _value_and_gradients(self, loss)
        return self._value_and_gradients(batch)

    def get_metrics_result(self):
        """Return {"loss": mean of the loss since the last reset}, which is the step's own in `train_on_batch`."""
        if not rounds(self.compute_dtype):
            return super().get_metrics_result()
        (mean,) = self.metrics
        return {mean.name: ops.divide(mean.total, mean.count)}


if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    def _value_and_gradients(net, loss):
        @tf.function(jit_compile=net.jit_compile)
        def function(batch):
            with keras.StatelessScope(), tf.GradientTape() as tape:
                value = loss(net, batch)
            return value, tape.gradient(value, net.trainable_variables)

        return function

elif keras.backend.backend() == "jax":
    import jax

    def _value_and_gradients(net, loss):
        def value(trainable, others, batch):
            variables = [*net.trainable_variables, *net.non_trainable_variables]
            mapping = list(zip(variables, [*trainable, *others], strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return loss(net, batch)

        compiled = jax.jit(jax.value_and_grad(value))

        def function(batch):
            trainable = [variable.value for variable in net.trainable_variables]
            others = [variable.value for variable in net.non_trainable_variables]
            return compiled(trainable, others, batch)

        return function

else:
    import torch

    def _value_and_gradients(net, loss):
        def function(batch):
            with keras.StatelessScope():
                value = loss(net, batch)
            return value, torch.autograd.grad(value, [variable.value for variable in net.trainable_variables])

        return function


# ---------------------------------------------------------------- float64 that stays float64


def _mean(x):
    return ops.sum(x) / ops.cast(ops.size(x), x.dtype)


class Dense(keras.layers.Dense):
    """Keras' own; in float64 on JAX and torch without `ops.matmul`, which rounds on torch."""

    def call(self, inputs, training=None):
        """Return activation(inputs · kernel + bias) of (N, in), (N, out)."""
        if not rounds(self.compute_dtype):
            return super().call(inputs, training=training)
        x = ops.einsum("ni,io->no", inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return self.activation(x)


class SimpleRNNCell(keras.layers.SimpleRNNCell):
    """Keras' own; in float64 on JAX and torch without `ops.matmul`, which rounds on torch, and `ops.tanh`, on JAX."""

    def __init__(self, units, activation="tanh", **options):
        super().__init__(units, activation=activation, **options)
        if activation == "tanh" and rounds(self.compute_dtype):
            self.activation = lambda x: 2 * ops.sigmoid(2 * x) - 1

    def call(self, sequence, states, training=False):
        """Return (h, [h]) with h = activation(sequence · kernel + states[0] · recurrent_kernel + bias), (N, units)."""
        if not rounds(self.compute_dtype):
            return super().call(sequence, states, training=training)
        x, h = ops.einsum("ni,ih->nh", sequence, self.kernel), ops.einsum("ng,gh->nh", states[0], self.recurrent_kernel)
        h = self.activation(ops.add(ops.add(x, h), self.bias))
        return h, [h]


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' own; in float64 on JAX and torch without the cast to the promoted type."""

    kernel = None  # the tuned lane's, instead of all that

    def call(self, inputs, training=None, mask=None):
        """Normalise (N, H, W, C) over all but C."""
        if self.kernel is not None:
            return self.kernel(inputs, training)
        if not rounds(self.compute_dtype):
            return super().call(inputs, training=training, mask=mask)
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = ops.moments(inputs, axes=[0, 1, 2])
            self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
            self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return ops.batch_normalization(inputs, mean, variance, -1, self.beta, self.gamma, self.epsilon)


class MeanSquaredError(keras.losses.MeanSquaredError):
    """Keras' own; in float64 on JAX and torch without `ops.mean`."""

    def call(self, y_true, y_pred):
        """Return the losses that Keras still averages, or their mean."""
        if not rounds(self.dtype):
            return super().call(y_true, y_pred)
        return _mean(ops.square(y_pred - y_true))


class BinaryCrossentropy(keras.losses.BinaryCrossentropy):
    """Keras' own; in float64 on JAX and torch without `ops.mean`."""

    def call(self, y_true, y_pred):
        """Return the losses that Keras still averages, or their mean."""
        if not rounds(self.dtype):
            return super().call(y_true, y_pred)
        return _mean(ops.binary_crossentropy(y_true, y_pred, from_logits=self.from_logits))
