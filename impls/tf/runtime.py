"""Runs the TensorFlow nets: threads and devices, the Session, tf.function and XLA, and the layouts at the border."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from impls.contract import Arrays, Variant
from impls.specs import ModelSpec
from impls.tf import net as layouts
from impls.tf.net import Batch, Net
from impls.tf.taps import layer_outputs

TF32_BY_DEFAULT = tf.config.experimental.tensor_float_32_execution_enabled()
"""What a fresh process has, for the table of conventions; of matrix products and convolutions alike."""


def configure(variant: Variant, num_threads: int, device: str) -> dict[str, Any]:
    """Set threads, device and precision policy, once and before any tensor is made.

    A Session that is opened without a configuration takes these settings too, from TensorFlow 2's context.

    Args:
        variant: whose facts to return.
        num_threads: of the pool inside an operation, and of the pool that runs operations side by side.
        device: "cpu" or "gpu".

    Returns:
        {"device", "device_name", "versions", "flags"}, plain values.

    Raises:
        RuntimeError: there is no GPU that TensorFlow can use.
    """
    tf.config.threading.set_intra_op_parallelism_threads(num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(num_threads)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu":
        if not gpus:
            raise RuntimeError(
                "TensorFlow finds no GPU: install a GPU build and its CUDA libraries, or run on the CPU."
            )
        tf.config.set_visible_devices(gpus[0], "GPU")
        tf.config.experimental.set_memory_growth(gpus[0], True)
        device_name = tf.config.experimental.get_device_details(gpus[0])["device_name"]
    else:
        tf.config.set_visible_devices([], "GPU")
        device_name = "CPU"
    return {
        "device": device,
        "device_name": device_name,
        "versions": {"tensorflow": tf.__version__, "numpy": np.__version__},
        "flags": {
            "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
            "tf32": tf.config.experimental.tensor_float_32_execution_enabled(),
            "xla": variant.name == "tf-xla",
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
            "float64": "BatchNorm from moments and batch_normalization: the fused kernel has no float64",
        },
    }


class Program:
    """One net in one of TensorFlow's modes; see `impls.contract.Program`."""

    def __init__(self, implementation: Any, spec: ModelSpec, params: Arrays, variant: Variant) -> None:
        self._implementation = implementation
        self._spec = spec
        self._variant = variant
        self._is_static = variant.name == "tf-graph"
        make = implementation.static_graph if self._is_static else implementation.build
        self._net: Net = make(spec, params)
        self._functions: dict[str, Any] = {}

    def prepare(self, batch: Arrays) -> Batch:
        """Return the batch as NumPy arrays, images NHWC."""
        return {
            name: layouts.from_numpy(array, "image" if array.ndim == 4 else "plain") for name, array in batch.items()
        }

    def compile(self, phase: str, batch: Batch) -> None:
        """Add the phase's nodes to the graph, or trace it; TensorFlow optimises and XLA compiles on the first call."""
        function = self._function(phase)
        if self._variant.name in ("tf-function", "tf-xla"):
            function.get_concrete_function(_inputs(batch) if phase == "forward" else batch)

    def forward(self, batch: Batch) -> Any:
        """Predict in eval mode."""
        return self._function("forward")(_inputs(batch))

    def layers(self, batch: Batch) -> Mapping[str, Any]:
        """Return the output of every layer in train mode: in a Session where that is the mode, else eagerly."""
        function = functools.partial(layer_outputs, self._implementation.loss, self._net)
        return (self._in_session(function) if self._is_static else function)(batch)

    def gradients(self, batch: Batch) -> tuple[Any, Mapping[str, Any]]:
        """Return (loss, gradients by name), in TensorFlow's layout."""
        return self._function("gradients")(batch)

    def train_step(self, batch: Batch) -> Any:
        """Update the variables once; return the loss from before."""
        return self._function("train_step")(batch)

    def synchronize(self) -> None:
        """Wait for the device; a Session has nothing to wait for, since `run` returns when all is computed."""
        if not self._is_static:
            tf.test.experimental.sync_devices()

    def to_numpy(self, value: Any, kind: str = "plain") -> np.ndarray:
        """Return an array in canonical layout."""
        return layouts.to_numpy(value, kind)

    def state(self) -> dict[str, np.ndarray]:
        """Return canonical copies of parameters, statistics and slots."""
        slots = self._net.optimizer.slots if self._net.optimizer else {}
        values = self._net.params | self._net.statistics | slots
        if self._is_static:
            values = self._net.session.run(values)
        return {name: layouts.to_numpy(value, self._spec.kind(name)) for name, value in values.items()}

    def _function(self, phase: str) -> Any:
        """Return what runs `phase` on a batch in this variant's mode, made when it is first asked for."""
        if phase not in self._functions:
            function: Any = functools.partial(getattr(self._implementation, phase), self._net)
            if self._is_static:
                function = self._in_session(function)
            elif self._variant.name != "tf-eager":
                function = tf.function(function, jit_compile=self._variant.name == "tf-xla")
            self._functions[phase] = function
        return self._functions[phase]

    def _in_session(self, function: Callable[[Batch], Any]) -> Callable[[Batch], Any]:
        """Add the nodes of `function` to the static graph; return what feeds a batch and fetches their values."""
        session, placeholders = self._net.session, self._net.placeholders
        with session.graph.as_default():
            fetches = function(placeholders)

        def run(batch: Batch) -> Any:
            return session.run(fetches, feed_dict={placeholders[name]: array for name, array in batch.items()})

        return run


def _inputs(batch: Batch) -> Batch:
    """Return what a prediction needs of a batch, so that nothing else is copied to the device."""
    return {"x": batch["x"]}
