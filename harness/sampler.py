"""Lets the schedule take samples in a worker."""

from dataclasses import dataclass

from harness.programs import CALL_TIMEOUT_S
from harness.schedule import Sample
from harness.workers import Worker

SAMPLE_TIMEOUT_S = 60.0
"""Of a visit, besides `TIMES_EXPECTED` times what calibration lets expect. A worker that hangs costs a run so long."""
TIMES_EXPECTED = 20


@dataclass
class WorkerSampler:
    """Lets the schedule take samples of one phase in a worker.

    Attributes:
        waits: for every call, for its latency.
        num_iterations: steps of a block, if an earlier launch chose them.
        step_s: as calibration found it.
    """

    worker: Worker
    phase: str
    waits: bool = False
    num_iterations: int = 0
    step_s: float = 0.0

    def calibrate(self, min_block_s: float) -> tuple[int, float]:
        """See `schedule.Sampler`."""
        num_iterations, block_s = self.worker.call(
            "calibrate",
            CALL_TIMEOUT_S,
            key="timed",
            phase=self.phase,
            min_block_s=min_block_s,
            num_iterations=self.num_iterations,
        )
        self.step_s = block_s / num_iterations
        return num_iterations, block_s

    def sample(self, num_iterations: int, num_samples: int) -> list[Sample]:
        """See `schedule.Sampler`."""
        expected_s = (num_samples + 1) * num_iterations * self.step_s
        return self.worker.call(
            "sample",
            SAMPLE_TIMEOUT_S + TIMES_EXPECTED * expected_s,
            key="timed",
            phase=self.phase,
            num_iterations=num_iterations,
            num_samples=num_samples,
            waits=self.waits,
        )
