"""Does a high level cost speed? The two-layer net of the benchmark, trained by the means of a high-level library.

A way is a function of the net's spec, parameters, batch ("x" and "y") and a number of steps. It returns two functions
of nothing: one takes so many training steps with that batch and waits for them, the other returns the weights as they
are now, (D_in, H) and (H, D_out).
"""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from harness.lesson.clock import seconds
from harness.problem import Problem
from impls.contract import Arrays
from impls.specs import ModelSpec

NUM_STEPS = 100
NUM_SAMPLES = 5

Way = Callable[[ModelSpec, Arrays, Arrays, int], tuple[Callable[[], Any], Callable[[], list[np.ndarray]]]]


def probe(way: Way) -> Generator[None, None, dict[str, Any]]:
    """Time training, in seconds per step."""
    problem = Problem.of("two_layer", "original", seed=0)
    train, _ = way(problem.spec, problem.params, problem.batches[0], NUM_STEPS)
    train()  # traces and compiles
    samples = []
    for _ in range(NUM_SAMPLES):
        yield
        samples.append(seconds(train) / NUM_STEPS)
    return {"num_steps": NUM_STEPS, "seconds": samples}
