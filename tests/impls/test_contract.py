"""Every variant's `Program` does the same by whichever method it is called, at the tiny size in float32."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from impls import registry

pytestmark = pytest.mark.usefixtures("cheap_xla")

Ran = tuple[dict[str, np.ndarray], dict[str, dict[str, str]]]
LEDGER_KEYS = {"layout", "donation", "synchronisation", "compiler", "caches", "precision"}
ENTRIES = registry.variants()
# The two-layer net is quick to compile; the recurrent net predicts from two entries; the U-Net has images, statistics.
PAIRS = [(name, "two_layer") for name in ENTRIES]
PAIRS += [(name, model) for model in ("recurrent", "unet") for name, entry in ENTRIES.items() if entry.variant.headline]
# With this scope, the tests of a pair follow one another: where two processes share the work, one has a pair's run.
each_pair = pytest.mark.parametrize(("variant", "model"), PAIRS, scope="module")
each_pair_with_stacks = pytest.mark.parametrize(
    ("variant", "model"),
    [(name, model) for name, model in PAIRS if ENTRIES[name].variant.num_steps(model) > 1],
    scope="module",
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Ran]:
    """Runs a variant in a process of its own, once, and keeps what it computed and its ledgers."""

    @cache
    def run(variant: str, model: str) -> Ran:
        available = registry.availability(model, ENTRIES[variant])
        if available.status != "available":
            pytest.skip(f"{available.status}: {available.reason}")
        output = tmp_path_factory.mktemp("contract") / "arrays.npz"
        script = Path(__file__).with_name("contract_runner.py")
        command = [sys.executable, str(script), variant, model, str(output)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(output) as arrays:
            return dict(arrays), json.loads(done.stdout.splitlines()[-1])

    return run


def assert_same_state(arrays: dict[str, np.ndarray], found: str, expected: str, start: str = "host/state@0/") -> None:
    """Compare whole states by how far each tensor has moved since the start, and see that it has."""
    names = [key.removeprefix(expected) for key in arrays if key.startswith(expected)]
    assert names
    for name in names:
        moved = np.abs(arrays[expected + name] - arrays[start + name]).max()
        assert moved > 0, f"{name} has not moved"
        error = np.abs(arrays[found + name] - arrays[expected + name]).max()
        assert error <= 1e-3 * moved, name


@each_pair
def test_a_placed_batch_gives_the_same_prediction(variant: str, model: str, ran: Callable[[str, str], Ran]) -> None:
    arrays, _ = ran(variant, model)
    np.testing.assert_allclose(arrays["placed/forward"], arrays["host/forward"], rtol=1e-5, atol=1e-6)


@each_pair
def test_a_placed_batch_gives_the_same_training_step(variant: str, model: str, ran: Callable[[str, str], Ran]) -> None:
    arrays, _ = ran(variant, model)
    np.testing.assert_allclose(arrays["placed/losses"], arrays["host/losses"][:2], rtol=1e-5)
    assert_same_state(arrays, "placed/state@2/", "host/state@2/")


@each_pair
def test_the_first_call_after_trace_and_compile(variant: str, model: str, ran: Callable[[str, str], Ran]) -> None:
    arrays, _ = ran(variant, model)
    np.testing.assert_allclose(arrays["traced/forward"], arrays["host/forward"], rtol=1e-5, atol=1e-6)
    assert_same_state(arrays, "traced/state@1/", "host/state@1/")


@each_pair_with_stacks
def test_a_stack_is_as_many_training_steps(variant: str, model: str, ran: Callable[[str, str], Ran]) -> None:
    arrays, _ = ran(variant, model)
    assert arrays["stacked/losses"].shape == arrays["host/losses"].shape
    np.testing.assert_allclose(arrays["stacked/losses"], arrays["host/losses"], rtol=1e-4)
    assert_same_state(arrays, "stacked/state@10/", "host/state@10/")


@each_pair
def test_the_ledger_has_a_word_on_everything(variant: str, model: str, ran: Callable[[str, str], Ran]) -> None:
    _, ledgers = ran(variant, model)
    for ledger in ledgers.values():
        assert set(ledger) == LEDGER_KEYS
        assert all(isinstance(value, str) and value.strip() for value in ledger.values())
