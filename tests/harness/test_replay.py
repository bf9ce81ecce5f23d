"""Samples come out of pytest-benchmark exactly as they went in."""

import random

import pytest

from harness.replay import ReplayClock


class RecordingBenchmark:
    """Reads the clock as `benchmark.pedantic` does: before and after each round, and one extra call at the end."""

    def __init__(self, clock: ReplayClock) -> None:
        self.clock = clock
        self.per_step: list[float] = []

    def pedantic(self, target: object, rounds: int, iterations: int) -> None:
        assert callable(target)
        for _ in range(rounds):
            start = self.clock()
            for _ in range(iterations):
                target()
            self.per_step.append((self.clock() - start) / iterations)
        if iterations > 1:
            target()


@pytest.mark.parametrize("num_iterations", [1, 2, 7, 1000])
def test_durations_survive(num_iterations: int) -> None:
    rng = random.Random(num_iterations)
    clock = ReplayClock()
    benchmark = RecordingBenchmark(clock)
    for _ in range(2):  # the clock is shared by all tests of a run: a second cell must not see the first
        rounds_s = [[rng.expovariate(1e3) for _ in range(4)] for _ in range(12)]
        benchmark.per_step.clear()
        clock.load(rounds_s, num_iterations)
        clock.replay_into(benchmark)
        assert benchmark.per_step == pytest.approx([s for samples in rounds_s for s in samples], rel=1e-15)
