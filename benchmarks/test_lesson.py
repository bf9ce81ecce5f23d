"""What do static and dynamic graphs cost, and what do they bring? The experiments of the lesson, one test for each."""

from contextlib import AbstractContextManager

import pytest

from harness.lesson import EXPERIMENTS
from harness.lesson.runner import Lesson, Measurement


@pytest.mark.teaches
def test_audit(lesson: AbstractContextManager[Lesson]) -> None:
    with lesson as taught:
        try:
            programs = taught.run_audit()
        except ModuleNotFoundError as error:
            pytest.skip(str(error))
    assert any(program["refused"] for program in programs), "programs that differ were taken for the same"


@pytest.mark.teaches
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment(name: str, lesson: AbstractContextManager[Lesson]) -> None:
    with lesson as taught:
        found = taught.measure(name)
    wrong = [_described(one) for one in found if one["status"] not in ("measured", "not installed")]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def _described(found: Measurement) -> str:
    return f"{found['framework']}, {found['way'] or 'all ways'}: {found['status']}, {found['reason']}"
