"""Which run goes on, with which options, and when it must not."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness import options, results, resume
from harness.options import OptionError

ENVIRONMENT = {
    "cpu": "a",
    "packages": {"jax": "1", "torch": "2"},
    "interpreters": {"/own/python": {"version": "CPython 3.12.4", "packages": {"jax": "1"}}},
    "load_at_start": [0, 0, 0],
    "load_at_end": [0, 0, 0],
}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run that was killed, and one that was killed again after it had been resumed."""
    monkeypatch.setattr(results, "validate", lambda *_: None)
    for run, documents in {"killed": ["partial"], "twice": ["partial", "results"]}.items():
        (tmp_path / run).mkdir()
        for name in documents:
            (tmp_path / run / f"{name}.json").write_text(json.dumps({"likeforlike": {"found": f"{run} {name}"}}))
    os.symlink("twice", tmp_path / "latest")
    return tmp_path


def test_a_run_is_found_by_name_folder_link_and_document(runs: Path) -> None:
    killed, twice = runs / "killed", runs / "twice"
    assert resume.load("killed", runs) == (killed, {"found": "killed partial"})
    assert resume.load(str(killed), Path("elsewhere")) == (killed, {"found": "killed partial"})
    assert resume.load(str(killed / "partial.json"), Path("elsewhere")) == (killed, {"found": "killed partial"})
    assert resume.load("latest", runs) == (twice, {"found": "twice partial"}), "what was kept last is the newest"


def test_an_unknown_run_is_told_which_ones_there_are(runs: Path) -> None:
    with pytest.raises(OptionError, match=r"--resume gone: no such run in .*; unfinished are killed, twice"):
        resume.load("gone", runs)


def test_a_document_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "partial.json").write_text("{")
    with pytest.raises(OptionError, match=r"--resume: .* is not a whole JSON document"):
        resume.load(str(tmp_path), tmp_path)


def test_options_are_those_of_the_run() -> None:
    earlier: dict[str, Any] = {**options.DEFAULTS, "preset": "quick", "seed": "3"}
    values = argparse.Namespace(**options.DEFAULTS)
    resume.adopt(values, {"run": {"options": earlier}})
    assert vars(values) == earlier
    resume.adopt(values, {"run": {"options": earlier}})  # said again, it is no contradiction
    values.preset = "full"
    with pytest.raises(OptionError, match="--preset full: the run to be resumed had quick; leave the option out"):
        resume.adopt(values, {"run": {"options": earlier}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cpu": "b"}, "cpu was b and is a now"),
        ({"packages": {"jax": "1", "torch": "3"}}, "torch was 3 and is 2 now"),
        ({"packages": {"jax": "1"}}, "torch was None and is 2 now"),
        ({"interpreters": {}}, "/own/python was None and is {'version'.* now"),
        (
            {"interpreters": {"/own/python": {"version": "CPython 3.12.4", "packages": {"jax": "2"}}}},
            "jax was 2 and is 1 now",
        ),
    ],
    ids=str,
)
def test_one_run_is_of_one_machine_and_its_packages(change: dict[str, Any], message: str) -> None:
    resume.require_same({"environment": ENVIRONMENT | {"load_at_end": [9, 9, 9]}}, ENVIRONMENT)
    with pytest.raises(OptionError, match=message):
        resume.require_same({"environment": ENVIRONMENT | change}, ENVIRONMENT)
