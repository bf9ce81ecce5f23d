"""Keeping the two-layer net's forward pass, in Keras: its own file, and a SavedModel."""

import keras

from impls import specs
from impls.keras import two_layer


def own_file():
    """Keep the net in a .keras file: the weights, and of a class that is not Keras' own, its name."""
    return "Model.save (.keras) of a subclass", "keras", save_file, load_file


def save_file(params, x, folder):
    """Write the file."""
    net = two_layer.build(specs.get("two_layer"), params)
    net.save(folder / "net.keras")
    return net.predict_on_batch(x)


def load_file(folder):
    """Read the net."""
    import keras

    return keras.models.load_model(folder / "net.keras").predict_on_batch


def exported():
    """Keep the graph of the model's call."""
    return "Model.export (SavedModel)", "tensorflow", save_exported, load_exported


def save_exported(params, x, folder):
    """Trace the model and write its graph and variables."""
    net = two_layer.build(specs.get("two_layer"), params)
    net.export(str(folder), verbose=False, input_signature=[keras.InputSpec(x.dtype, x.shape)])
    return net.predict_on_batch(x)


def load_exported(folder):
    """Read both; Keras itself is not needed."""
    import tensorflow as tf

    module = tf.saved_model.load(str(folder))
    return lambda x: module.serve(x).numpy()


WAYS = {"Model.save": own_file, "Model.export": exported}
