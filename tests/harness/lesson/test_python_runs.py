"""The count of Python's runs, on ways that run it in every call, or once for each shape."""

import pytest

from harness.lesson import python_runs
from impls.reference.experiments.python_runs import plain


def traced_by_shape(ran):
    """Run the body for each shape that is new."""
    seen = set()

    def call(x, number):
        if x.shape not in seen:
            seen.add(x.shape)
            ran()
        return x * number

    return call


def test_counts() -> None:
    assert python_runs.probe(plain)["python_ran"] == [1, 1, 1, 1]
    assert python_runs.probe(traced_by_shape)["python_ran"] == [1, 0, 1, 0]


def test_a_wrong_product_is_refused() -> None:
    with pytest.raises(AssertionError):
        python_runs.probe(lambda _: lambda x, _: x)
