"""What leaves Python is read without this project; what cannot be saved or read is a finding with its reason."""

import numpy as np
import pytest

from harness.lesson import export
from impls.reference.experiments.export import pickled


def save_weights(params, x, folder):
    np.savez(folder / "weights.npz", **params)
    return np.maximum(x @ params["w1"], 0) @ params["w2"]


def load_weights(folder):
    import numpy as np

    weights = np.load(folder / "weights.npz")
    return lambda x: np.maximum(x @ weights["w1"], 0) @ weights["w2"]


def load_wrongly(folder):
    import numpy as np

    weights = np.load(folder / "weights.npz")
    return lambda x: x @ weights["w1"] @ weights["w2"]


def test_what_needs_no_source_is_read_and_compared() -> None:
    found = export.probe(lambda: ("weights and a formula", "numpy", save_weights, load_weights))
    assert found["exported"]
    assert found["reloads_without_source"]
    assert found["num_bytes"] > 4 * (1000 * 100 + 100 * 10)
    assert min(found[name] for name in ("export_seconds", "load_seconds", "import_seconds")) > 0
    assert found["message"] == ""


def test_what_is_pickled_needs_its_source() -> None:
    found = export.probe(pickled)
    assert found["exported"]
    assert not found["reloads_without_source"]
    assert "No module named 'impls'" in found["message"]


def test_what_cannot_be_saved_is_told() -> None:
    def refuse(*_):
        raise TypeError("cannot pickle a function of this kind")

    found = export.probe(lambda: ("nothing", "numpy", refuse, load_weights))
    assert not found["exported"]
    assert found["message"] == "TypeError: cannot pickle a function of this kind"


def test_another_prediction_is_an_error() -> None:
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        export.probe(lambda: ("weights", "numpy", save_weights, load_wrongly))
