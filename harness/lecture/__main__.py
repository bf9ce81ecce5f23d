"""`python -m harness.lecture PROGRAM START.npz RECORD.npz [RATE]`: run one program from given numbers; see `record`."""

import importlib
import sys
from typing import Any

import numpy as np

from harness.lecture import NUM_RECORDED_STEPS


def record(train: Any, start: dict[str, np.ndarray], learning_rate: float, num_steps: int) -> dict[str, np.ndarray]:
    """Train, and return all losses as "losses" and the first steps' quantities by the names of `harness.certify`.

    Args:
        train: of one of the programs.
        start: x, y, w1 and w2.
        learning_rate: of its updates.
        num_steps: how many losses.
    """
    losses = []
    recorded: dict[str, np.ndarray] = {}
    steps = train(start["x"], start["y"], start["w1"], start["w2"], learning_rate, num_steps)
    for taken, step in enumerate(steps):
        losses.append(step["loss"])
        if taken <= NUM_RECORDED_STEPS:
            recorded[f"forward@{taken}"] = step["y_pred"]
        if taken < NUM_RECORDED_STEPS:
            recorded[f"loss@{taken}"] = step["loss"]
            recorded[f"grad@{taken}/w1"], recorded[f"grad@{taken}/w2"] = step["grad_w1"], step["grad_w2"]
            recorded[f"state@{taken + 1}/w1"], recorded[f"state@{taken + 1}/w2"] = step["w1"], step["w2"]
    return recorded | {"losses": np.array(losses)}


if __name__ == "__main__":
    name, start_path, record_path, *rate = sys.argv[1:]
    program = importlib.import_module(f"harness.lecture.{name}")
    learning_rate = float(rate[0]) if rate else program.LEARNING_RATE
    with np.load(start_path) as arrays:
        start = dict(arrays)
    found = {"learning_rate": np.array(learning_rate)}
    for precision, num_steps in (("float32", program.NUM_STEPS), ("float64", NUM_RECORDED_STEPS + 1)):
        inputs = {key: array.astype(precision) for key, array in start.items()}
        for quantity, array in record(program.train, inputs, learning_rate, num_steps).items():
            found[f"{precision}/{quantity}"] = array
    np.savez(record_path, allow_pickle=False, **found)
