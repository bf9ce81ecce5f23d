"""A Python of its own for a backend or a variant: who gets which, what is asked there, what is wrong with a choice."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import environment, interpreters, probe
from harness.interpreters import Interpreter
from harness.options import OptionError
from harness.workers import Worker
from impls import registry

KNOWN = registry.variants()
BACKEND = next(entry.backend for entry in KNOWN.values() if entry.variant.headline)
OF_BACKEND = [entry for entry in KNOWN.values() if entry.backend == BACKEND]
EMPTY = Interpreter("/own/bin/python", "CPython 3.12.4", "/own", frozenset({"numpy"}), {"numpy": "2.0.0"})

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins for interpreters need a POSIX shebang")


def program(path: Path, text: str) -> str:
    """Plant a program that prints a text, whatever it is asked."""
    path.write_text(f"#!{sys.executable}\nprint({text!r})\n")
    path.chmod(0o755)
    return str(path)


def answer(**changes: Any) -> str:
    facts = {"version": "CPython 3.12.4", "prefix": "/own", "is_too_old": False, "modules": ["numpy"], "packages": {}}
    return json.dumps(facts | changes)


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every path be an interpreter."""
    monkeypatch.setattr(interpreters, "examine", lambda python: replace(EMPTY, python=python))


def python_of(option: str | None) -> dict[str, str | None]:
    entries = interpreters.attach(OF_BACKEND, option)
    return {entry.name: entry.interpreter.python if entry.interpreter else None for entry in entries}


# ---------------------------------------------------------------- who gets which


@pytest.mark.usefixtures("examined")
def test_a_backends_choice_is_for_all_its_variants_but_those_with_their_own() -> None:
    first, *others = (entry.name for entry in OF_BACKEND)
    assert python_of(None) == dict.fromkeys([first, *others])
    assert python_of(f" {BACKEND} = /b/python, {first}=/v/python") == {first: "/v/python"} | dict.fromkeys(
        others, "/b/python"
    )


@pytest.mark.usefixtures("examined")
def test_the_option_wins_over_the_projects_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "ROOT", tmp_path)
    first, *others = (entry.name for entry in OF_BACKEND)
    assert python_of(None) == dict.fromkeys([first, *others]), "a project without the table"
    table = f'[tool.likeforlike.python]\n{BACKEND} = "/t/python"\n{first} = "/t/own/python"\n'
    (tmp_path / "pyproject.toml").write_text(table)
    assert python_of(None) == {first: "/t/own/python"} | dict.fromkeys(others, "/t/python")
    assert python_of(f"{BACKEND}=/o/python") == {first: "/t/own/python"} | dict.fromkeys(others, "/o/python")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("torch", "--python torch: write NAME=PYTHON, as in --python torch=.venvs/torch/bin/python"),
        ("absent=/p", "--python absent=/p: no such backend or variant; choose from .*reference.*numpy"),
        (
            f"{BACKEND}=nowhere/python",
            f"the Python chosen for {BACKEND}, nowhere/python, does not exist: give .*make envs",
        ),
        (f"{BACKEND}=no-such-program", f"the Python chosen for {BACKEND}, no-such-program, does not exist"),
        (f"{BACKEND}=/dev/null", "/dev/null, cannot be started .*: give the path of a Python 3.11 or newer"),
        (f"{BACKEND}=/bin/true", "/bin/true, does not answer as a Python does: give the path"),
        (f"{BACKEND}=/bin/false", "/bin/false, does not answer as a Python does"),
    ],
)
def test_a_wrong_choice_gets_one_line(option: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        interpreters.attach(OF_BACKEND, option)
    assert "\n" not in str(caught.value)


def test_a_python_that_cannot_hold_a_worker_is_refused(tmp_path: Path) -> None:
    old = program(tmp_path / "old", answer(is_too_old=True, version="CPython 3.9.2"))
    with pytest.raises(OptionError, match=r"/old, is CPython 3\.9\.2: give the path of a Python 3\.11 or newer"):
        interpreters.attach(OF_BACKEND, f"{BACKEND}={old}")
    bare = program(tmp_path / "bare", answer(modules=[]))
    with pytest.raises(OptionError, match=r"/bare, lacks what every worker there needs: pip install numpy"):
        interpreters.attach(OF_BACKEND, f"{BACKEND}={bare}")
    unused = [entry for entry in KNOWN.values() if entry.backend != BACKEND]
    assert interpreters.attach(unused, f"{BACKEND}={bare}") == unused, "an interpreter that runs nothing is not asked"


def test_a_table_of_other_things_than_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text(f"[tool.likeforlike.python]\n{BACKEND} = 3.12\n")
    with pytest.raises(OptionError, match=rf"pyproject\.toml: {BACKEND}=3\.12: write the path in quotes"):
        interpreters.attach(OF_BACKEND, None)


# ---------------------------------------------------------------- what is there


def test_an_interpreter_tells_what_this_one_knows_of_itself() -> None:
    found = interpreters.examine(sys.executable)
    modules = {module for entry in KNOWN.values() for module in entry.variant.requires}
    assert found.python == sys.executable
    assert found.prefix == sys.prefix
    assert {module for module in modules if found.has(module)} == {m for m in modules if registry.is_installed(m)}
    assert found.packages.items() <= environment.packages().items()
    assert found.packages["numpy"]


def test_an_old_python_still_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.sys, "version_info", (3, 6, 9))
    assert probe.describe(["numpy"]).keys() == {"version", "prefix", "is_too_old"}


def test_a_relative_path_is_one_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "python", answer())
    monkeypatch.setattr(interpreters, "ROOT", tmp_path)
    assert interpreters.examine("bin/python").python == str(tmp_path / "bin" / "python")


def test_availability_is_that_of_the_variants_own_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "is_installed", lambda _: False)
    entry = KNOWN["numpy"]
    assert registry.availability("two_layer", entry).status == "not installed"
    assert registry.availability("two_layer", replace(entry, interpreter=EMPTY)).status == "available"
    framework = replace(OF_BACKEND[0], interpreter=EMPTY)
    module = framework.variant.requires[0]
    found = registry.availability("two_layer", framework)
    assert found.status == "not installed"
    assert found.reason is not None
    assert found.reason.startswith(f"{module}")
    assert "cannot be imported; /own/bin/python -m pip install " in found.reason
    assert not registry.offers(framework, "conventions")


def test_the_record_says_which_variants_run_where() -> None:
    other = replace(EMPTY, python="/other/bin/python", prefix="/other")
    entries = [replace(KNOWN["numpy"], interpreter=EMPTY), *(replace(e, interpreter=other) for e in OF_BACKEND)]
    found = interpreters.record([*entries, KNOWN["numpy"]], 1, "cpu")
    about = {"version": "CPython 3.12.4", "packages": {"numpy": "2.0.0"}}
    assert found == {
        "/own/bin/python": about | {"prefix": "/own", "variants": ["numpy"]},
        "/other/bin/python": about | {"prefix": "/other", "variants": [entry.name for entry in OF_BACKEND]},
    }


# ---------------------------------------------------------------- a run


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """This interpreter under another path with a space in it."""
    path = tmp_path / "an own" / "python"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return path


def test_a_worker_runs_in_its_variants_interpreter(link: Path) -> None:
    (entry,) = interpreters.attach([KNOWN["numpy"]], f"numpy={link}")
    marked = link.with_name("started")
    link.write_text(link.read_text().replace("exec", f'touch "{marked}"; exec'))
    with Worker(entry, num_threads=1, device="cpu") as worker:
        worker.start()
    assert marked.exists()


def test_a_run_records_its_interpreters_and_goes_on_in_the_same_ones_alone(
    project: Any, tiny: tuple[str, ...], link: Path
) -> None:
    option = ("--python", f"reference={link}")
    done = project.run(*tiny, *option, "--models", "two_layer,autoencoder", "-k", "forward")
    assert done.returncode == 0, done.stdout + done.stderr
    block = project.latest()["likeforlike"]
    (path,) = block["environment"]["interpreters"]
    assert path == str(link)
    assert block["environment"]["interpreters"][path]["variants"] == ["numpy"]
    assert block["environment"]["interpreters"][path]["prefix"] == sys.prefix
    page = (project.runs / "latest" / "index.html").read_text(encoding="utf-8")
    assert "Versions for numpy" in page
    assert f"--python {option[1]!r}" in page.replace("&#39;", "'"), "the command to make a figure again"

    refused = project.run("--benchmark", "--resume", block["run"]["id"], "--python", f"numpy={link}")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "the run to be resumed had reference=" in refused.stderr


@pytest.mark.parametrize("command", ["list", "conventions", "doctor", "check"])
def test_every_command_checks_the_choice(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.__main__ import main

    assert main([command, "--python", f"{BACKEND}=nowhere/python"]) == 2
    assert "nowhere/python, does not exist" in capsys.readouterr().err
