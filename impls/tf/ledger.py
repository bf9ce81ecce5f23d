"""What was done for the sake of speed, as read from functions that run; see `impls.contract.Program.ledger`."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from impls.tf.net import Batch
from impls.tf.sessions import SessionFunction


def of_session(function: SessionFunction, batch: Batch) -> dict[str, str]:
    """Return the entries of what a Session runs, from its graph as it was optimised."""
    types = [node.op for node in function.operations(batch)]
    return {
        "layout": _layout(function.session.graph),
        "donation": _donation(types),
        "compiler": f"none; Grappler leaves {len(types)} operations, {_num(types, '_Mkl')} of them oneDNN's",
        "caches": "none",
    }


def of_tf_function(function: Any, batch: Batch) -> dict[str, str]:
    """Return the entries of a `tf.function`, from its graph as it was traced: it does not show what Grappler makes.

    Nor does TensorFlow show, without compiling it again, what XLA makes of a variable's memory.
    """
    traced = function.get_concrete_function(batch)
    types = [operation.type for operation in traced.graph.get_operations()]
    is_compiled = traced.function_def.attr["_XlaMustCompile"].b  # what XLA cannot compile raises, and is not run
    compiler = f"XLA, {len(types)} operations" if is_compiled else f"none; {len(types)} operations before Grappler"
    cache_on_disk = "persistent_cache_directory" in os.environ.get("TF_XLA_FLAGS", "")
    return {
        "layout": _layout(traced.graph),
        "donation": "unknown" if is_compiled else _donation(types),
        "compiler": f"{compiler}, traces: {function.experimental_get_tracing_count()}",
        "caches": "XLA's, on disk" if is_compiled and cache_on_disk else "none",
    }


def of_eager() -> dict[str, str]:
    """Return the entries of functions that Python runs line by line: there is no graph to read."""
    return {
        "layout": "NHWC, kernels HWIO",
        "donation": "none; parameters are updated in place",
        "compiler": "none; eager",
        "caches": "none",
    }


def precision(dtype: np.dtype, is_mixed: bool) -> str:
    """Return the variables' type, and whether products may be, or are, computed with fewer bits."""
    if is_mixed:
        return f"{dtype}; products in bfloat16"
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    return f"{dtype}; {'TF32 allowed' if tf32 else 'no TF32'}"


def _layout(graph: Any) -> str:
    """Return the axes of images, from the convolutions that read them; else those of dense weights."""
    convolutions = [operation for operation in graph.get_operations() if operation.type == "Conv2D"]
    formats = {operation.get_attr("data_format").decode() for operation in convolutions}
    return ", ".join([*sorted(formats), "kernels HWIO"]) if formats else "(in, out)"


def _donation(types: list[str]) -> str:
    """Say what becomes of a variable's memory: kernels write into it, or a result takes its place."""
    num_replaced = _num(types, "AssignVariable")
    return f"none; {num_replaced} variables are replaced" if num_replaced else "none; parameters are updated in place"


def _num(types: list[str], *prefixes: str) -> int:
    return sum(name.startswith(prefixes) for name in types)
