"""The probes of debugging find what is there, and do not find what is not."""

import sys
import warnings

import numpy as np
import pytest

from harness.lesson import debugging
from impls.reference.experiments import debugging as reference


def once(function):
    """Run a function in its first call alone, and repeat what it returned: what a traced function does to prints."""
    kept = []

    def run(x):
        kept.append(kept[0] if kept else function(x))
        return kept[0]

    return run


def traced():
    return reference.plain() | {"prints": once(reference.prints), "stops": once(reference.stops)}


def test_what_python_runs_line_by_line_is_all_visible() -> None:
    found = debugging.probe(reference.plain)
    assert found["prints"] == found["breakpoint_reached"] == found["print_calls"] == debugging.NUM_CALLS
    for name in ("nan", "nan_gradient"):
        assert found[f"{name}_located"]
        assert found[f"{name}_message"].startswith("FloatingPointError")
    assert found["shape_error_at"] == "run"
    assert found["own_line_in_traceback"]
    assert found["shape_error_message"].startswith("ValueError")


def test_what_is_traced_prints_and_stops_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debugging, "tagged_line", lambda _, tag: f"{tag}.py:1")
    found = debugging.probe(traced)
    assert found["prints"] == found["breakpoint_reached"] == 1


def test_a_nan_without_a_word_is_not_located() -> None:
    found = debugging.nan(lambda x: x + np.nan, debugging.tagged_line(reference.plain, "nan"))
    assert found == {"located": False, "message": "nothing is said: the result is NaN"}


def test_a_warning_that_names_the_line_locates_it() -> None:
    line = debugging.tagged_line(reference.plain, "nan")

    def warn(x):
        warnings.warn(f"NaN made at {line}", stacklevel=1)
        return x + np.nan

    assert debugging.nan(warn, line)["located"]
    assert not debugging.nan(warn, f"{line}0")["located"]


def test_a_result_without_nan_is_an_error() -> None:
    with pytest.raises(AssertionError, match="no NaN"):
        debugging.nan(lambda x: x, debugging.tagged_line(reference.plain, "nan"))


def test_the_first_stage_that_raises_is_the_one() -> None:
    stages = {"build": lambda *_: None, "trace": reference.product, "run": reference.product}
    found = debugging.shape_error(stages, debugging.tagged_line(reference.plain, "shape"))
    assert found["shape_error_at"] == "trace"


def test_an_error_without_the_own_line_is_told() -> None:
    def raises(*_):
        raise TypeError("of another place")

    found = debugging.shape_error({"run": raises}, debugging.tagged_line(reference.plain, "shape"))
    assert not found["own_line_in_traceback"]


def test_shapes_that_fit_are_an_error() -> None:
    with pytest.raises(AssertionError, match="were multiplied"):
        debugging.shape_error({"run": lambda *_: None}, "file.py:1")


def test_the_hook_of_breakpoint_is_given_back() -> None:
    before = sys.breakpointhook
    debugging.probe(reference.plain)
    assert sys.breakpointhook is before
