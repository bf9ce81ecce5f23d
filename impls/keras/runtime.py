"""Runs the Keras nets on the backend that KERAS_BACKEND names: threads, device, precision, layouts, `Program`."""

import contextlib
import functools
import importlib.metadata
import os
import platform
from typing import Any

import keras
import numpy as np

from impls.arrays import aligned
from impls.contract import Arrays, Variant
from impls.cuda import plugin_version, why_no_gpu
from impls.keras import ledger
from impls.keras.extras import canonical_name, from_canonical, layer_outputs, to_canonical
from impls.keras.optimizers import SLOTS
from impls.specs import PHASES, TRAINING_INPUTS, ModelSpec

_BACKEND = keras.backend.backend()
if _BACKEND == "tensorflow":
    import tensorflow as tf
elif _BACKEND == "jax":
    import jax
else:
    import torch

Batch = dict[str, Any]
"""Arrays of the host, or where `Program.place` put them: tensors of the backend."""

_device = "cpu"
_device_scope = contextlib.ExitStack()  # left open: the device is the process's


# ---------------------------------------------------------------- the process


def configure(variant: Variant, num_threads: int, device: str, precision: str = "fp32") -> dict[str, Any]:
    """Set threads, device and precision policy of this process, once, before any `Program`.

    Returns:
        Plain facts: device, device_name, versions, flags.

    Raises:
        RuntimeError: KERAS_BACKEND names another backend than the variant's, or `device` is "gpu" and the backend
            sees none.
    """
    global _device
    wanted = dict(variant.env)["KERAS_BACKEND"]
    if wanted != _BACKEND:
        raise RuntimeError(f"{variant.name} needs KERAS_BACKEND={wanted} set before Keras is imported, not {_BACKEND}")
    _device = device
    configure_backend = {"tensorflow": _configure_tensorflow, "jax": _configure_jax, "torch": _configure_torch}
    device_name, flags = configure_backend[_BACKEND](num_threads, device, precision == "tf32")
    if precision == "bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    packages = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "jax": ("jax", "jaxlib"), "torch": ("torch",)}
    versions = {}
    for package in ("keras", *packages[_BACKEND], "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # tensorflow-cpu is tensorflow's other name
            versions[package] = importlib.metadata.version(package)
    flags |= {
        "keras_backend": _BACKEND,
        "jit_compile": f"auto = {keras.Sequential([keras.layers.ReLU()]).jit_compile}",
        "image_data_format": keras.config.image_data_format(),
        "dtype_policy": keras.config.dtype_policy().name,
        "float64": _float64_note(),
    }
    if device == "gpu":
        device = _device_of(keras.ops.convert_to_tensor(np.zeros(1, np.float32)))
    return {"device": device, "device_name": device_name, "versions": versions, "flags": flags}


def _device_of(tensor: Any) -> str:
    """Return where the backend has put a tensor; it is placed and not computed, since JAX would compile for that."""
    if _BACKEND == "jax":
        return next(iter(tensor.devices())).platform
    return "gpu" if "gpu" in str(tensor.device).lower() or "cuda" in str(tensor.device) else "cpu"


def peak_device_memory_bytes() -> int | None:
    """Return the most bytes that the backend's allocator has handed out on the device; None on a CPU."""
    if _device == "cpu":
        return None
    if _BACKEND == "tensorflow":
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    if _BACKEND == "jax":
        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"]
    return torch.cuda.max_memory_allocated()


def _float64_note() -> str:
    if keras.backend.result_type("float64", "float64") == "float64":
        return "Keras' own layers and losses"
    return (
        "own BatchNormalization, mean losses, Dense, SimpleRNNCell (impls/keras/extras.py); Keras' promote to float32"
    )


def _configure_tensorflow(num_threads: int, device: str, allows_tf32: bool) -> tuple[str, dict[str, Any]]:
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        built_for = tf.sysconfig.get_build_info().get("cuda_version")
        raise RuntimeError(why_no_gpu(f"TensorFlow {tf.__version__}", built_for, "tensorflow[and-cuda]"))
    tf.config.set_visible_devices(gpus[:1] if device == "gpu" else [], "GPU")
    if device == "gpu":
        tf.config.experimental.set_memory_growth(gpus[0], True)  # it would take the whole GPU
    tf.config.threading.set_intra_op_parallelism_threads(num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(num_threads)
    tf.config.experimental.enable_tensor_float_32_execution(allows_tf32)
    flags = {
        "intra_op_parallelism_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_parallelism_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "tensor_float_32": tf.config.experimental.tensor_float_32_execution_enabled(),
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""),
    }
    if device == "gpu":
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"), flags
    return _processor(), flags


def _configure_jax(num_threads: int, device: str, allows_tf32: bool) -> tuple[str, dict[str, Any]]:
    os.environ["PJRT_NPROC"] = str(num_threads)  # XLA's CPU client ignores OMP_NUM_THREADS
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if allows_tf32 else "highest")
    jax.config.update("jax_enable_x64", False)  # a float64 Program switches it on for its own calls
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    elif jax.default_backend() != "gpu":
        raise RuntimeError(why_no_gpu(f"JAX {jax.__version__}", plugin_version("jax_cuda{}_plugin"), "jax[cuda13]"))
    flags = {
        "PJRT_NPROC": os.environ["PJRT_NPROC"],
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        "jax_default_matmul_precision": jax.config.jax_default_matmul_precision,
        "XLA_PYTHON_CLIENT_PREALLOCATE": os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", ""),
    }
    return (jax.devices()[0].device_kind if device == "gpu" else _processor()), flags


def _configure_torch(num_threads: int, device: str, allows_tf32: bool) -> tuple[str, dict[str, Any]]:
    if device == "gpu" and not torch.cuda.is_available():
        raise RuntimeError(why_no_gpu(f"torch {torch.__version__}", torch.version.cuda, "a CUDA wheel of torch"))
    _device_scope.enter_context(keras.device("gpu" if device == "gpu" else "cpu"))
    torch.set_num_threads(num_threads)
    torch.set_num_interop_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = allows_tf32
    torch.backends.cudnn.allow_tf32 = allows_tf32
    flags = {
        "num_threads": torch.get_num_threads(),
        "num_interop_threads": torch.get_num_interop_threads(),
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        "mkldnn": torch.backends.mkldnn.enabled,
    }
    return (torch.cuda.get_device_name() if device == "gpu" else _processor()), flags


def _processor() -> str:
    return platform.processor() or platform.machine()


@contextlib.contextmanager
def _float64():
    """Make float64 Keras' default and allow it in JAX; both are settings of the process, so put them back.

    `set_floatx` decides the type of losses, metrics, the learning rate and Python numbers; the dtype policy that of
    layers.
    """
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    with jax.enable_x64(True) if _BACKEND == "jax" else contextlib.nullcontext():
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        try:
            yield
        finally:
            keras.config.set_floatx(floatx)
            keras.config.set_dtype_policy(policy)


# ---------------------------------------------------------------- the net


class Program:
    """One net in one variant; see `impls.contract.Program`."""

    def __init__(self, implementation: Any, spec: ModelSpec, params: Arrays, variant: Variant) -> None:
        """Build the net; a float64 program sets and restores the process's precision around every call."""
        self._spec = spec
        self._is_tuned = variant.lane == "tuned"
        self._dtype = params[spec.params[0].name].dtype
        self._precision = _float64 if self._dtype == np.float64 else contextlib.nullcontext
        self._implementation = implementation
        with self._precision():
            self._net = implementation.build(spec, params)
            self._net.optimizer.build(self._net.trainable_variables)
            self._first_value = self._net.trainable_variables[0].value
        self._functions = self._make_functions()
        self._graphs: dict[str, Any] = {}

    def _make_functions(self) -> dict[str, Any]:
        """Return what runs each phase in this variant's mode."""
        if self._is_tuned:
            from impls.keras import tuned  # here, because it imports TensorFlow

            return tuned.functions(self._implementation, self._net)
        return {phase: functools.partial(getattr(self._implementation, phase), self._net) for phase in PHASES}

    def prepare(self, batch: Arrays) -> Batch:
        """Return aligned NumPy arrays, images channels last."""
        return {name: aligned(from_canonical(array, "image"), self._dtype) for name, array in batch.items()}

    def place(self, batch: Batch) -> Batch:
        """Return tensors of the backend on its device; Keras' calls take them in the place of arrays."""
        with self._precision():
            return {name: keras.ops.convert_to_tensor(array) for name, array in batch.items()}

    def stack(self, batches: list[Batch]) -> Batch:
        """Return the batches one after the other on a new first axis."""
        return {name: aligned(np.stack([batch[name] for batch in batches])) for name in batches[0]}

    def trace(self, phase: str, batch: Batch) -> None:
        """Trace a `tf.function` of the tuned lane. Keras' own functions are only made: no public call traces them."""
        with self._precision():
            if self._is_tuned:
                self._graphs[phase] = self._functions[phase].get_concrete_function(_inputs(phase, batch))
            elif phase == "train_step":
                self._net.make_train_function()
            else:
                self._net.make_predict_function()

    def compile(self, phase: str, batch: Batch) -> None:
        """Do nothing: TensorFlow optimises a graph, and XLA compiles one, in the first call."""

    def forward(self, batch: Batch) -> Any:
        """Predict in eval mode; return an array, or in the tuned lane a tensor."""
        with self._precision():
            return self._functions["forward"](_inputs("forward", batch))

    def layers(self, batch: Batch) -> dict[str, Any]:
        """Return every layer's output in train mode, eagerly; a stateless scope keeps the statistics as they are."""
        with self._precision(), keras.StatelessScope(), layer_outputs(self._net) as outputs:
            self._implementation.loss(self._net, batch)
        return outputs

    def gradients(self, batch: Batch) -> tuple[Any, dict[str, Any]]:
        """Return (loss, gradients by canonical name); a stateless scope keeps the statistics as they are."""
        with self._precision():
            loss, grads = self._implementation.gradients(self._net, batch)
        names = [canonical_name(variable) for variable in self._net.trainable_variables]
        return loss, dict(zip(names, grads, strict=True))

    def train_step(self, batch: Batch) -> Any:
        """Update once; return the loss from before, a Python float, or in the tuned lane a tensor."""
        with self._precision():
            return self._functions["train_step"](batch)

    def train_steps(self, batches: Batch) -> Any:
        """Update once for each batch of a stack; return the losses from before."""
        with self._precision():
            return self._functions["train_steps"](batches)

    def ledger(self, phase: str) -> dict[str, str]:
        """Return `impls.keras.ledger`'s entries; "unknown" of what Keras keeps to itself until the first call."""
        net = self._net
        return {
            "layout": ledger.layout(net),
            "donation": ledger.donation(self._first_value),
            "synchronisation": self._synchronisation(),
            "compiler": self._compiler(phase),
            "caches": ledger.caches(),
            "precision": f"{ledger.dtypes(net)}; {ledger.tf32()}",
        }

    def _synchronisation(self) -> str:
        if not self._is_tuned:
            return "every call returns host values"
        return "once per block" if _device == "gpu" else "none needed: calls wait"  # the tuned lane is TensorFlow's

    def _compiler(self, phase: str) -> str:
        if self._is_tuned:
            return ledger.graph_compiler(self._graphs.get(phase))
        made = self._net.predict_function if phase == "forward" else self._net.train_function
        return ledger.compiler(self._net, made)

    def synchronize(self) -> None:
        """Wait for the parameters; the outputs of Keras' calls are on the host already.

        On a CPU, TensorFlow and torch return from a call when all is computed.
        """
        if _BACKEND == "jax":
            jax.block_until_ready([variable.value for variable in self._net.variables])
        elif _device == "gpu" and _BACKEND == "tensorflow":
            tf.test.experimental.sync_devices()
        elif _device == "gpu":
            torch.cuda.synchronize()

    def to_numpy(self, value: Any, kind: str = "plain") -> np.ndarray:
        """Return an array in canonical layout; a Python float, as Keras gives its losses, in the net's dtype."""
        if isinstance(value, float):
            return np.asarray(value, self._dtype)
        array = to_canonical(keras.ops.convert_to_numpy(value), kind)
        return np.array(array, self._dtype if array.dtype.itemsize == 2 else None, order="C")  # two bytes: bfloat16

    def state(self) -> dict[str, np.ndarray]:
        """Return canonical copies of parameters, statistics and slots."""
        named = {canonical_name(variable): variable for variable in self._net.weights}
        state = {name: self.to_numpy(variable.value, self._spec.kind(name)) for name, variable in named.items()}
        for slot in self._spec.optimizer.slots:
            variables = getattr(self._net.optimizer, SLOTS[slot])
            for param, variable in zip(self._net.trainable_variables, variables, strict=True):
                name = canonical_name(param)
                state[f"{slot}/{name}"] = self.to_numpy(variable.value, self._spec.kind(name))
                if slot == "velocity":  # Keras folds the rate in: v ← momentum·v − lr·g; p ← p + v
                    state[f"{slot}/{name}"] /= -(self._spec.optimizer.learning_rate or 1.0)
        return state


def _inputs(phase: str, batch: Batch) -> Batch:
    """Return what a phase reads of a batch, so that nothing else is copied to the device."""
    if phase != "forward":
        return batch
    return {name: array for name, array in batch.items() if name not in TRAINING_INPUTS}
