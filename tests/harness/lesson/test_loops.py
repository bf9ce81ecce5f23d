"""The probe of loops: what is timed, what is counted, and that a wrong result is no measurement."""

import numpy as np
import pytest

from harness.lesson import loops
from impls.reference.experiments.loops import WAYS


def finish(probe):
    """Run a probe's turns to their end, and return what it found."""
    while True:
        try:
            next(probe)
        except StopIteration as end:
            return end.value


def test_each_length_has_its_figures() -> None:
    found = finish(loops.probe(WAYS["NumPy"]))
    assert found["lengths"] == list(loops.LENGTHS)
    assert found["num_nodes"] == [None] * len(loops.LENGTHS)
    assert len(found["first_seconds"]) == len(loops.LENGTHS)
    assert [len(samples) for samples in found["seconds"]] == [loops.NUM_SAMPLES] * len(loops.LENGTHS)
    assert min(seconds for samples in found["seconds"] for seconds in samples) > 0


def test_a_way_that_forgets_a_step_is_refused() -> None:
    def forgetful(w, xs):
        return WAYS["NumPy"](w, xs[:-1])

    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        finish(loops.probe(forgetful))


def test_the_state_stays_bounded_and_depends_on_every_step() -> None:
    w, xs = loops.inputs(max(loops.LENGTHS))
    run, _ = WAYS["NumPy"](w, xs)
    changed = xs.copy()
    changed[-5] += 1
    other, _ = WAYS["NumPy"](w, changed)
    assert np.abs(run()).max() < 1
    assert np.abs(run() - other()).max() > 1e-2
