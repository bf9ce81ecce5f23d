"""What the harness itself costs: the two-layer step as a worker reports it, against a bare loop in a fresh process.

The bare side is a function of the backend (`impls/BACKEND/bare_loop.py`; `tutorials.py` for the steps that others
teach, of all nets), run by this file as a program: a loop over training steps between two readings of the clock,
without worker, channel, schedule or `Program`. Both sides get the same environment, threads, CPUs and arrays, and take
their blocks in turn.
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness import environment, presets, programs, schedule, stats
from harness.problem import Problem
from harness.sampler import WorkerSampler
from harness.workers import ROOT, Worker
from impls.arrays import aligned
from impls.registry import Entry

MODEL, PHASE = "two_layer", "train_step"
"""Of the harness's own cost. The smallest net shows it most."""
NUM_LAUNCHES = 9
NUM_TUTORIAL_LAUNCHES = 6
NUM_ROUNDS = 5
"""Rather more launches: two bare loops in processes of their own differ by 3 % of a step for as long as they live."""
EXPECTED_S = 60.0
OWN_LOOP = "bare_loop.loop"


class Against(NamedTuple):
    """What is compared: a variant's training step of a net, and a loop of its backend (FILE.FUNCTION)."""

    variant: str
    model: str
    loop: str


@dataclass(frozen=True)
class Cost:
    """The samples of both sides, and the ratio of the harness's step time to the bare loop's.

    Attributes:
        harness, bare: rounds over all launches, in seconds per step.
        num_iterations: steps in one sample.
        ratio: over the launches, one value for each.
    """

    harness: list[list[float]]
    bare: list[list[float]]
    num_iterations: int
    ratio: stats.Ratio


def measure(
    entry: Entry,
    num_threads: int,
    device: str,
    seed: int,
    preset: presets.Preset,
    model: str = MODEL,
    loop: str = OWN_LOOP,
) -> Cost:
    """Time both sides in turn, in several launches of each; `loop` is the backend's FILE.FUNCTION for this net.

    Raises:
        WorkerError: the worker failed.
        RuntimeError: the bare loop failed.
    """
    problem = Problem.of(model, preset.sizes[model], seed)
    # Both sides' blocks have the same number of steps, chosen below: each block ends with one wait for the device.
    rounds = replace(preset, min_rounds=NUM_ROUNDS, max_rounds=NUM_ROUNDS, min_block_s=0.0)
    in_worker: list[list[float]] = []
    in_loop: list[list[float]] = []
    log_ratios: list[float] = []
    num_iterations = 0
    for launch in range(NUM_LAUNCHES if loop == OWN_LOOP else NUM_TUTORIAL_LAUNCHES):
        with (
            Worker(entry, num_threads, device) as worker,
            bare_process(entry, problem, num_threads, device, loop) as bare,
        ):
            worker.start()
            programs.launch(worker, problem)
            if not num_iterations:
                num_iterations = schedule.calibrated(WorkerSampler(worker, PHASE), preset.min_block_s).num_iterations
            samplers: dict[str, schedule.Sampler] = {
                "bare": replace(bare, num_iterations=num_iterations),
                "harness": WorkerSampler(worker, PHASE, num_iterations=num_iterations),
            }
            found = schedule.measure(samplers, "bare", set(), rounds, seed + launch, lambda *_: None)
            if found.stopped_by == "interrupted":  # the schedule keeps what a run has; here it would be half a launch
                raise KeyboardInterrupt
            for error in found.failures.values():
                raise error
        sides = found.series["harness"].rounds_s, found.series["bare"].rounds_s
        in_worker += sides[0]
        in_loop += sides[1]
        log_ratios.append(statistics.median(stats.paired_ratio(*sides, found.statistic).log_ratios))
    return Cost(in_worker, in_loop, num_iterations, stats.ratio_of(tuple(log_ratios)))


@dataclass(frozen=True)
class BareLoop:
    """A `schedule.Sampler` that asks a bare loop's process, whose standard error is a file, for blocks of steps."""

    process: subprocess.Popen[str]
    stderr: Path
    num_iterations: int = 1

    def calibrate(self, min_block_s: float) -> tuple[int, float]:  # noqa: ARG002 - the steps are given
        """See `schedule.Sampler`. The first block compiles."""
        _, block_s = self._blocks_s(self.num_iterations, 2)
        return self.num_iterations, block_s

    def sample(self, num_iterations: int, num_samples: int) -> list[schedule.Sample]:
        """See `schedule.Sampler`; of a bare loop nothing but wall time is known."""
        _, *blocks_s = self._blocks_s(num_iterations, num_samples + 1)
        return [(block_s, block_s, 0, block_s) for block_s in blocks_s]

    def _blocks_s(self, num_steps: int, num_blocks: int) -> list[float]:
        """Return the seconds of blocks that follow each other without a pause, as those in a worker do."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended; the empty answer below tells
            print(num_steps, num_blocks, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            status, reason = self.process.wait(), self.stderr.read_text().strip().rpartition("\n")[2]
            raise RuntimeError(f"the bare loop ended with exit status {status}: {reason}")
        return json.loads(answer)


@contextmanager
def bare_process(entry: Entry, problem: Problem, num_threads: int, device: str, loop: str) -> Iterator[BareLoop]:
    """Start a fresh process that runs `loop` on the problem's arrays, and end it behind the block."""
    with tempfile.TemporaryDirectory(prefix="likeforlike-bare-") as folder:
        arrays = Path(folder) / "arrays.npz"
        named: dict[str, Any] = {**problem.params, **problem.batches[0]}
        np.savez(arrays, **named)
        order = {
            "backend": entry.backend,
            "variant": entry.name,
            "loop": loop,
            "request": problem.spec.request,
            "arrays": str(arrays),
            "num_threads": num_threads,
            "device": environment.kind(device),
            "cpus": environment.choose_cpus(num_threads),
        }
        python = sys.executable if entry.interpreter is None else entry.interpreter.python
        stderr = Path(folder) / "stderr"
        with stderr.open("w") as file:
            process = subprocess.Popen(
                [python, "-m", "harness.bare_loop", json.dumps(order)],
                cwd=ROOT,
                env={**os.environ, **environment.worker_env(num_threads, device), **entry.variant.environ(folder)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        try:
            yield BareLoop(process, stderr)
        finally:
            process.kill()
            process.communicate()


def main(order: str) -> None:
    """Be the bare process: take as many steps, so many times, as a line of standard input says; print the seconds."""
    import importlib

    from impls import registry, specs

    told = json.loads(order)
    if told["cpus"] is not None:
        os.sched_setaffinity(0, told["cpus"])
    runtime = importlib.import_module(f"impls.{told['backend']}.runtime")
    runtime.configure(registry.variants()[told["variant"]].variant, told["num_threads"], told["device"])
    spec = specs.get(**told["request"])
    arrays = {name: aligned(array) for name, array in np.load(told["arrays"]).items()}
    batch = {name: arrays.pop(name) for name in spec.inputs}
    file, _, function = told["loop"].partition(".")
    loop = getattr(importlib.import_module(f"impls.{told['backend']}.{file}"), function)
    steps = loop(spec, arrays, batch)
    gc.collect()
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        num_steps, num_blocks = map(int, line.split())
        blocks_s = []
        for _ in range(num_blocks):
            start = time.perf_counter()
            steps(num_steps)
            blocks_s.append(time.perf_counter() - start)
        print(json.dumps(blocks_s), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
