"""The U-Net in its published size: a photograph of 572 px becomes 388 px of logits, the same in every framework."""

import numpy as np
import pytest

from harness.problem import Problem
from harness.programs import CALL_TIMEOUT_S, load_model, open_program
from harness.worker import pack, unpack
from harness.workers import Worker
from impls import registry
from impls.registry import Entry

PROBLEM = Problem.of("unet", "original", seed=0, num_batches=1)
MAX_REL_DIFFERENCE = 1e-4
"""float32 over 23 convolutions: some hundred roundings of 6e-8, and far from any difference in the function."""


def predict(entry: Entry) -> np.ndarray:
    with Worker(entry, num_threads=2, device="cpu") as worker:
        worker.start()
        load_model(worker, PROBLEM)
        open_program(worker, PROBLEM, "original", "float32")
        batch = {name: pack(array) for name, array in PROBLEM.batches[0].items()}
        return unpack(worker.call("predict", CALL_TIMEOUT_S, key="original", batch=batch))


@pytest.mark.slow
def test_the_published_size_in_every_headline_variant() -> None:
    assert PROBLEM.spec.inputs["x"] == (1, 3, 572, 572)
    entries = [entry for entry in registry.variants().values() if entry.variant.headline]
    found = {
        entry.name: predict(entry) for entry in entries if registry.availability("unet", entry).status == "available"
    }
    if len(found) < 2:
        pytest.skip(f"two frameworks are needed to compare; installed: {', '.join(found) or 'none'}")
    first = next(iter(found.values()))
    for name, logits in found.items():
        assert logits.shape == (1, 1, 388, 388), name
        assert np.linalg.norm(logits - first) <= MAX_REL_DIFFERENCE * np.linalg.norm(first), name
    assert first.std() > 0, "a constant would agree everywhere"
