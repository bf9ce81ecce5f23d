"""Examples of different lengths: how they are packed, what is wasted, and what counts as a trace."""

import numpy as np
import pytest

from harness.lesson import ragged
from impls.reference.experiments.ragged import recurrence


def masked(w, xs, lengths):
    """Return each example's last h, as a way with masks does."""
    return np.concatenate([recurrence(w, x[None, :length], None) for x, length in zip(xs, lengths, strict=True)])


def way(packing):
    """Return a way that counts a trace for each shape that comes."""

    def make(w):
        shapes = set()

        def run(xs, lengths):
            shapes.add(xs.shape)
            return masked(w, xs, lengths)

        return packing, run, lambda: len(shapes)

    return make


@pytest.mark.parametrize(
    ("packing", "num_traces"),
    [("padded", 1), ("stops early", 1), ("bucketed", len(ragged.BUCKETS)), ("one batch", 1), ("as they are", None)],
)
def test_traces_and_waste(packing: ragged.Packing, num_traces: int | None) -> None:
    found = ragged.probe(way(packing))
    lengths = found["lengths"]
    assert found["num_traces"] == (num_traces or len(set(lengths)))
    padded_to = {"as they are": sum(lengths), "stops early": sum(lengths), "bucketed": None}.get(
        packing, ragged.LONGEST * len(lengths)
    )
    if padded_to is not None:
        assert found["num_wasted_steps"] == padded_to - sum(lengths)
    assert 0 <= found["num_wasted_steps"] <= ragged.LONGEST * len(lengths) - sum(lengths)
    assert 0 < found["first_seconds"] <= found["total_seconds"]


def test_there_are_enough_examples_of_many_lengths() -> None:
    lengths = [len(x) for x in ragged.examples()]
    assert len(lengths) >= 60
    assert min(lengths) >= ragged.SHORTEST
    assert max(lengths) == ragged.LONGEST
    assert len(set(lengths)) > 20


def test_a_way_that_ignores_the_mask_is_refused() -> None:
    def unmasked(w):
        return "padded", lambda xs, _: recurrence(w, xs, None), lambda: None

    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        ragged.probe(unmasked)
