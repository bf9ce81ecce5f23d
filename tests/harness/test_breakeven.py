"""Break-even: the closed form agrees with taking the steps one by one, and intervals and launches widen it rightly."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.breakeven import BreakEven, Course, break_even, overtaking_step

STAGES = {
    "import_s": 1.0,
    "build_s": 0.5,
    "trace_s": 0.25,
    "compile_s": 2.0,
    "first_step_s": 0.25,
    "second_step_s": 0.5,
}

thousandths = st.integers(1, 3000).map(lambda number: number / 1024)  # exact in binary: no rounding to argue about
courses = st.builds(Course, first_s=thousandths, second_s=thousandths, step_s=thousandths)


def by_counting(early: Course, late: Course, most: int) -> int | None:
    """Return the first step after which `late` is no longer behind, by adding up one step after the other."""
    early_s, late_s = early.first_s, late.first_s
    for step in range(1, most + 1):
        if late_s <= early_s:
            return step
        early_s += early.second_s if step == 1 else early.step_s
        late_s += late.second_s if step == 1 else late.step_s
    return None


@given(courses, courses)
def test_the_step_is_the_one_that_counting_finds(early: Course, late: Course) -> None:
    most = 300
    found = overtaking_step(early, late)
    counted = by_counting(early, late, most)
    assert found == counted or (counted is None and (found is None or found > most))


def test_a_course_adds_up_the_stages_of_a_launch() -> None:
    course = Course.of(STAGES | {"teardown_s": 9.0}, step_s=0.125)
    assert [course.seconds(n) for n in (1, 2, 4)] == [4.0, 4.5, 4.75]


def test_a_variant_that_is_no_faster_never_overtakes() -> None:
    assert overtaking_step(Course(1, 0.1, 0.1), Course(2, 0.1, 0.1)) is None


def at(first_s: float, step_s: float) -> list[Course]:
    return [Course(first_s, step_s, step_s)]


def test_the_interval_takes_the_ends_of_the_ratio() -> None:
    found = break_even(("eager", at(1, 1.0)), ("compiled", at(11, 0.5)), (0.4, 0.6))
    assert found == BreakEven("eager", "compiled", num_steps=21, low=18, high=26)


def test_perhaps_never_when_the_interval_reaches_one() -> None:
    found = break_even(("eager", at(1, 1.0)), ("compiled", at(11, 0.875)), (0.75, 1.0))
    assert (found.num_steps, found.low, found.high) == (81, 42, None)


def test_launches_widen_the_interval_by_their_cold_costs() -> None:
    eager = at(1, 1.0)
    compiled = [Course(first_s, 0.5, 0.5) for first_s in (6, 11, 16)]
    found = {
        order: break_even(("eager", eager), ("compiled", list(order)), (0.5, 0.5))
        for order in itertools.permutations(compiled)
    }
    assert {(b.num_steps, b.low, b.high) for b in found.values()} == {(21, 11, 31)}


@pytest.mark.parametrize("step_s", [2.0, 1.0])
def test_never_is_never_at_both_ends(step_s: float) -> None:
    found = break_even(("a", at(1, 1.0)), ("b", at(2, step_s)), (step_s, step_s))
    assert (found.num_steps, found.low, found.high) == (None, None, None)
