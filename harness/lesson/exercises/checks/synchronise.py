"""Lets a student's timer measure a simulated device, whose clock is known to the last digit."""

import time
from typing import Any
from unittest import mock

import numpy as np

from harness.lesson.exercises.checks import UnsolvedError
from harness.lesson.exercises.simulated import Device

REQUIRES = ()
HINTS = (
    "When does the clock stop: when the calls have returned, or when their work is done?",
    "Work is done in the order in which it was queued, so waiting for the last result is enough.",
    "The call to warm up queues work as well. When does that end, and when does the clock start?",
)
WORK_S, TOLERANCE = 0.5, 0.05


def check(solution: Any) -> str:
    """Compare what the timer finds with what the device was told to take."""
    device = Device(work_s=WORK_S, first_call_s=100 * WORK_S)
    with mock.patch.object(time, "perf_counter", device.clock):
        found = solution.seconds_per_call(device.call, np.ones(3))
    if device.num_calls < 3:
        raise UnsolvedError(
            f"the function was called {device.num_calls} times; call it to warm up, and then repeatedly"
        )
    if abs(found / WORK_S - 1) > TOLERANCE:
        raise UnsolvedError(f"a call's work takes {WORK_S} s on the simulated device; you found {found:.3f} s")
    return f"You found {found:.3f} s, and the work takes {WORK_S} s."
