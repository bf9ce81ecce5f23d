"""What `make` would do with a device: an environment for each framework, and a run that is told where they are."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from harness import interpreters
from impls import registry

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def planned(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what make would do if nothing were there yet; a make that runs this test leaves its own settings out."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", "-n", "-B", *arguments], cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.mark.parametrize(("device", "folder"), [("cpu", ".venvs/cpu"), ("gpu", ".venvs/gpu"), ("gpu:1", ".venvs/gpu")])
def test_a_run_on_a_device_has_an_environment_for_every_variant(device: str, folder: str) -> None:
    plan = planned("bench", f"DEVICE={device}").stdout
    made = re.findall(r"-m venv (\S+)", plan)
    assert made
    assert all(path.startswith(f"{folder}/") for path in made)
    (option,) = re.findall(r"--python\s+(\S+)", plan)
    assert f"--device {device} " in plan
    chosen = interpreters._option(option)
    assert {str(Path(path).parents[1]) for path in chosen.values()} == set(made)
    for entry in registry.variants().values():
        if entry.backend != "reference":
            assert entry.name in chosen or entry.backend in chosen, f"{entry.name} has no environment"


def test_what_is_installed_for_a_gpu_are_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    plan = planned("envs", "DEVICE=gpu").stdout
    installed = [set(names.split(",")) for names in re.findall(r"--constraint constraints-gpu\.txt .*\[(.+)\]", plan)]
    assert len(installed) == 3
    assert all(names <= extras.keys() for names in installed)


def test_an_unknown_device_makes_nothing() -> None:
    done = planned("bench", "DEVICE=tpu")
    assert done.returncode != 0
    assert "DEVICE=tpu: give cpu or gpu" in done.stderr
