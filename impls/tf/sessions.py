"""How a Session runs a function: the nodes that it adds to the static graph, fed by the host or from the device."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from impls.tf.net import Batch


class SessionFunction:
    """The nodes that a function of a batch adds to a static graph, and `Session.run` of them.

    There is one set of nodes for batches of NumPy arrays, which are fed to placeholders, and one for batches of names
    (see `place`), of tensors that are in the Session already. A set is added when a batch of its kind first comes.
    """

    def __init__(self, session: Any, placeholders: Batch, function: Callable[[Batch], Any]) -> None:
        self.session = session
        self._placeholders = placeholders
        self._function = function
        self._nodes: dict[bool, tuple[Batch, Any]] = {}

    def trace(self, batch: Batch) -> tuple[Batch, Any]:
        """Add the nodes for batches of this kind, once; return what they are fed, by name, and what is fetched."""
        kind = is_placed(batch)
        if kind not in self._nodes:
            with self.session.graph.as_default():
                feeds = inputs = {name: self._placeholders[name] for name in batch}
                if kind:
                    feeds, inputs = _held(batch, inputs)
                self._nodes[kind] = feeds, self._function(inputs)
        return self._nodes[kind]

    def compile(self, batch: Batch) -> None:
        """Do nothing: `Session.run` optimises the graph and makes its kernels the first time."""

    def __call__(self, batch: Batch) -> Any:
        """Return the function's value, computed, in NumPy arrays."""
        return self._run(batch)

    def operations(self, batch: Batch) -> list[Any]:
        """Return the operations that run, as NodeDefs: those of the graph as TensorFlow optimised it for this Session.

        It shows them only when it runs them. The variables get their values back.
        """
        metadata = tf.compat.v1.RunMetadata()
        with self.session.graph.as_default():
            variables = tf.compat.v1.global_variables()
        values = self.session.run(variables)
        self._run(batch, options=tf.compat.v1.RunOptions(output_partition_graphs=True), run_metadata=metadata)
        # In one run, since TensorFlow optimises the graph anew for each.
        initializers = [variable.initializer for variable in variables]
        initial = [initializer.inputs[1] for initializer in initializers]
        self.session.run(initializers, dict(zip(initial, values, strict=True)))
        return [node for graph in metadata.partition_graphs for node in graph.node]

    def _run(self, batch: Batch, **options: Any) -> Any:
        feeds, fetches = self.trace(batch)
        return self.session.run(fetches, {feeds[name]: value for name, value in batch.items()}, **options)


def place(session: Any, batch: Batch) -> Batch:
    """Return the names of tensors that stay in the Session as long as it lives, on the device of its placeholders."""
    with session.graph.as_default():
        feeds = {name: tf.compat.v1.placeholder(array.dtype, array.shape) for name, array in batch.items()}
        handles = {name: tf.compat.v1.get_session_handle(feed) for name, feed in feeds.items()}
    kept = session.run(handles, {feeds[name]: array for name, array in batch.items()})
    return {name: np.array(handle.get_raw_handle(), object) for name, handle in kept.items()}


def is_placed(batch: Batch) -> bool:
    """Tell the names of tensors from arrays of the host."""
    return batch["x"].dtype == object


def _held(batch: Batch, placeholders: Batch) -> tuple[Batch, Batch]:
    """Return placeholders for the names of tensors, and the tensors."""
    holders, tensors = {}, {}
    for name, handle in batch.items():
        like = placeholders[name]
        holders[name], tensors[name] = tf.compat.v1.get_session_tensor(handle.item(), like.dtype)
        tensors[name].set_shape(like.shape)  # a name does not tell it
    return holders, tensors
