"""Prints as JSON what a backend's ways of running compute: by experiment {"expected", "found": {way: array}}.

The command line: a backend. What is expected is computed by NumPy.
"""

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from harness import environment
from harness.lesson import runner
from harness.problem import Problem
from impls import registry, specs
from impls.reference import two_layer
from impls.reference.experiments import buffers, per_op

NUM_STEPS = 3


def vector() -> np.ndarray:
    return np.linspace(-1, 1, 7, dtype=np.float32)


def matrices() -> list[np.ndarray]:
    """Return a batch and the weights of a net of two layers."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, np.float32) for shape in ((5, 4), (4, 3), (3, 2))]


def retrace(way: Callable[..., Any]) -> Any:
    batch, w1, w2 = matrices()
    return way(w1, w2)[0](batch)


def asynchrony(way: Callable[..., Any]) -> Any:
    start_product, wait = way(SQUARE)
    product = start_product()
    wait(product)
    return product


PROBLEM = Problem(specs.get("two_layer", "tiny", learning_rate=1e-2), seed=0)
"""With a rate at which a step moves every parameter by far more than rounding does."""


def high_level(way: Callable[..., Any]) -> Any:
    train, weights = way(PROBLEM.spec, PROBLEM.params, PROBLEM.batches[0], NUM_STEPS)
    train()
    return moves(weights())


def trained() -> np.ndarray:
    """Return how far NumPy's training steps move the weights."""
    net = two_layer.build(PROBLEM.spec, PROBLEM.params)
    for _ in range(NUM_STEPS):
        two_layer.train_step(net, PROBLEM.batches[0])
    return moves([net.params["w1"], net.params["w2"]])


def moves(weights: list[np.ndarray]) -> np.ndarray:
    initial = [PROBLEM.params["w1"], PROBLEM.params["w2"]]
    return np.concatenate([(after - before).ravel() for after, before in zip(weights, initial, strict=True)])


def predicted() -> np.ndarray:
    batch, w1, w2 = matrices()
    return np.maximum(batch @ w1, 0) @ w2


SQUARE = np.outer(vector(), vector())

COMPUTE: dict[str, tuple[Callable[[Callable[..., Any]], Any], Callable[[], np.ndarray]]] = {
    "per_op": (lambda way: way(vector())(), lambda: per_op.chain(vector())),
    "fusion": (lambda way: way(vector())[0](), lambda: per_op.chain(vector())),
    "buffers": (lambda way: way(vector())[0](), lambda: buffers.wide_sum(vector())),
    "retrace": (retrace, predicted),
    "asynchrony": (asynchrony, lambda: SQUARE @ SQUARE),
    "high_level": (high_level, trained),
}


def main(backend: str, scratch: str) -> None:
    entry = runner.host(backend)
    os.environ.update(environment.worker_env(1) | entry.variant.environ(scratch))
    importlib.import_module(f"impls.{backend}.runtime").configure(entry.variant, 1, "cpu")
    computed = {}
    for experiment, (compute, expect) in COMPUTE.items():
        if registry.has_file(backend, f"experiments/{experiment}"):
            ways = importlib.import_module(f"impls.{backend}.experiments.{experiment}").WAYS
            found = {name: np.asarray(compute(way)).tolist() for name, way in ways.items()}
            computed[experiment] = {"expected": expect().tolist(), "found": found}
    print(json.dumps(computed))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1], folder)
