"""The graphs behind the two-layer net in TensorFlow: what the program adds to a GraphDef, and what Grappler leaves."""

import tensorflow as tf

from impls.graphs import CHAIN, GRADIENTS, NET, inputs_of, of_graph_def
from impls.tf import two_layer

v1 = tf.compat.v1


def chain(x):
    """Apply four operations five times."""
    for _ in range(5):
        x = tf.tanh(tf.maximum(x * 1.01, -1.0) + 0.5)
    return x


def session(spec, params, batch):
    """Add the net, its gradients and the chain to one static graph, and run each."""
    net = two_layer.static_graph(spec, params)
    with net.session.graph.as_default():
        fetches = {
            NET: two_layer.forward(net, net.placeholders),
            GRADIENTS: two_layer.gradients(net, net.placeholders),
            CHAIN: chain(net.placeholders["x"]),
        }
    feeds = {net.placeholders[name]: array for name, array in batch.items()}
    graphs = [graph for subject, fetch in fetches.items() for graph in run(net.session, subject, fetch, feeds)]
    net.session.close()
    return graphs


def run(session, subject, fetch, feeds):
    """Run a part of the static graph, and keep it as it was written and as the Session ran it."""
    written = needed(session.graph.as_graph_def(), [tensor.op.name for tensor in tf.nest.flatten(fetch)])
    metadata = v1.RunMetadata()
    session.run(fetch, feeds, v1.RunOptions(output_partition_graphs=True), metadata)
    (ran,) = metadata.partition_graphs
    return [
        of_graph_def(subject, "GraphDef", "before", written),
        of_graph_def(subject, "optimised GraphDef", "after", ran.node),
    ]


def needed(graph_def, names):
    """Return the nodes that these nodes need, themselves included; a Session runs no others."""
    by_name = {node.name: node for node in graph_def.node}
    found = list(names)
    for name in found:  # grows while it is walked
        found += [read for read in inputs_of(by_name[name]) if read not in found]
    return [node for node in graph_def.node if node.name in found]


def graph_nodes(graph_def):
    """Return the nodes of a graph and of the functions in its library, such as the body of a loop."""
    return [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]


WAYS = {"Session": session}
