"""A run whose frameworks live in environments of their own, which pip has made, and not in the parent's."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PINS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
)
PACKAGES = {
    "jax": [f"{package}=={PINS[package]}" for package in ("jax", "jaxlib", "flax", "optax")],
    "torch": [f"torch=={PINS['torch']}"],
}
INSTALL_TIMEOUT_S = 900
HIDE = """
from harness.worker import hide
hide(["jax", "flax", "optax", "torch"])
"""


@pytest.fixture
def pythons(tmp_path: Path) -> dict[str, Path]:
    """The interpreters of two environments, each with NumPy and one framework."""
    found = {}
    for name, packages in PACKAGES.items():
        subprocess.run([sys.executable, "-m", "venv", str(tmp_path / name)], check=True)
        found[name] = tmp_path / name / "bin" / "python"
        # Another NumPy than the parent's shows whose process a cell comes from.
        command = [str(found[name]), "-m", "pip", "install", "--quiet", *packages, f"numpy<{np.__version__}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        if done.returncode:
            pytest.skip(f"pip cannot install {' '.join(packages)}: {done.stderr.strip().rpartition(chr(10))[2]}")
    return found


@pytest.mark.slow
def test_frameworks_that_the_parent_lacks_run_in_their_own_environments(project: Any, pythons: dict[str, Path]) -> None:
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(HIDE)
    chosen = {"jax": pythons["jax"], "keras-jax": pythons["jax"], "torch": pythons["torch"]}
    option = ",".join(f"{name}={python}" for name, python in chosen.items())
    arguments = ("--benchmark", "--preset", "quick", "--models", "two_layer", "--device", "cpu", "--threads", "1")
    variants = ("--variants", "jax-jit,torch-eager,keras-jax")
    without = project.run(*arguments, *variants, "-rs")
    assert "not installed: torch cannot be imported; pip install torch" in without.stdout, without.stdout

    done = project.run(*arguments, *variants, "--python", option)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 1 skipped" in done.stdout
    block = project.latest()["likeforlike"]
    cells = {cell["variant"]: cell for cell in block["cells"]}
    assert {name: cell["status"] for name, cell in cells.items()} == {
        "jax-jit": "timed",
        "torch-eager": "timed",
        "keras-jax": "not installed",
    }
    assert cells["keras-jax"]["reason"] == f"keras cannot be imported; {pythons['jax']} -m pip install keras"
    assert all(certificate["passed"] for certificate in block["certificates"])
    environments = block["environment"]["interpreters"]
    assert {path: found["variants"] for path, found in environments.items()} == {
        str(pythons["jax"]): ["jax-jit", "keras-jax"],
        str(pythons["torch"]): ["torch-eager"],
    }
    for name, python in pythons.items():
        found = environments[str(python)]
        assert found["prefix"] == str(python.parents[1])
        assert found["packages"][name].startswith(PINS[name])
        assert {"jax", "torch"} & found["packages"].keys() == {name}
    assert cells["jax-jit"]["versions"]["numpy"] == environments[str(pythons["jax"])]["packages"]["numpy"]
    assert cells["jax-jit"]["versions"]["numpy"] != np.__version__
