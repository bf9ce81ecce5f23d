"""A simulated device with a clock of its own: calls return before their work is done, and nothing takes real time."""

from collections.abc import Callable
from typing import Any

import numpy as np


class Result:
    """What a call returns at once; whoever wants its numbers waits, and the clock goes on meanwhile."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self._wait = wait

    def block_until_ready(self) -> "Result":
        """Wait for the work."""
        self._wait()
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._wait()
        return np.zeros((), dtype)

    def __float__(self) -> float:
        self._wait()
        return 0.0


class Device:
    """Works off what was queued, one after the other.

    Args:
        work_s: simulated seconds of a call's work.
        first_call_s: that the first call takes before it returns, to trace and compile.
        slowdown: by how much longer everything takes with each simulated second that has passed.
        hiccup: every call whose number is a multiple of this takes ten times as long; 0: none does.
    """

    CALL_S = 0.001

    def __init__(self, work_s: float, first_call_s: float, slowdown: float = 0.0, hiccup: int = 0) -> None:
        self.work_s = work_s
        self.first_call_s = first_call_s
        self.slowdown = slowdown
        self.hiccup = hiccup
        self.num_calls = 0
        self.now_s = 0.0
        self._free_s = 0.0

    def clock(self) -> float:
        """Return the simulated time, in seconds."""
        return self.now_s

    def call(self, *_: Any) -> Result:
        """Queue a call's work."""
        return self.queue(self.work_s, is_first=self.num_calls == 0)

    def queue(self, work_s: float, is_first: bool) -> Result:
        """Return at once, or after compiling; the work is done when all that was queued before is."""
        self.num_calls += 1
        self.now_s += self.CALL_S + (self.first_call_s if is_first else 0.0)
        factor = 1 + self.slowdown * self.now_s
        if self.hiccup and self.num_calls % self.hiccup == 0:
            factor *= 10
        self._free_s = end_s = max(self.now_s, self._free_s) + factor * work_s
        return Result(lambda: self._pass_until(end_s))

    def _pass_until(self, end_s: float) -> None:
        self.now_s = max(self.now_s, end_s)
