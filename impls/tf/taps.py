"""Observes the layers of a net while the functions of its file compute them, or add them to a graph."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import tensorflow as tf

from impls.tf.net import Batch, Net

OPERATIONS = (
    (tf, "matmul"),
    (tf.nn, "bias_add"),
    (tf.nn, "conv2d"),
    (tf.nn, "conv2d_transpose"),
    (tf.nn, "batch_normalization"),
    (tf.compat.v1.nn, "fused_batch_norm"),
)
"""Where parameters meet data."""


def layer_outputs(loss: Callable[[Net, Batch], Any], net: Net, batch: Batch) -> dict[str, tf.Tensor]:
    """Call `loss`; return the outputs of those `OPERATIONS` that it gave a parameter to, by layer.

    Of several for one layer, a product and then the addition of a bias, the last counts. A layer in the body of a loop
    has the loop's last variable as its output: what is in the body has no value outside of it.
    """
    layers = {id(p): name.rpartition(".")[0] or name for name, p in net.params.items()}
    outputs = {}

    def tapped(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            output = operation(*args, **options)
            for layer in {layers[id(arg)] for arg in (*args, *options.values()) if id(arg) in layers}:
                outputs[layer] = output[0] if isinstance(output, tuple) else output  # BatchNorm returns moments too
            return output

        return run

    def looped(while_loop: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            before = dict(outputs)
            variables = while_loop(*args, **options)
            within = [layer for layer, output in outputs.items() if before.get(layer) is not output]
            outputs.update(dict.fromkeys(within, variables[-1]))
            return variables

        return run

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(tf, "while_loop", looped(tf.while_loop)))
        for module, name in OPERATIONS:
            patches.enter_context(mock.patch.object(module, name, tapped(getattr(module, name))))
        loss(net, batch)
    return outputs
