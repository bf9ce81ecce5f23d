"""The tuned lane (tf-tuned): the static graph of tf-graph, with less work between the host and the kernels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from impls.tf.net import Batch, Net
from impls.tf.sessions import SessionFunction, is_placed


class CallableFunction(SessionFunction):
    """The nodes of a function, run as a C++ callable of the Session instead of by `Session.run`.

    `Session.make_callable` is the public way to one, but with feeds it calls `Session.run`. Keras 2 ran its static
    graphs as is done here. It took the two-layer step to 0.65 times the processor time that it takes by `Session.run`.

    Args:
        is_chain: its operations wait for each other, so that a pool to run some side by side would only cost time. A
            deep net's gradients are no chain: without the pool, the U-Net's training step took 0.96 times as long as
            PyTorch's, where `tf-graph` took 0.81.
    """

    def __init__(self, session: Any, placeholders: Batch, function: Callable[[Batch], Any], is_chain: bool) -> None:
        super().__init__(session, placeholders, function)
        self._is_chain = is_chain
        self._callables: dict[bool, Callable[..., list[np.ndarray]]] = {}

    def compile(self, batch: Batch) -> None:
        """Optimise the graph and make its kernels, once for each kind of batch."""
        feeds, fetches = self.trace(batch)
        options = config_pb2.CallableOptions(
            feed=[feed.name for feed in feeds.values()],
            fetch=[fetch.name for fetch in tf.nest.flatten(fetches)],
            # Below 0: operations start in the caller's thread, not in the pool of those that run side by side. That
            # took the two-layer step from 0.65 to 0.51 times the processor time that it takes by Session.run.
            run_options=config_pb2.RunOptions(inter_op_thread_pool=-1 if self._is_chain else 0),
        )
        self._callables[is_placed(batch)] = self.session._make_callable_from_options(options)

    def __call__(self, batch: Batch) -> Any:
        """Return the function's value, computed, in NumPy arrays."""
        kind = is_placed(batch)
        if kind not in self._callables:
            self.compile(batch)
        feeds, fetches = self.trace(batch)
        values = self._callables[kind](*(batch[name] for name in feeds))
        return tf.nest.pack_sequence_as(fetches, values)


def train_steps(train_step: Callable[[Net, Batch], tf.Tensor], net: Net, batches: Batch) -> tf.Tensor:
    """Add one training step after the other for a stack of batches (num_steps, N, …); return losses (num_steps,).

    Ten steps in a call took 0.91 and 0.95 times (two runs) the processor time of ten calls for the autoencoder, 0.98
    times for the two-layer net.
    """
    losses: list[tf.Tensor] = []
    for index in range(batches["x"].shape[0]):
        with tf.control_dependencies(losses[-1:]):
            losses.append(train_step(net, {name: stack[index] for name, stack in batches.items()}))
    return tf.stack(losses)


def stacked(net: Net, num_steps: int) -> Batch:
    """Make placeholders for a stack of batches, (num_steps, N, …)."""
    with net.session.graph.as_default():
        return {name: tf.compat.v1.placeholder(p.dtype, (num_steps, *p.shape)) for name, p in net.placeholders.items()}
