"""`pytest --benchmark` as a person types it: a folder of its own, in which it runs as a process of its own."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import results

ROOT = Path(__file__).parents[2]

CONFTEST = """
from dataclasses import replace
from harness import presets
pytest_plugins = ["harness.plugin"]
presets.PRESETS["tiny"] = presets.Preset(
    "tiny", {"two_layer": "tiny", "autoencoder": "tiny", "unet": "tiny"}, False, ("train_step", "forward"),
    min_rounds=6, max_rounds=6, max_group_s=5, num_picture_steps={"autoencoder": 2},
    mode_phases=("train_step",), max_mode_s=1,
)
presets.PRESETS["tiny-lesson"] = replace(presets.PRESETS["tiny"], name="tiny-lesson", with_lesson=True)
"""

INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
runpy.run_module("pytest", run_name="__main__", alter_sys=True)
"""
"""`python -m pytest` as in a terminal: a background job's children ignore SIGINT, and what `nohup` starts SIGHUP."""


@dataclass
class Project:
    """A folder with the project's own benchmarks, and the preset `tiny`, which takes seconds.

    Attributes:
        code: where the project's rooms are.
    """

    path: Path
    code: Path = ROOT

    @property
    def environment(self) -> dict[str, str]:
        """What a process is given: nothing of the pytest that runs this test."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COLUMNS"))}
        return inherited | {"PYTHONPATH": str(self.code)}

    def command(self, *arguments: str) -> list[str]:
        """Return pytest's command line."""
        return [sys.executable, "-c", INTERRUPTIBLE, "-p", "no:cacheprovider", *arguments]

    def run(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run pytest to its end, behind the words of another command if given."""
        return subprocess.run(
            [*prefix, *self.command(*arguments)],
            cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start pytest; its output, errors and progress together, is for the caller to read."""
        return subprocess.Popen(
            self.command(*arguments, "-s"),
            cwd=self.path, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    @property
    def runs(self) -> Path:
        """The folder of the runs."""
        return self.path / "reports" / "runs"

    def latest(self) -> dict[str, Any]:
        """Return the document of the latest run that ended."""
        return results.load(self.runs / "latest" / "results.json")

    def processes(self, timeout_s: float = 10) -> list[str]:
        """Return the command lines of processes that still work in the folder after a while."""
        deadline = time.monotonic() + timeout_s
        while True:
            left = [
                " ".join(process.info["cmdline"] or [])
                for process in psutil.process_iter(["cwd", "cmdline"])
                if process.info["cwd"] == str(self.path)
            ]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.2)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that runs the code of this checkout."""
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    return Project(tmp_path)


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """The options of a run that takes seconds: the reference alone, at the tiny sizes."""
    return ("--benchmark", "--preset", "tiny", "--device", "cpu", "--threads", "1", "--variants", "numpy")
