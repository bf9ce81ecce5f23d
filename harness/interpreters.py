"""Which Python runs which variant: a framework may have an environment of its own, and on a GPU it must.

`--python torch=.venvs/torch/bin/python` says so, or the table `[tool.likeforlike.python]` of the project's
`pyproject.toml`. What is installed is asked there, in a short process that imports no framework.
"""

import json
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from harness import places, probe
from harness.environment import ROOT
from harness.options import OptionError, names
from impls import registry
from impls.registry import Entry

ANSWER_TIMEOUT_S = 60.0
REMEDY = "give the path of a Python 3.11 or newer that has NumPy and the framework"
ALSO_ELSEWHERE = "psutil"
"""What an interpreter on another machine needs besides NumPy: the machine is described there."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that workers run in.

    Attributes:
        python: the path of its program (a virtual environment's is a link that must not be followed), or execnet's
            specification of one on another machine.
        version: as in "CPython 3.12.4".
        prefix: the folder of its environment.
        modules: those that it has, of all that variants require.
        packages: versions of what these consist of.
    """

    python: str
    version: str
    prefix: str
    modules: frozenset[str]
    packages: dict[str, str] = field(hash=False)

    def has(self, module: str) -> bool:
        """Tell whether a top-level module that a variant requires is installed there."""
        return module in self.modules


def attach(entries: Iterable[Entry], option: str | None) -> list[Entry]:
    """Return the variants, each with the interpreter that was chosen for it, if any.

    Raises:
        OptionError: a name is unknown, or the choice for one of these variants cannot run it.
    """
    chosen = _table(ROOT / "pyproject.toml") | _option(option)
    found = []
    for entry in entries:
        # The variant's own comes first: Keras runs on several frameworks, each of which may live elsewhere.
        key = entry.name if entry.name in chosen else entry.backend
        found.append(replace(entry, interpreter=_examined(key, chosen[key])) if key in chosen else entry)
    return found


def record(entries: Iterable[Entry], num_threads: int, device: str) -> dict[str, Any]:
    """Return by path what runs variants instead of this process's Python, as the result document holds it.

    Keys: version, prefix, packages, variants, and the machine if that is another one, with workers of this device and
    so many threads.
    """
    found: dict[str, Any] = {}
    for entry in entries:
        if isinstance(one := entry.interpreter, Interpreter):
            about = {"version": one.version, "prefix": one.prefix, "packages": one.packages, "variants": []}
            if places.is_elsewhere(entry) and one.python not in found:
                about["machine"] = _machine(entry, num_threads, device)
            found.setdefault(one.python, about)["variants"].append(entry.name)
    return found


def _machine(entry: Entry, num_threads: int, device: str) -> dict[str, Any]:
    try:
        return places.of(entry).ask("machine", num_threads=num_threads, device=device)
    except ConnectionError as error:
        raise OptionError(f"the Python chosen for {entry.name} cannot be used: {error}") from error


# ---------------------------------------------------------------- what the user chose


def _option(text: str | None) -> dict[str, str]:
    """Read `--python NAME=PYTHON,…`."""
    chosen = {}
    for part in names(text) or ():
        name, equals, python = part.partition("=")
        if not equals or not python:
            raise OptionError(f"--python {part}: write NAME=PYTHON, as in --python torch=.venvs/torch/bin/python")
        chosen[name.strip()] = python.strip()
    return _with_known_names("--python", chosen)


def _table(path: Path) -> dict[str, str]:
    """Read `[tool.likeforlike.python]`; an installed copy of the project has no such file."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        table = tomllib.load(file).get("tool", {}).get("likeforlike", {}).get("python", {})
    return _with_known_names("[tool.likeforlike.python] in pyproject.toml:", table)


def _with_known_names(where: str, chosen: Mapping[str, Any]) -> dict[str, str]:
    known = [*dict.fromkeys(entry.backend for entry in registry.variants().values()), *registry.variants()]
    for name, python in chosen.items():
        if name not in known:
            raise OptionError(f"{where} {name}={python}: no such backend or variant; choose from {', '.join(known)}")
        if not isinstance(python, str):
            raise OptionError(f"{where} {name}={python!r}: write the path in quotes")
    return dict(chosen)


# ---------------------------------------------------------------- what is there


def _examined(name: str, python: str) -> Interpreter:
    try:
        return examine(python)
    except ValueError as error:
        raise OptionError(f"the Python chosen for {name}, {error}") from error


@cache
def examine(python: str) -> Interpreter:
    """Ask an interpreter what it is and what is installed there.

    Args:
        python: its path, relative to the project's root, or the name of a program; or "ssh=HOST//python=PATH".

    Raises:
        ValueError: it cannot be started, is too old or lacks NumPy; the message begins with what it is called.
    """
    modules = sorted({module for entry in registry.variants().values() for module in entry.variant.requires})
    is_here = not python.startswith(places.ELSEWHERE)
    program = _program(python) if is_here else python
    needed = ["numpy"] if is_here else ["numpy", ALSO_ELSEWHERE]
    try:
        told = _ask(program, modules) if is_here else places.elsewhere(python).probe([*modules, ALSO_ELSEWHERE])
    except ConnectionError as error:
        raise ValueError(f"{python}, {error}: give ssh=HOST//python=PATH; `ssh HOST PATH -V` must work") from error
    if told["is_too_old"]:
        raise ValueError(f"{python}, is {told['version']}: {REMEDY}")
    if missing := [module for module in needed if module not in told["modules"]]:
        raise ValueError(f"{python}, lacks what every worker there needs: pip install {' '.join(missing)}")
    return Interpreter(program, told["version"], told["prefix"], frozenset(told["modules"]), told["packages"])


def _program(python: str) -> str:
    """Return the path of an interpreter on this machine."""
    program = str(ROOT / Path(python).expanduser()) if "/" in python else shutil.which(python)
    if program is None or not Path(program).exists():
        raise ValueError(f"{python}, does not exist: {REMEDY}, or make the environment (make envs)")
    return program


def _ask(program: str, modules: list[str]) -> dict[str, Any]:
    """Return what `probe.describe` does in an interpreter on this machine."""
    try:
        done = subprocess.run(
            [program, "-", json.dumps(modules)],
            input=Path(probe.__file__).read_text(encoding="utf-8"),
            capture_output=True,
            text=True,
            timeout=ANSWER_TIMEOUT_S,
            check=True,
        )
        return json.loads(done.stdout)
    except OSError as error:
        raise ValueError(f"{program}, cannot be started ({error.strerror}): {REMEDY}") from error
    except (subprocess.SubprocessError, json.JSONDecodeError) as error:
        raise ValueError(f"{program}, does not answer as a Python does: {REMEDY}") from error
