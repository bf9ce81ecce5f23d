"""Keeping the two-layer net's forward pass, in JAX: pickled, and as an exported program."""

import pickle

import jax
import jax.export
import numpy as np

from impls import specs
from impls.jax import two_layer


def pickled():
    """Keep the state, and the name of the function."""
    return "pickle", "jax", save_pickle, load_pickle


def save_pickle(params, x, folder):
    """Pickle the function and the state."""
    state = two_layer.build(specs.get("two_layer"), params)
    (folder / "net.pickle").write_bytes(pickle.dumps((two_layer.forward, state)))
    return np.asarray(two_layer.forward(state, {"x": x}))


def load_pickle(folder):
    """Read both."""
    import pickle

    import numpy as np

    forward, state = pickle.loads((folder / "net.pickle").read_bytes())
    return lambda x: np.asarray(forward(state, {"x": x}))


def exported():
    """Keep the StableHLO that jit traces, with the parameters as constants."""
    return "jax.export (StableHLO)", "jax", save_exported, load_exported


def save_exported(params, x, folder):
    """Trace the function and write its program."""
    state = two_layer.build(specs.get("two_layer"), params)
    forward = jax.jit(lambda x: two_layer.forward(state, {"x": x}))
    (folder / "net.stablehlo").write_bytes(jax.export.export(forward)(x).serialize())
    return np.asarray(forward(x))


def load_exported(folder):
    """Read the program."""
    import jax.export
    import numpy as np

    program = jax.export.deserialize(bytearray((folder / "net.stablehlo").read_bytes()))
    return lambda x: np.asarray(program.call(x))


WAYS = {"pickle": pickled, "jax.export": exported}
