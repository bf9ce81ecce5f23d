"""Hands samples that were taken elsewhere to pytest-benchmark, bit for bit, through its public timer."""

from collections.abc import Iterator
from itertools import chain
from typing import Any


class ReplayClock:
    """A clock that shows recorded durations instead of the time.

    pytest-benchmark reads it before and after a round of k calls: it shows 0.0 until k ticks have passed, and then the
    recorded duration of the round. (Only for `benchmark.pedantic`: `benchmark(fn)` calibrates by watching its clock.)
    """

    def __init__(self) -> None:
        self._totals: Iterator[float] = iter(())
        self._num_iterations = 1
        self._num_rounds = 0
        self._ticks = 0

    def load(self, rounds_s: list[list[float]], num_iterations: int) -> None:
        """Take the samples of one cell: seconds per step, in rounds; each was a block of `num_iterations` steps."""
        samples = list(chain.from_iterable(rounds_s))
        self._totals = iter([sample * num_iterations for sample in samples])
        self._num_iterations = num_iterations
        self._num_rounds = len(samples)
        self._ticks = 0

    def __call__(self) -> float:
        """Return 0.0 at the start of a round and its recorded duration at the end."""
        if self._ticks < self._num_iterations:
            return 0.0
        self._ticks = 0
        return next(self._totals)

    def tick(self) -> None:
        """Stand for one call of the timed function."""
        self._ticks += 1

    def replay_into(self, benchmark: Any) -> None:
        """Run pytest-benchmark over the loaded samples."""
        benchmark.pedantic(self.tick, rounds=self._num_rounds, iterations=self._num_iterations)
