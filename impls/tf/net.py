"""What the TensorFlow nets share: the record of their variables, and the layouts of images and kernels."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from impls.contract import Arrays
from impls.specs import ModelSpec, TensorSpec

Batch = dict[str, Any]
"""Tensors, NumPy arrays or placeholders by name; images NHWC."""
Variables = dict[str, tf.Variable]
"""Variables by canonical name."""


@dataclass
class Net:
    """The variables of a net; they live in the graph in which they were made, or, made eagerly, in the process.

    Attributes:
        spec: what was built.
        params, statistics: variables by canonical name.
        optimizer: one of `impls.tf.optimizers`; None where the step is written out.
        placeholders, session: of a static graph only.
        is_static: whether this is a static graph, which a Session runs; else TensorFlow 2 runs or traces the functions.
    """

    spec: ModelSpec
    params: Variables
    statistics: Variables = field(default_factory=dict)
    optimizer: Any = None
    placeholders: Batch = field(default_factory=dict)
    session: Any = None
    is_static: bool = field(default_factory=lambda: not tf.executing_eagerly())


def variables(tensors: tuple[TensorSpec, ...], arrays: Arrays) -> Variables:
    """Make a variable of each tensor's canonical array, in TensorFlow's layout."""
    return {
        tensor.name: tf.Variable(from_numpy(arrays[tensor.name], tensor.kind), name=tensor.name) for tensor in tensors
    }


def zeros_like(params: Variables, slot: str) -> Variables:
    """Make a variable of zeros for each parameter: an optimizer's slot."""
    return {
        f"{slot}/{name}": tf.Variable(tf.zeros(p.shape, p.dtype), name=f"{slot}/{name}") for name, p in params.items()
    }


def from_numpy(array: np.ndarray, kind: str) -> np.ndarray:
    """Convert a canonical array: OIHW to HWIO, IOHW (transposed convolution) to HWOI, NCHW to NHWC."""
    if kind in ("conv", "conv_transpose"):
        array = array.transpose(2, 3, 1, 0)
    elif kind == "image":
        array = array.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(array)


def to_numpy(value: Any, kind: str) -> np.ndarray:
    """Return a canonical copy of a tensor, variable or array in TensorFlow's layout: the inverse of `from_numpy`."""
    array = np.asarray(value)
    if kind in ("conv", "conv_transpose"):
        array = array.transpose(3, 2, 0, 1)
    elif kind == "image":
        array = array.transpose(0, 3, 1, 2)
    return np.array(array, order="C")
