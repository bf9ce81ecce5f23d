"""Compares the losses of a training loop with the reference's."""

from typing import Any

import numpy as np

from harness.lesson.exercises.checks import UnsolvedError
from harness.problem import Problem
from impls.reference import two_layer

REQUIRES = ("torch",)
HINTS = (
    "Print w1.grad before each `backward()`.",
    "`backward()` adds to what is in `.grad`.",
    "Set w1.grad and w2.grad to None, or to zeros, in each step.",
)
NUM_STEPS = 8


def check(solution: Any) -> str:
    """Train as the reference does, from the same numbers."""
    import torch

    problem = Problem.of("two_layer", "tiny", seed=0)
    batch = problem.batches[0]
    net = two_layer.build(problem.spec, problem.params)
    expected = [float(two_layer.train_step(net, batch)) for _ in range(NUM_STEPS)]
    w1, w2 = (torch.tensor(problem.params[name], requires_grad=True) for name in ("w1", "w2"))
    rate = problem.spec.optimizer.learning_rate
    found = solution.train(w1, w2, torch.tensor(batch["x"]), torch.tensor(batch["y"]), rate, NUM_STEPS)
    if len(found) != NUM_STEPS:
        raise UnsolvedError(f"{len(found)} losses for {NUM_STEPS} steps")
    for step, (loss, right) in enumerate(zip(found, expected, strict=True)):
        if not np.isclose(loss, right, rtol=1e-5):
            raise UnsolvedError(f"the loss before step {step + 1} is {loss:.7g}; gradient descent has {right:.7g}")
    return f"All {NUM_STEPS} losses are those of gradient descent."
