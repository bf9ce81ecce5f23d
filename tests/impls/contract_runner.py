"""Runs one variant of one model by the methods of `impls.contract.Program`, in a process that holds one framework.

Usage: python contract_runner.py VARIANT MODEL OUTPUT.npz. Writes what was computed, by "how/quantity"; prints the
ledgers as JSON, by phase.
"""

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
NUM_STEPS = 10
LEARNING_RATE = 1e-2  # so that a step moves every parameter by far more than rounding does


def main(variant_name: str, model: str, output: str) -> None:
    sys.path.insert(0, str(ROOT))
    from harness.problem import Problem
    from harness.worker import hide
    from impls import registry, specs

    entries = registry.variants()
    variant = entries[variant_name].variant
    frameworks = {module for entry in entries.values() for module in entry.variant.requires} - {"numpy"}
    hide(frameworks - set(variant.requires))
    problem = Problem(specs.get(model, "tiny", learning_rate=LEARNING_RATE), seed=0, num_batches=NUM_STEPS)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.update(variant.environ(scratch))
        backend = f"impls.{entries[variant_name].backend}"
        runtime = importlib.import_module(f"{backend}.runtime")
        runtime.configure(variant, 1, "cpu")
        implementation = importlib.import_module(f"{backend}.{model}")
        runs = Runs(lambda: runtime.Program(implementation, problem.spec, problem.params, variant), problem.batches)
        arrays = {**runs.from_host(), **runs.ahead_of_time_and_placed()}
        phases = ["forward", "train_step"]
        if variant.num_steps(model) > 1:
            arrays |= runs.stacked()
            phases = ["forward", "train_steps"]
        ledgers = {phase: dict(runs.program.ledger(phase)) for phase in phases}
    np.savez(output, **arrays)
    print(json.dumps(ledgers))


class Runs:
    """The same calls in several ways, each on a fresh program; `program` is the last one."""

    def __init__(self, make: Callable[[], Any], batches: list[Mapping[str, np.ndarray]]) -> None:
        self._make = make
        self._batches = batches
        self.program = make()

    def from_host(self) -> dict[str, np.ndarray]:
        """Predict, then take `NUM_STEPS` training steps, with host batches."""
        program, prepared = self._fresh()
        kind = "image" if self._batches[0]["y"].ndim == 4 else "plain"
        found = {"host/forward": program.to_numpy(program.forward(prepared[0]), kind)}
        found |= {f"host/state@0/{name}": array for name, array in program.state().items()}
        losses = []
        for step, batch in enumerate(prepared, start=1):
            losses.append(program.to_numpy(program.train_step(batch)))
            if step in (1, 2, NUM_STEPS):
                found |= {f"host/state@{step}/{name}": array for name, array in program.state().items()}
        return found | {"host/losses": np.array(losses)}

    def ahead_of_time_and_placed(self) -> dict[str, np.ndarray]:
        """Trace and compile each phase before its first call, which takes a host batch; the second takes a placed one.

        The predictions are both of the first batch, the training steps of the first and the second.
        """
        program, prepared = self._fresh()
        kind = "image" if self._batches[0]["y"].ndim == 4 else "plain"
        for phase in ("forward", "train_step"):
            program.trace(phase, prepared[0])
            program.compile(phase, prepared[0])
        found = {
            "traced/forward": program.to_numpy(program.forward(prepared[0]), kind),
            "placed/forward": program.to_numpy(program.forward(program.place(prepared[0])), kind),
        }
        losses = [program.to_numpy(program.train_step(prepared[0]))]
        found |= {f"traced/state@1/{name}": array for name, array in program.state().items()}
        losses.append(program.to_numpy(program.train_step(program.place(prepared[1]))))
        found |= {f"placed/state@2/{name}": array for name, array in program.state().items()}
        return found | {"placed/losses": np.array(losses)}

    def stacked(self) -> dict[str, np.ndarray]:
        """Trace and compile several steps as one call, and take them with a placed stack."""
        program, prepared = self._fresh()
        stack = program.stack(prepared)
        program.trace("train_steps", stack)
        program.compile("train_steps", stack)
        losses = program.to_numpy(program.train_steps(program.place(stack)))
        found = {f"stacked/state@{NUM_STEPS}/{name}": array for name, array in program.state().items()}
        return found | {"stacked/losses": losses}

    def _fresh(self) -> tuple[Any, list[Any]]:
        self.program = self._make()
        return self.program, [self.program.prepare(batch) for batch in self._batches]


if __name__ == "__main__":
    main(*sys.argv[1:])
