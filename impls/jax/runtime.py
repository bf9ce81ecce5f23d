"""Runs the JAX nets: threads and precision, jit, layouts, and the state between steps."""

import functools
import importlib.metadata
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import jax
import numpy as np

from impls.arrays import aligned
from impls.contract import Arrays, Variant
from impls.cuda import plugin_version, why_no_gpu
from impls.jax import ledger, mixed
from impls.specs import ModelSpec, TensorSpec

_LAYER_TENSORS = {"w": "kernel", "b": "bias", "offset": "bias"}
"""Flax's word for a canonical tensor of a layer, where it differs."""

_SLOT_FIELDS = {"velocity": "trace", "m": "mu", "v": "nu", "s": "nu"}
"""The field of Optax's states that holds a canonical slot."""

FROM_CANONICAL = {"conv": (2, 3, 1, 0), "conv_transpose": (2, 3, 1, 0), "image": (0, 2, 3, 1)}
"""Axes of OIHW → HWIO, IOHW → HWOI (`transpose_kernel=True` takes the kernel of the convolution that it transposes,
whose input is the transposed one's output) and NCHW → NHWC."""

_TO_CANONICAL = {"conv": (3, 2, 0, 1), "conv_transpose": (3, 2, 0, 1), "image": (0, 3, 1, 2)}

JAX_DEFAULTS = {name: getattr(jax.config, name) for name in ("jax_enable_x64", "jax_default_matmul_precision")}
"""Settings as JAX has them, read before `configure` changes them."""


MATMUL_PRECISIONS = {"fp32": "highest", "tf32": "tensorfloat32", "bf16": "highest"}
"""What JAX calls the precisions of float32 products; it means convolutions too. In bf16 the operands have that type."""

_precision = "fp32"

FLOAT64_OPTIONS = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}
"""Of XLA's CPU compiler, for float64 programs, which prove the function and are never timed. LLVM at level 1 spends a
third less on the U-Net's training step, and XLA's older code generator half of the rest; the code is about as fast."""


def _identity(function: Callable, **_: Any) -> Callable:
    return function


TRANSFORMS: dict[str, Callable[..., Any]] = {"compiled": jax.jit, "eager": _identity}
"""What a variant's mode does to a function, with the options of `jax.jit`."""


def configure(variant: Variant, num_threads: int, device: str, precision: str = "fp32") -> dict[str, Any]:
    """Set threads, device and precision for the whole process, before JAX makes its client.

    XLA's CPU client sizes its thread pools by `PJRT_NPROC`, which it reads when the first array is made; it ignores
    `OMP_NUM_THREADS`.

    Returns:
        Plain facts: device, device_name, versions, flags.

    Raises:
        RuntimeError: `device` is "gpu" and JAX sees none; the message says why.
    """
    global _precision
    _precision = precision
    os.environ["PJRT_NPROC"] = str(num_threads)
    jax.config.update("jax_default_matmul_precision", MATMUL_PRECISIONS[precision])
    jax.config.update("jax_enable_x64", False)  # a float64 Program switches it on for its own calls
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    elif jax.default_backend() != "gpu":
        raise RuntimeError(why_no_gpu(f"JAX {jax.__version__}", plugin_version("jax_cuda{}_plugin"), "jax[cuda13]"))
    flags = {
        "variant": variant.name,
        "PJRT_NPROC": os.environ["PJRT_NPROC"],
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        "jax_default_matmul_precision": jax.config.jax_default_matmul_precision,
        "jax_enable_x64": jax.config.jax_enable_x64,
        "jax_compilation_cache_dir": jax.config.jax_compilation_cache_dir,
        "XLA_PYTHON_CLIENT_PREALLOCATE": os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", ""),
    }
    packages = ("jax", "jaxlib", "flax", "optax", "numpy")
    # Placed, not computed: compiling anything here would warm up what the stages `trace` and `compile` show cold.
    (placed_on,) = jax.device_put(np.zeros(1, np.float32)).devices()
    return {
        "device": placed_on.platform,
        "device_name": placed_on.device_kind,
        "versions": {package: importlib.metadata.version(package) for package in packages},
        "flags": flags,
    }


@functools.cache
def _float64_options() -> dict[str, Any]:
    """Return those of `FLOAT64_OPTIONS` that this XLA knows; none on a GPU, whose compiler they are not for."""
    return {name: value for name, value in FLOAT64_OPTIONS.items() if jax.default_backend() == "cpu" and _knows(name)}


def _knows(option: str) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={option: FLOAT64_OPTIONS[option]}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def peak_device_memory_bytes() -> int | None:
    """Return the most bytes that JAX's allocator has handed out on the device; None on a CPU."""
    statistics = jax.local_devices()[0].memory_stats()
    return statistics["peak_bytes_in_use"] if statistics else None


class Program:
    """One net in one variant; see `impls.contract.Program`.

    A model file's functions are pure: they take the state and return the next one, which is kept here.
    """

    def __init__(self, implementation: Any, spec: ModelSpec, params: Arrays, variant: Variant) -> None:
        """Build the state; a float64 program runs each call in a context of its own, a float32 one none at all."""
        self._spec = spec
        self._is_compiled = variant.mode == "compiled"
        self._dtype = params[spec.params[0].name].dtype
        is_double = self._dtype == np.float64
        contexts: list[Callable[[], Any]] = [functools.partial(jax.enable_x64, True)] if is_double else []
        if variant.mode == "eager" and spec.model == "recurrent":
            # `lax.scan` would compile its loop in every call, for the function that it is given is a new one.
            contexts.append(jax.disable_jit)
        self._within = _within(contexts)
        options = _float64_options() if is_double else None
        self._transform = functools.partial(TRANSFORMS[variant.mode], compiler_options=options)
        functions = {name: getattr(implementation, name) for name in ("forward", "loss", "gradients", "train_step")}
        donated = {}
        if variant.lane == "tuned":
            # The old state's memory becomes the new one's; the autoencoder's step takes 0.8 times as long.
            donated = {"donate_argnums": 0}
            if spec.model == "unet" and jax.default_backend() == "cpu":
                from impls.jax import tuned  # here, since it needs Flax, which the two-layer net does without

                # Their gain is in the gradients; a prediction took 1.5 times as long with them.
                for name in ("loss", "gradients", "train_step"):
                    functions[name] = tuned.with_fast_layers(functions[name])
        is_mixed, is_flax = _precision == "bf16" and not is_double, spec.model != "two_layer"
        if is_mixed and not is_flax:
            functions = {name: mixed.lower_products(function) for name, function in functions.items()}
        self._loss = functions["loss"]
        self._jitted = {
            "forward": self._transform(functions["forward"]),
            "gradients": self._transform(functions["gradients"]),
            "train_step": self._transform(functions["train_step"], **donated),
            "train_steps": self._transform(functools.partial(jax.lax.scan, functions["train_step"]), **donated),
        }
        self._calls = {name: self._within(function) for name, function in self._jitted.items()}
        self._lowered: dict[str, jax.stages.Lowered] = {}
        self._executables: dict[str, jax.stages.Compiled] = {}
        self._names = {tree_path(tensor.name): tensor.name for tensor in (*spec.params, *spec.statistics)}
        self._slots = {_SLOT_FIELDS[slot]: slot for slot in spec.optimizer.slots}
        self._outputs: Any = None
        self._state = self._within(implementation.build)(spec, params)
        if is_mixed and is_flax:
            self._state = mixed.lower_net(self._state)

    def prepare(self, batch: Arrays) -> dict[str, np.ndarray]:
        """Return aligned NumPy arrays, images NHWC."""
        return {name: aligned(_transposed(array, FROM_CANONICAL, _input_kind(array))) for name, array in batch.items()}

    def place(self, batch: Arrays) -> dict[str, jax.Array]:
        """Return JAX arrays on the default device."""
        return self._within(jax.device_put)(batch)

    def stack(self, batches: list[Arrays]) -> dict[str, np.ndarray]:
        """Return NumPy arrays with the steps as a new first axis, which `lax.scan` goes along."""
        return {name: aligned(np.stack([batch[name] for batch in batches])) for name in batches[0]}

    def trace(self, phase: str, batch: Arrays) -> None:
        """Trace to StableHLO ("lower"), which calls JAX's Python functions for the last time."""
        if self._is_compiled:
            self._lowered[phase] = self._within(self._jitted[phase].lower)(self._state, batch)

    def compile(self, phase: str, batch: Arrays) -> None:  # noqa: ARG002 - its shapes are in what was traced
        """Let XLA compile; the jitted function finds the result in JAX's cache and does not compile again."""
        if phase in self._lowered:
            self._executables[phase] = self._within(self._lowered.pop(phase).compile)()

    def forward(self, batch: Arrays) -> jax.Array:
        """Predict in eval mode."""
        self._outputs = self._calls["forward"](self._state, batch)
        return self._outputs

    def layers(self, batch: Arrays) -> dict[str, jax.Array]:
        """Return the outputs of all layers, in train mode."""
        from impls.jax.layers import layer_outputs  # here, since it needs Flax, which the two-layer net does without

        observe = self._transform(functools.partial(layer_outputs, self._loss, self._spec))
        return self._within(observe)(self._state, batch)

    def gradients(self, batch: Arrays) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Return (loss, gradients by canonical name)."""
        self._outputs = loss, grads = self._calls["gradients"](self._state, batch)
        return loss, self._canonical(grads)

    def train_step(self, batch: Arrays) -> jax.Array:
        """Replace the state by the next one; return the loss."""
        self._state, self._outputs = self._calls["train_step"](self._state, batch)
        return self._outputs

    def train_steps(self, batches: Arrays) -> jax.Array:
        """Replace the state by the one after a step per batch of a stack; return the losses (num_steps,)."""
        self._state, self._outputs = self._calls["train_steps"](self._state, batches)
        return self._outputs

    def ledger(self, phase: str) -> dict[str, str]:
        """Return what is in the executable and in JAX's configuration.

        The executable is the one that `compile` made. One that a first call made, JAX does not show: "unknown".
        """
        entries = ledger.of_executable(self._executables.get(phase)) if self._is_compiled else ledger.of_eager()
        return entries | ledger.of_process(self._dtype, _precision)

    def synchronize(self) -> None:
        """Wait for the state and for the last outputs."""
        jax.block_until_ready((self._state, self._outputs))

    def to_numpy(self, value: Any, kind: str = "plain") -> np.ndarray:
        """Return a canonical copy."""
        array = np.array(value)
        if array.dtype.itemsize == 2:  # bfloat16
            array = array.astype(self._dtype)
        return _transposed(array, _TO_CANONICAL, kind)

    def state(self) -> dict[str, np.ndarray]:
        """Return canonical copies of parameters, statistics and slots."""
        tensors = self._canonical(self._state)
        return {name: self.to_numpy(value, self._spec.kind(name)) for name, value in tensors.items()}

    def _canonical(self, tree: Any) -> dict[str, jax.Array]:
        """Return a tree's leaves by canonical name; leaves that are no tensor of the net (step counters) are left out.

        A leaf's path is fields of dataclasses and tuples first (`opt_state`, `trace`), keys of dictionaries after them.
        """
        named = {}
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            keys = tuple(key.key for key in path if isinstance(key, jax.tree_util.DictKey))
            fields = [key.name for key in path if isinstance(key, jax.tree_util.GetAttrKey)]
            if keys in self._names and "opt_state" not in fields:
                named[self._names[keys]] = leaf
            elif keys in self._names and fields[-1] in self._slots:
                named[f"{self._slots[fields[-1]]}/{self._names[keys]}"] = leaf
        return named


def from_numpy(tensors: Iterable[TensorSpec], arrays: Arrays) -> dict[str, Any]:
    """Return the nested dictionary that Flax calls a collection, of JAX arrays in JAX's layouts and `arrays`' dtype."""
    tree: dict[str, Any] = {}
    for tensor in tensors:
        *layers, leaf = tree_path(tensor.name)
        branch = functools.reduce(lambda node, layer: node.setdefault(layer, {}), layers, tree)
        branch[leaf] = aligned(_transposed(arrays[tensor.name], FROM_CANONICAL, tensor.kind))
    return jax.device_put(tree)  # unlike `jnp.asarray`, it compiles nothing


def tree_path(name: str) -> tuple[str, ...]:
    """Return the keys of a canonical name: "up1.bn2.offset" → ("up1", "bn2", "bias"); "w1" → ("w1",)."""
    *layers, leaf = name.split(".")
    return (*layers, _LAYER_TENSORS.get(leaf, leaf))


def _input_kind(array: np.ndarray) -> str:
    return "image" if array.ndim == 4 else "plain"


def _transposed(array: np.ndarray, axes_by_kind: Mapping[str, tuple[int, ...]], kind: str) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(axes_by_kind[kind])) if kind in axes_by_kind else array


def _within(contexts: Sequence[Callable[[], AbstractContextManager[object]]]) -> Callable[[Callable], Callable]:
    """Return what lets a function run in contexts, which nothing else in the process sees; without any, an identity."""

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def run(*args: Any) -> Any:
            with ExitStack() as stack:
                for context in contexts:
                    stack.enter_context(context())
                return function(*args)

        return run

    return decorate if contexts else _identity
