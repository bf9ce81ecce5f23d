"""The lesson compares ways of computing the same: every way of every framework gives NumPy's numbers."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.lesson import EXPERIMENTS, buffers, per_op, runner
from impls import registry
from impls.reference.experiments import buffers as wide
from impls.reference.experiments import fusion

BACKENDS = sorted({entry.backend for entry in registry.variants().values()})


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Runs all ways of a backend in a process of its own, once."""

    @cache
    def run(backend: str) -> dict[str, Any]:
        missing = registry.missing_modules(runner.host(backend))
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("experiment_runner.py")), backend],
            capture_output=True, text=True, timeout=300, cwd=tmp_path_factory.mktemp(backend),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["per_op", "fusion", "retrace", "buffers", "asynchrony", "high_level"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_way_computes_the_same(backend: str, experiment: str, computed: Callable[[str], dict[str, Any]]) -> None:
    if not registry.has_file(backend, f"experiments/{experiment}"):
        pytest.skip(f"there is no impls/{backend}/experiments/{experiment}.py")
    values = computed(backend)[experiment]
    assert values["found"], "no way at all"
    assert np.any(values["expected"]), "zeros prove nothing"
    for way, found in values["found"].items():
        np.testing.assert_allclose(found, values["expected"], rtol=1e-5, atol=1e-6, err_msg=way)


def test_the_functions_are_as_long_as_the_probes_say() -> None:
    """Figures are divided by the number of operations, and of terms."""
    num_operations, _ = fusion.count()
    assert num_operations == per_op.NUM_OPS
    assert wide.wide_sum(np.zeros(1)) == pytest.approx(np.tanh(np.arange(buffers.NUM_TERMS)).sum())


def test_every_experiment_has_a_probe_and_a_way() -> None:
    """And no file is left that no experiment names, and that would never run."""
    ways = {path.stem for path in Path(registry.__file__).parent.glob("*/experiments/*.py")} - {"__init__"}
    assert ways == set(EXPERIMENTS)
    assert {name for name in EXPERIMENTS if (Path(runner.__file__).parent / f"{name}.py").exists()} == set(EXPERIMENTS)
