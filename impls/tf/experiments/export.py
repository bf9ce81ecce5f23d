"""Keeping the two-layer net's forward pass, in TensorFlow: a SavedModel, which is a graph and its variables."""

import tensorflow as tf

from impls import specs
from impls.tf import two_layer


def saved_model():
    """Keep the graph that `tf.function` traces."""
    return "SavedModel", "tensorflow", save, load


def save(params, x, folder):
    """Trace the function and write its graph and variables."""
    net = two_layer.build(specs.get("two_layer"), params)
    module = tf.Module()
    module.params = net.params
    module.forward = tf.function(lambda x: two_layer.forward(net, {"x": x}), input_signature=[tf.TensorSpec(x.shape)])
    tf.saved_model.save(module, str(folder))
    return module.forward(x).numpy()


def load(folder):
    """Read both."""
    import tensorflow as tf

    module = tf.saved_model.load(str(folder))
    return lambda x: module.forward(x).numpy()


WAYS = {"SavedModel": saved_model}
