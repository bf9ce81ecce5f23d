"""The graph behind the two-layer net in Keras on TensorFlow: what a `tf.function` of the model traces."""

import keras

from impls.graphs import NET, Graph, Node, as_lines
from impls.keras import two_layer


def traced(spec, params, batch):
    """Trace the model, as `predict_on_batch` does on this backend."""
    import tensorflow as tf

    net = two_layer.build(spec, params)
    inputs = tf.TensorSpec(batch["x"].shape, batch["x"].dtype)
    graph_def = tf.function(net).get_concrete_function(inputs).graph.as_graph_def()
    nodes = [Node(node.name, node.op, node.name.split("/")[-1], inputs_of(node)) for node in graph_def.node]
    return [Graph(NET, "GraphDef of the Keras model", "before", nodes, as_lines(nodes))]


def inputs_of(node):
    """Return the names of nodes: of "^name:1", which is the second output, waited for and not read, "name"."""
    return tuple(dict.fromkeys(name.removeprefix("^").split(":")[0] for name in node.input))


WAYS = {"tf.function": traced} if keras.backend.backend() == "tensorflow" else {}
