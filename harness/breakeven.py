"""After how many steps a variant that starts slowly has overtaken one that starts fast, cold costs included."""

import math
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Course:
    """The seconds that one launch of a variant has taken after n steps.

    Attributes:
        first_s: until the first step is done: import, build, trace, compile, first step.
        second_s: the second step.
        step_s: every later one.
    """

    first_s: float
    second_s: float
    step_s: float

    @classmethod
    def of(cls, stages: dict[str, float], step_s: float) -> "Course":
        """Make the course of a cell's cold stages and its step time."""
        up_to_first = ("import_s", "build_s", "trace_s", "compile_s", "first_step_s")
        return cls(sum(stages[stage] for stage in up_to_first), stages["second_step_s"], step_s)

    def seconds(self, num_steps: float) -> float:
        """Return the seconds after `num_steps` steps, 1 or more."""
        return self.first_s + (self.second_s + (num_steps - 2) * self.step_s if num_steps > 1 else 0.0)


@dataclass(frozen=True)
class BreakEven:
    """Where the course of `late` falls below that of `early`, which is ahead after the first step.

    Attributes:
        num_steps: the first step after which `late` has taken less time in all; None: never.
        low, high: the same at the two ends of the interval of their ratio and of the cold costs that were seen; None as
            `high`: perhaps never. None as `low` only if `num_steps` is.
    """

    early: str
    late: str
    num_steps: int | None
    low: int | None
    high: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return vars(self).copy()


def overtaking_step(early: Course, late: Course) -> int | None:
    """Return the first step after which `late` has taken no more time than `early`; None if there is none."""
    if late.seconds(1) <= early.seconds(1):
        return 1
    if late.seconds(2) <= early.seconds(2):
        return 2
    gained_s = early.step_s - late.step_s
    if gained_s <= 0:
        return None
    return 2 + math.ceil((late.seconds(2) - early.seconds(2)) / gained_s)


def break_even(
    early: tuple[str, list[Course]], late: tuple[str, list[Course]], ratio: tuple[float, float]
) -> BreakEven:
    """Compare two variants.

    The figure itself takes the launches with the median cold cost. Its ends take the interval's ends and the launches
    in which the cold costs lay closest together and farthest apart: no interval can be had of one or three launches.

    Args:
        early: name, and the course of every launch; they differ in their cold costs alone.
        late: the same of the variant that is behind after the first step.
        ratio: 95 % interval of the step time of `late` over that of `early`.
    """
    early_name, early_courses = early[0], sorted(early[1], key=lambda course: course.seconds(2))
    late_name, late_courses = late[0], sorted(late[1], key=lambda course: course.seconds(2))

    def at(ratio_end: float, early_course: Course, late_course: Course) -> int | None:
        return overtaking_step(early_course, replace(late_course, step_s=ratio_end * early_course.step_s))

    middle = overtaking_step(early_courses[len(early_courses) // 2], late_courses[len(late_courses) // 2])
    low = at(ratio[0], early_courses[-1], late_courses[0])
    high = at(ratio[1], early_courses[0], late_courses[-1])
    return BreakEven(early_name, late_name, middle, low, high)
