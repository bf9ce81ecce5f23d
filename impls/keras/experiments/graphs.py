"""The graph behind the two-layer net in Keras on TensorFlow: what a `tf.function` of the model traces."""

import keras

from impls.graphs import NET, of_graph_def
from impls.keras import two_layer


def traced(spec, params, batch):
    """Trace the model, as `predict_on_batch` does on this backend."""
    import tensorflow as tf

    net = two_layer.build(spec, params)
    inputs = tf.TensorSpec(batch["x"].shape, batch["x"].dtype)
    graph_def = tf.function(net).get_concrete_function(inputs).graph.as_graph_def()
    return [of_graph_def(NET, "GraphDef of the Keras model", "before", graph_def.node)]


WAYS = {"tf.function": traced} if keras.backend.backend() == "tensorflow" else {}
