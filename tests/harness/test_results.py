"""A result document is accepted whole or refused with one line that says what to do."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness import results


@pytest.fixture
def document() -> dict[str, Any]:
    run = {
        "id": "20260101T000000Z-cpu",
        "started_utc": "2026-01-01T00:00:00+00:00",
        "finished_utc": "2026-01-01T00:01:00+00:00",
        "status": "complete",
        "finished": [],
        "options": {},
        "preset": "quick",
        "device": "cpu",
        "num_threads": 2,
        "seed": 0,
        "command": "pytest --benchmark",
        "models": [],
        "variants": [],
        "sweep": None,
        "warnings": [],
    }
    environment = {
        "cpu": "a processor",
        "num_physical_cores": None,
        "num_logical_cores": 2,
        "affinity": [0, 1],
        "memory_bytes": 1,
        "gpus": [],
        "os": "an OS",
        "python": "3.11",
        "packages": {},
        "commit": None,
        "commit_is_clean": None,
        "load_at_start": [0, 0, 0],
        "load_at_end": [0, 0, 0],
        "worker_env": {},
    }
    measured = ("groups", "cells", "certificates", "trajectories", "conventions", "pictures")
    about_machine = ("doctor", "ceilings", "harness_cost")
    lists: dict[str, Any] = {name: [] for name in (*measured, *about_machine)}
    block = {"schema_version": results.SCHEMA_VERSION, "run": run, "environment": environment, "roof": None, **lists}
    return {"likeforlike": block}


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(results.schema())


def test_round_trip(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results.write_atomically(path, results.dumps(document))
    assert results.load(path) == document
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"], "a temporary file was left behind"


def test_truncated(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(results.dumps(document)[:-40])
    with pytest.raises(results.ResultError, match="not a whole JSON document"):
        results.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello", "not a whole JSON document"),
        ("[]", "has no block 'likeforlike'"),
        ('{"benchmarks": []}', "has no block 'likeforlike'"),
        ('{"likeforlike": {"schema_version": 99}}', "schema version 99, this program reads version 4"),
        ('{"likeforlike": {"schema_version": 4}}', "does not fit the schema at likeforlike"),
    ],
    ids=["not JSON", "a list", "without the block", "another version", "keys missing"],
)
def test_refused_with_one_line(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(results.ResultError, match=message) as caught:
        results.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_and_a_binary_file(tmp_path: Path) -> None:
    with pytest.raises(results.ResultError, match="No such file"):
        results.load(tmp_path / "nowhere.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(results.ResultError, match="not UTF-8"):
        results.load(tmp_path / "binary.json")


def test_the_place_of_a_wrong_value_is_named(document: dict[str, Any]) -> None:
    document["likeforlike"]["run"]["num_threads"] = 0
    with pytest.raises(results.ResultError, match="likeforlike/run/num_threads"):
        results.validate(document)


def test_nan_never_reaches_a_file(document: dict[str, Any]) -> None:
    document["likeforlike"]["environment"]["load_at_end"][0] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.dumps(document)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        results.write_atomically(path, "\ud800")  # a lone surrogate cannot be encoded
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_samples_are_positive() -> None:
    rounds = results.schema() | {"$ref": "#/$defs/rounds"}
    for key in ("type", "required", "properties", "additionalProperties"):
        rounds.pop(key)
    assert jsonschema.Draft202012Validator(rounds).is_valid(json.loads("[[0.001, 0.002]]"))
    assert not jsonschema.Draft202012Validator(rounds).is_valid(json.loads("[[0.0]]"))
