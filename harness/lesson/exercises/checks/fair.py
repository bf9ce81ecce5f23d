"""Lets a student compare two functions on a simulated machine, where the true ratio is known."""

import time
from typing import Any
from unittest import mock

from harness.lesson.exercises.checks import UnsolvedError
from harness.lesson.exercises.simulated import Device

REQUIRES = ()
HINTS = (
    "Call each function once before the clock starts.",
    "If the second function is measured while the machine is slower, it looks slower. Let them take turns.",
    "One disturbed call spoils a mean. Take the ratio within each turn, and the median over the turns.",
)
FIRST_S, SECOND_S, TOLERANCE = 1.0, 0.5, 0.1


def check(solution: Any) -> str:
    """Compare the student's ratio with the true one, with either function first."""
    for first_s, second_s in ((FIRST_S, SECOND_S), (SECOND_S, FIRST_S)):
        device = Device(first_s, first_call_s=0.0, slowdown=0.02, hiccup=7)
        with mock.patch.object(time, "perf_counter", device.clock):
            found = solution.ratio(_function(device, first_s), _function(device, second_s))
        true = second_s / first_s
        if abs(found / true - 1) > TOLERANCE:
            raise UnsolvedError(f"the true ratio is {true:g}; you found {found:.3g}")
    return "Right to within a tenth, whichever comes first."


def _function(device: Device, work_s: float) -> Any:
    """Return a function that compiles in its first call, for fifty times as long as it runs, and waits."""
    calls: list[None] = []

    def call() -> None:
        device.first_call_s = 50 * work_s
        device.queue(work_s, is_first=not calls).block_until_ready()
        calls.append(None)

    return call
