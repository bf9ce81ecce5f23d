"""Mixed precision for nets that are written out: TensorFlow has it as a policy of Keras' layers alone.

(A rewriter of graphs, `auto_mixed_precision`, is float16's on a GPU and oneDNN's on a CPU, and knows no eager mode.)
"""

import functools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import tensorflow as tf

PRODUCTS = ((tf, "matmul"), (tf.nn, "conv2d"), (tf.nn, "conv2d_transpose"))
"""What a policy lowers; their gradients are products of the same type."""


def in_bfloat16(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose products are computed in bfloat16, and handed on in float32."""

    def lowered(product: Callable[..., Any]) -> Callable[..., Any]:
        def run(x: tf.Tensor, w: tf.Tensor, *args: Any, **options: Any) -> tf.Tensor:
            y = product(tf.cast(x, tf.bfloat16), tf.cast(w, tf.bfloat16), *args, **options)
            return tf.cast(y, tf.float32)

        return run

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        with ExitStack() as patches:
            for module, name in PRODUCTS:
                patches.enter_context(mock.patch.object(module, name, lowered(getattr(module, name))))
            return function(*args)

    return run
