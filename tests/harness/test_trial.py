"""A trial measures, ends in time whatever the run does, and prints a table last."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import environment, trial
from harness.__main__ import main

SLEEPS = "import time; print('up', flush=True); time.sleep(60)"
IGNORES = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


@pytest.fixture(autouse=True)
def not_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is no part of these tests: pytest-benchmark would not time beside xdist's workers."""
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)


def test_what_is_there_is_certified_and_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--device", "cpu", "--preset", "quick", "--models", "two_layer", "--variants", "numpy"
    assert main(["gpu-trial", "--out", str(tmp_path), *options]) == 0
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert lines[-1] == str(tmp_path / "latest")
    assert lines[-2].startswith("certificates: ")
    assert lines[-2].endswith(" passed, 0 failed")
    row = next(line.split() for line in lines if "train_step" in line)
    assert row[:4] == ["two_layer", "original/64", "train_step", "numpy"]
    block = json.loads((tmp_path / "latest" / "results.json").read_text())["likeforlike"]
    (cell,) = block["cells"]
    assert f"{1e3 * cell['step_time_s']:.4g}" == row[4]
    worst = max(found["rel_error"] for found in block["certificates"] if found["precision"] == "float64")
    assert row[-1] == f"{worst:.1e}"
    assert (tmp_path / "latest" / "index.html").stat().st_size > 10_000


@pytest.mark.parametrize(("program", "status"), [(SLEEPS, -15), (IGNORES, -9)], ids=["stops", "does not listen"])
def test_a_run_that_takes_too_long_is_ended(program: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "STOP_S", 2.0)
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = trial._wait(process, 3.0)
    assert found == status
    assert time.monotonic() - started < 30


def test_a_run_that_was_stopped_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take minutes; it is told to stop after twenty seconds."""
    monkeypatch.setattr(trial, "STOP_S", 30.0)
    status, document = trial.run(tmp_path, 50 / 60, ["--device=cpu", "--preset=full", "--variants=numpy"])
    assert status == 0
    assert document is not None
    assert document["likeforlike"]["run"]["status"] == "interrupted"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--minutes", "1", "--device", "cpu"], "--minutes 1: give 1.5 or more"),
        (["--variants", "torch-slow", "--device", "cpu"], "unknown variant 'torch-slow'"),
        (["--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_a_wrong_request_is_refused_at_once(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gpu-trial", "--out", str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(bool(environment.gpus()), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gpu-trial", "--out", str(tmp_path)]) == 2
    assert "no GPU here" in capsys.readouterr().err
