"""What ceilings are measured with is really done: whole products in the precision asked for, and whole copies."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from impls import registry

ROOT = Path(__file__).parents[2]
BACKENDS = {entry.backend: entry for entry in registry.variants().values() if registry.offers(entry, "ceilings")}
SCRIPT = """
import importlib, json, sys
backend, variant = sys.argv[1:]
from impls import registry
import numpy as np
entry = registry.variants()[variant]
importlib.import_module(f"impls.{backend}.runtime").configure(entry.variant, 1, "cpu")
ceilings = importlib.import_module(f"impls.{backend}.ceilings")
found = {}
for name, operation in {
    "float32": ceilings.matmul(48, "float32"),
    "float64": ceilings.matmul(48, "float64"),
    "copy": ceilings.copy(4096),
}.items():
    first, again = np.asarray(operation()), np.asarray(operation())
    found[name] = [str(again.dtype), again.shape, again.nbytes, sorted({*first.ravel(), *again.ravel()})]
print(json.dumps(found, default=float))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_products_and_copies_are_done(backend: str) -> None:
    """Twice each: an operation whose target is given away or overwritten must still be right the second time."""
    command = [sys.executable, "-c", SCRIPT, backend, BACKENDS[backend].name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "float32": ["float32", [48, 48], 4 * 48**2, [48.0]],
        "float64": ["float64", [48, 48], 8 * 48**2, [48.0]],
        "copy": ["float32", [1024], 4096, [1.0]],
    }


def test_some_backend_is_measured() -> None:
    assert BACKENDS, "no backend offers ceilings, so that the tests above prove nothing"
