"""Runs the TensorFlow nets: threads and devices, the Session, tf.function and XLA, and the layouts at the border."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from impls.arrays import aligned
from impls.contract import Arrays, Variant
from impls.cuda import why_no_gpu
from impls.specs import TRAINING_INPUTS, ModelSpec
from impls.tf import ledger, mixed, sessions, tuned
from impls.tf import net as layouts
from impls.tf.net import Batch, Net
from impls.tf.sessions import SessionFunction
from impls.tf.taps import layer_outputs

_precision = "fp32"

TF32_BY_DEFAULT = tf.config.experimental.tensor_float_32_execution_enabled()
"""What a fresh process has, for the table of conventions; of matrix products and convolutions alike."""


def configure(variant: Variant, num_threads: int, device: str, precision: str = "fp32") -> dict[str, Any]:
    """Set threads, device and precision policy, once and before any tensor is made.

    A Session that is opened without a configuration takes these settings too, from TensorFlow 2's context.

    Args:
        variant: whose facts to return.
        num_threads: of the pool inside an operation, and of the pool that runs operations side by side.
        device: "cpu" or "gpu".
        precision: one of `impls.contract.PRECISIONS`.

    Returns:
        {"device", "device_name", "versions", "flags"}, plain values.

    Raises:
        RuntimeError: there is no GPU that TensorFlow can use; the message says why.
    """
    global _precision
    _precision = precision
    tf.config.threading.set_intra_op_parallelism_threads(num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(num_threads)
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu":
        if not gpus:
            built_for = tf.sysconfig.get_build_info().get("cuda_version")
            raise RuntimeError(why_no_gpu(f"TensorFlow {tf.__version__}", built_for, "tensorflow[and-cuda]"))
        tf.config.set_visible_devices(gpus[0], "GPU")
        tf.config.experimental.set_memory_growth(gpus[0], True)  # it would take the whole GPU
        device = "gpu" if (tf.zeros(1) + 1).device.endswith("GPU:0") else "cpu"
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


def peak_device_memory_bytes() -> int | None:
    """Return the most bytes that TensorFlow's allocator has handed out on the device; None on a CPU."""
    if not tf.config.get_visible_devices("GPU"):
        return None
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def synchronize() -> None:
    """Wait for the device; on a CPU every call has waited."""
    if tf.config.get_visible_devices("GPU"):
        tf.test.experimental.sync_devices()


class Program:
    """One net in one of TensorFlow's modes; see `impls.contract.Program`."""

    def __init__(self, implementation: Any, spec: ModelSpec, params: Arrays, variant: Variant) -> None:
        self._implementation = implementation
        self._spec = spec
        self._variant = variant
        self._is_tuned = variant.lane == "tuned"
        self._num_steps = variant.num_steps(spec.model)
        self._dtype = params[spec.params[0].name].dtype
        self._is_mixed = _precision == "bf16" and self._dtype == np.float32
        self._is_static = self._is_tuned or variant.name == "tf-graph"
        self._runs_ahead = not self._is_static and bool(tf.config.get_visible_devices("GPU"))
        make = implementation.static_graph if self._is_static else implementation.build
        self._net: Net = make(spec, params)
        self._functions: dict[str, Any] = {}

    def prepare(self, batch: Arrays) -> Batch:
        """Return the batch as aligned NumPy arrays, images NHWC."""
        return {
            name: aligned(layouts.from_numpy(array, "image" if array.ndim == 4 else "plain"))
            for name, array in batch.items()
        }

    def place(self, batch: Batch) -> Batch:
        """Return tensors on the device, or of a static graph, names of tensors that stay in its Session."""
        if self._is_static:
            return sessions.place(self._net.session, batch)
        return {name: tf.constant(array) for name, array in batch.items()}

    def stack(self, batches: list[Batch]) -> Batch:
        """Return the batches one after the other on a new first axis."""
        return {name: aligned(np.stack([batch[name] for batch in batches])) for name in batches[0]}

    def trace(self, phase: str, batch: Batch) -> None:
        """Add the phase's nodes to the static graph, or trace the function. Eager, do nothing."""
        function = self._function(phase)
        if self._is_static:
            function.trace(_inputs(phase, batch))
        elif self._variant.mode != "eager":
            function.get_concrete_function(_inputs(phase, batch))

    def compile(self, phase: str, batch: Batch) -> None:
        """Optimise a tuned graph and make its kernels; in other variants the first call does it, and XLA's work."""
        if self._is_static:
            self._function(phase).compile(_inputs(phase, batch))

    def forward(self, batch: Batch) -> Any:
        """Predict in eval mode."""
        return self._function("forward")(_inputs("forward", batch))

    def layers(self, batch: Batch) -> Mapping[str, Any]:
        """Return the output of every layer in train mode: in a Session where that is the mode, else eagerly."""
        function = self._lowered(functools.partial(layer_outputs, self._implementation.loss, self._net))
        return (self._in_session("layers", function, self._net.placeholders) if self._is_static else function)(batch)

    def gradients(self, batch: Batch) -> tuple[Any, Mapping[str, Any]]:
        """Return (loss, gradients by name), in TensorFlow's layout."""
        return self._function("gradients")(batch)

    def train_step(self, batch: Batch) -> Any:
        """Update the variables once; return the loss from before."""
        return self._function("train_step")(batch)

    def train_steps(self, batches: Batch) -> Any:
        """Update the variables once for each batch of a stack; return the losses from before, (num_steps,)."""
        return self._function("train_steps")(batches)

    def ledger(self, phase: str) -> dict[str, str]:
        """Return `impls.tf.ledger`'s entries."""
        function = self._function(phase)
        zeros = self.prepare({name: np.zeros(shape, self._dtype) for name, shape in self._spec.inputs.items()})
        batch = _inputs(phase, self.stack([zeros] * self._num_steps) if phase == "train_steps" else zeros)
        if self._is_static:
            facts = ledger.of_session(function, batch)
        else:
            facts = ledger.of_eager() if self._variant.mode == "eager" else ledger.of_tf_function(function, batch)
        waits = "every call returns host values" if self._is_static else "none needed: calls wait"
        return {
            **facts,
            "synchronisation": "tf.test.experimental.sync_devices, once per block" if self._runs_ahead else waits,
            "precision": ledger.precision(self._dtype, self._is_mixed),
        }

    def synchronize(self) -> None:
        """Wait for the device. A Session's `run`, and on a CPU every call, returns when all is computed.

        Where there is nothing to wait for, `sync_devices` is left out: it makes the calls after it slower.
        """
        if self._runs_ahead:
            tf.test.experimental.sync_devices()

    def to_numpy(self, value: Any, kind: str = "plain") -> np.ndarray:
        """Return an array in canonical layout."""
        return layouts.to_numpy(value, kind)

    def state(self) -> dict[str, np.ndarray]:
        """Return canonical copies of parameters, statistics and slots."""
        optimizer = self._net.optimizer
        values = self._net.params | self._net.statistics | (optimizer.slots if optimizer else {})
        if self._is_static:
            values = self._net.session.run(values)
        arrays = {name: layouts.to_numpy(value, self._spec.kind(name)) for name, value in values.items()}
        if optimizer:
            for name in optimizer.slots:
                arrays[name] /= optimizer.slot_factors.get(name.partition("/")[0], 1)
        return arrays

    def _function(self, phase: str) -> Any:
        """Return what runs `phase` on a batch in this variant's mode, made when it is first asked for."""
        if phase not in self._functions:
            self._functions[phase] = self._make_function(phase)
        return self._functions[phase]

    def _make_function(self, phase: str) -> Any:
        if phase == "train_steps":
            return self._in_session(
                phase,
                self._lowered(functools.partial(tuned.train_steps, self._implementation.train_step, self._net)),
                tuned.stacked(self._net, self._num_steps),
            )
        function = self._lowered(functools.partial(getattr(self._implementation, phase), self._net))
        if self._is_static:
            return self._in_session(phase, function, self._net.placeholders)
        if self._variant.mode == "eager":
            return function
        return tf.function(function, jit_compile=self._variant.mode == "compiled")

    def _lowered(self, function: Callable[[Batch], Any]) -> Callable[[Batch], Any]:
        return mixed.in_bfloat16(function) if self._is_mixed else function

    def _in_session(self, phase: str, function: Callable[[Batch], Any], placeholders: Batch) -> SessionFunction:
        if not self._is_tuned:
            return SessionFunction(self._net.session, placeholders, function)
        is_chain = phase == "forward" or self._spec.model == "two_layer"
        return tuned.CallableFunction(self._net.session, placeholders, function, is_chain)


def _inputs(phase: str, batch: Batch) -> Batch:
    """Return what a phase needs of a batch, so that nothing else is copied to the device."""
    if phase != "forward":
        return batch
    return {name: array for name, array in batch.items() if name not in TRAINING_INPUTS}
