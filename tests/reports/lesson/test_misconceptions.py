"""The sayings: each can come out true and wrong, and says when it was not measured."""

from collections.abc import Callable
from typing import Any

import pytest

from reports.lesson.measured import Lesson
from reports.lesson.misconceptions import PARTLY, TRUE, UNKNOWN, WRONG, sayings

Record = dict[str, Any]
Planted = Callable[..., Lesson]
ALWAYS_FASTER, NUMPY, FIRST_CALL, STATIC = range(4)


def chain(*seconds: float) -> Record:
    samples = [[time * (1 + 0.001 * index) for index in range(9)] for time in seconds]
    return {"num_ops": 20, "num_elements": [10**power for power in range(len(seconds))], "seconds": samples}


@pytest.mark.parametrize(
    ("eager", "jit", "outcome"),
    [
        ((2.0, 2.0, 2.0), (1.0, 1.0, 1.0), TRUE),
        ((2.0, 1.0, 1.0), (1.0, 2.0, 2.0), WRONG),
        ((2.0, 1.0, 2.0), (1.0, 2.0, 1.0), PARTLY),
        ((2.0, 1.0, 2.0), (1.0, 1.0, 1.0), PARTLY),
    ],
    ids=["faster everywhere", "slower at two sizes", "slower at one", "the same at one"],
)
def test_a_graph_is_always_faster(
    with_data: Planted, eager: tuple[float, ...], jit: tuple[float, ...], outcome: str
) -> None:
    lesson = with_data("per_op", {("Alpha", "eager"): chain(*eager), ("Alpha", "jit"): chain(*jit)})
    assert sayings(lesson)[ALWAYS_FASTER].outcome == outcome


@pytest.mark.parametrize(
    ("jit", "outcome"), [((1.0, 1.0), TRUE), ((3.0, 1.0), PARTLY), ((3.0, 3.0), WRONG), (None, UNKNOWN)]
)
def test_jit_makes_numpy_fast(with_data: Planted, jit: tuple[float, ...] | None, outcome: str) -> None:
    data = {("NumPy (reference)", "NumPy"): chain(2.0, 2.0)}
    lesson = with_data("per_op", data if jit is None else data | {("Alpha", "jit"): chain(*jit)})
    assert sayings(lesson)[NUMPY].outcome == outcome


@pytest.mark.parametrize(("first", "outcome"), [(100.0, WRONG), (1.5, TRUE)])
def test_first_call(with_data: Planted, first: float, outcome: str) -> None:
    data = {"batch_sizes": [1, 2], "first_seconds": [first, 1.0], "again_seconds": [1.0, 1.0], "num_traces": 1}
    lesson = with_data("retrace", {("Alpha", "jit"): data})
    lesson.record["measurements"][:] = [one for one in lesson.record["measurements"] if one["experiment"] != "loops"]
    assert sayings(lesson)[FIRST_CALL].outcome == outcome


@pytest.mark.parametrize(
    ("ran", "outcome"), [({"eager": [1, 1], "jit": [1, 0]}, WRONG), ({"jit": [1, 0]}, TRUE), ({}, UNKNOWN)]
)
def test_static_or_dynamic(with_data: Planted, ran: dict[str, list[int]], outcome: str) -> None:
    data = {("Alpha", way): {"calls": ["first", "second"], "python_ran": one} for way, one in ran.items()}
    assert sayings(with_data("python_runs", data))[STATIC].outcome == outcome
