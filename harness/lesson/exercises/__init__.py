"""Exercises: a file that works badly, what it should do instead, and a checker that runs what a student makes of it.

An exercise is one name, in two folders: `templates/NAME.py` is the file to start from, whose docstring is title and
statement; `checks/NAME.py` has the hints and judges. It decides by counting and by comparing numbers, so that a slow or
busy machine changes no verdict. Importing this imports no framework.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import environment
from harness.options import OptionError
from harness.workers import ROOT
from impls.registry import is_installed

NAMES = ("shapes", "synchronise", "amortise", "loop", "gradients", "one_graph", "fair")
"""Their numbers count from 1, in this order."""

TIMEOUT_S = 180.0
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Exercise:
    """An exercise, as a student sees it; plain values alone.

    Attributes:
        requires: top-level modules that the file imports and that must be installed.
        hints: one after the other, each says more.
    """

    number: int
    name: str
    title: str
    statement: str
    requires: tuple[str, ...]
    hints: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what the result document carries."""
        return {"number": self.number, "title": self.title, "statement": self.statement}

    @property
    def template(self) -> Path:
        """The file to start from."""
        return _template(self.name)


@dataclass(frozen=True)
class Verdict:
    """What the checker says of a file."""

    passed: bool
    words: str


def exercises() -> list[Exercise]:
    """Read all exercises, without importing a template or a check."""
    return [_exercise(number, name) for number, name in enumerate(NAMES, 1)]


def find(number: int) -> Exercise:
    """Return an exercise by its number.

    Raises:
        OptionError: there is none.
    """
    if not 1 <= number <= len(NAMES):
        raise OptionError(f"there is no exercise {number}; choose from 1 to {len(NAMES)}")
    return _exercise(number, NAMES[number - 1])


def _exercise(number: int, name: str) -> Exercise:
    docstring = ast.get_docstring(ast.parse(_template(name).read_text())) or ""
    title, _, statement = docstring.partition("\n\n")
    constants = _constants(_HERE / "checks" / f"{name}.py")
    return Exercise(number, name, title.rstrip("."), statement, constants["REQUIRES"], constants["HINTS"])


def _template(name: str) -> Path:
    return _HERE / "templates" / f"{name}.py"


def _constants(path: Path) -> dict[str, tuple[str, ...]]:
    """Return what a file assigns to names in capitals, by reading it alone."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("REQUIRES", "HINTS")
    }


def start(number: int, folder: Path) -> Path:
    """Copy the file to start from into a folder, and return the copy.

    Raises:
        OptionError: there is such a file already, or no such folder.
    """
    exercise = find(number)
    copy = folder / f"{exercise.number}_{exercise.name}.py"
    if copy.exists():
        raise OptionError(f"{copy} exists; move it away, or choose another folder")
    if not folder.is_dir():
        raise OptionError(f"there is no folder {folder}; make it, or choose another")
    shutil.copyfile(exercise.template, copy)
    return copy


def check(number: int, file: Path) -> Verdict:
    """Run a student's file in a process of its own, and judge it.

    Raises:
        OptionError: there is no such exercise or file, or a framework is missing.
    """
    exercise = find(number)
    if not file.is_file():
        raise OptionError(f"there is no file {file}; `python -m harness lesson start {number}` makes one")
    missing = [module for module in exercise.requires if not is_installed(module)]
    if missing:
        raise OptionError(f"exercise {number} needs {', '.join(missing)}: pip install {' '.join(missing)}")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "harness.lesson.exercises.judge", exercise.name, str(file.resolve())],
            cwd=ROOT,
            env={**os.environ, **environment.worker_env(1)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(False, f"The file was still running after {TIMEOUT_S:g} s.")
    if done.returncode != 0:
        return Verdict(False, f"The process ended with exit status {done.returncode}:\n{done.stderr[-2000:].strip()}")
    return Verdict(**json.loads(done.stdout.splitlines()[-1]))
