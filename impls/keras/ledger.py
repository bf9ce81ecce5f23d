"""What was done for the sake of speed, as read from a net that has run; see `impls.contract.Program.ledger`."""

import os
from typing import Any

import keras

_BACKEND = keras.backend.backend()
if _BACKEND == "tensorflow":
    import tensorflow as tf
elif _BACKEND == "jax":
    import jax
else:
    import torch


def layout(net: keras.Model) -> str:
    """Return the axes of images, from the layers that read them, and of kernels; else those of dense weights."""
    formats = {layer.data_format for layer in net._flatten_layers() if hasattr(layer, "data_format")}
    words = {"channels_last": "NHWC, kernels HWIO", "channels_first": "NCHW, kernels HWIO"}
    return ", ".join(words[data_format] for data_format in sorted(formats)) or "(in, out)"


def donation(value: Any) -> str:
    """Say what became of the memory of `value`, which a parameter had before the first call.

    JAX deletes what is donated. TensorFlow and torch have variables, whose memory is overwritten.
    """
    if _BACKEND != "jax":
        return "none; parameters are updated in place"
    return "the net's state" if value.is_deleted() else "none"


def compiler(net: keras.Model, function: Any) -> str:
    """Name what compiles a function that Keras made; `jit_compile` holds what Keras has made of "auto".

    "unknown" before the first call. The compiled program itself is in a closure of `function`, which Keras keeps.
    """
    if function is None:
        return "unknown: not called yet"
    if net.jit_compile:
        return {"tensorflow": "XLA, a tf.function", "jax": "XLA, jax.jit", "torch": "torch.compile"}[_BACKEND]
    return {"tensorflow": "none; tf.function and Grappler"}.get(_BACKEND, "none; eager")


def graph_compiler(graph: Any) -> str:
    """Name what compiles a traced `tf.function`: its attribute says what TensorFlow's runtime does with it."""
    if graph is None:
        return "unknown: not traced yet"
    operations = f"{len(graph.graph.get_operations())} operations"
    must_compile = graph.function_def.attr["_XlaMustCompile"].b
    return f"XLA, {operations}" if must_compile else f"none; {operations} before Grappler"


def dtypes(net: keras.Model) -> str:
    """Return the type of the variables, and that of what the layers compute if it is another."""
    is_mixed = net.compute_dtype != net.variable_dtype
    return f"{net.variable_dtype}, computed in {net.compute_dtype}" if is_mixed else net.variable_dtype


def caches() -> str:
    """Say where compiled programs are kept on disk."""
    if _BACKEND == "jax":
        return jax.config.jax_compilation_cache_dir or "none"
    return (_BACKEND == "tensorflow" and os.environ.get("TF_XLA_FLAGS")) or "none"


def tf32() -> str:
    """Say whether float32 products may be computed with fewer bits, from the backend's own switch."""
    if _BACKEND == "tensorflow":
        allowed = tf.config.experimental.tensor_float_32_execution_enabled()
    elif _BACKEND == "jax":
        allowed = jax.config.jax_default_matmul_precision != "highest"
    else:
        allowed = torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32
    return "TF32 allowed" if allowed else "no TF32"
