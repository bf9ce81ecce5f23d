"""Probes a backend's ways of some experiments at small sizes, in a process that holds one framework; prints JSON.

Usage: python ways_runner.py BACKEND. The sizes are `SMALL`, by experiment.
"""

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]

SMALL = {
    "loops": {"LENGTHS": (2, 4), "WARMUP_LENGTH": 1, "NUM_SAMPLES": 1},
    "ragged": {"NUM_EXAMPLES": 4, "SHORTEST": 3, "LONGEST": 6, "BUCKETS": (4, 6)},
    "dynamic_depth": {"MAX_DEPTHS": (2,), "NUM_STEPS": 4},
    "python_runs": {},
    "debugging": {},
    "export": {},
    "graphs": {},
}


def main(backend: str) -> None:
    sys.path.insert(0, str(ROOT))
    from harness.lesson import runner, ways
    from harness.worker import hide
    from impls import registry

    entries = registry.variants().values()
    variant = runner.host(backend).variant
    hide({module for entry in entries for module in entry.variant.requires} - {"numpy"} - set(variant.requires))
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.update(variant.environ(scratch))
        importlib.import_module(f"impls.{backend}.runtime").configure(variant, 1, "cpu")
        found = {}
        for name, sizes in SMALL.items():
            if not registry.has_file(backend, f"experiments/{name}"):
                continue
            module = importlib.import_module(f"harness.lesson.{name}")
            for constant, value in sizes.items():
                assert hasattr(module, constant)
                setattr(module, constant, value)
            found[name] = ways.probe(backend, name, ways.names(backend, name))
    print(json.dumps(found, allow_nan=False))


if __name__ == "__main__":
    main(sys.argv[1])
