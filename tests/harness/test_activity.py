"""Kernels on a time line become counts, busy and idle times; kernels that overlap are not counted twice."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness import activity
from harness.activity import Activity


@pytest.mark.parametrize(
    ("spans", "busy_s", "idle_s"),
    [
        ([(5, 6)], 1, 0),
        ([(0, 1), (1, 2)], 2, 0),
        ([(0, 1), (3, 5)], 3, 2),
        ([(3, 5), (0, 1)], 3, 2),
        ([(0, 4), (1, 2), (3, 6)], 6, 0),
        ([(0, 4), (1, 2), (5, 6)], 5, 1),
    ],
)
def test_busy_and_idle_add_up_to_the_span(spans, busy_s, idle_s) -> None:
    found = activity.summary([("kernel", *span) for span in spans], num_steps=1)
    assert (found.num_kernels, found.busy_s, found.idle_s) == (len(spans), busy_s, idle_s)
    assert found.busy_s + found.idle_s == max(end for _, end in spans) - min(start for start, _ in spans)


def test_figures_are_those_of_one_training_step() -> None:
    def call(name: str, _: float, *, key: str, phase: str, num_calls: int) -> Any:
        assert (name, key, phase) == ("kernels", "timed", "train_step")
        num_steps = 10 * num_calls
        return [("kernel", 2.0 * step, 2.0 * step + 1) for step in range(num_steps)], num_steps

    worker: Any = SimpleNamespace(call=call)
    found = activity.measure(worker, "train_step")
    assert found == Activity(1.0, 1.0, pytest.approx(1.0, rel=0.01))


def test_a_profiler_that_saw_nothing_gives_no_figures() -> None:
    worker: Any = SimpleNamespace(call=lambda *_, **__: ([], 20))
    assert activity.measure(worker, "forward") is None
