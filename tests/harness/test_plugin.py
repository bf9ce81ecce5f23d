"""`pytest --benchmark` as a person types it: in a process of its own, on the reference alone and at the tiny sizes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness import results

ROOT = Path(__file__).parents[2]
CONFTEST = """
from harness import presets
pytest_plugins = ["harness.plugin"]
presets.PRESETS["tiny"] = presets.Preset(
    "tiny", {"two_layer": "tiny", "autoencoder": "tiny", "unet": "tiny"}, False, ("train_step", "forward"),
    min_rounds=6, max_rounds=6, max_group_s=SECONDS, num_picture_steps={"autoencoder": 2},
)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the project's own benchmarks, and a preset that takes seconds."""
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "conftest.py").write_text(CONFTEST.replace("SECONDS", "5"))
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]


def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COLUMNS"))}
    return inherited | {"PYTHONPATH": str(ROOT)}


def run_pytest(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=project, env=environment(), capture_output=True, text=True, timeout=300
    )


def latest(project: Path) -> dict[str, Any]:
    return results.load(project / "reports" / "runs" / "latest" / "results.json")


TINY = ("--benchmark", "--preset", "tiny", "--device", "cpu", "--threads", "1", "--variants", "numpy")


def test_a_whole_run(project: Path) -> None:
    """All three nets: replayed samples, block, report, table; and the report again, byte for byte."""
    done = run_pytest(project, *TINY, "--benchmark-json", "asked-for.json", "--benchmark-autosave")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    assert "unet (tiny), train_step, ratio to numpy" in done.stdout
    assert "report:  reports/runs/" in done.stdout
    assert "two_layer: timing train_step" in done.stderr, "no progress was shown"

    document = latest(project)
    block = document["likeforlike"]
    assert block["run"]["status"] == "complete"
    assert {(cell["model"], cell["phase"], cell["status"]) for cell in block["cells"]} == {
        (model, phase, "timed") for model in ("two_layer", "autoencoder", "unet") for phase in ("train_step", "forward")
    }
    assert all(certificate["passed"] for certificate in block["certificates"])
    assert [picture["model"] for picture in block["pictures"]] == []  # numpy is no headline variant
    for cell in block["cells"]:
        name = f"test_{cell['model']}[{cell['phase']}-numpy]"
        replayed = next(bench for bench in document["benchmarks"] if bench["name"] == name)
        samples = [sample for samples in cell["rounds_s"] for sample in samples]
        assert replayed["stats"]["data"] == pytest.approx(samples, rel=1e-12)
        assert replayed["stats"]["iterations"] == cell["num_iterations"]

    asked_for = json.loads((project / "asked-for.json").read_text())
    assert asked_for["likeforlike"]["cells"] == block["cells"]
    assert list((project / ".benchmarks").rglob("*.json")), "--benchmark-autosave saved nothing"

    again = project / "again.html"
    report = [sys.executable, "-m", "harness", "report", "reports/runs/latest/results.json", "--output", str(again)]
    subprocess.run(report, cwd=project, env=environment(), check=True, timeout=120)
    assert again.read_bytes() == (project / "reports" / "runs" / "latest" / "index.html").read_bytes()


def test_selection_by_keyword_and_comparison(project: Path) -> None:
    """-k narrows what is measured, and pytest-benchmark compares with a saved run."""
    first = run_pytest(project, *TINY, "--models", "two_layer", "-k", "forward", "--benchmark-save", "one")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "1 passed" in first.stdout
    second = run_pytest(
        project, *TINY, "--models", "two_layer", "--benchmark-compare", "--benchmark-compare-fail", "median:100000%"
    )
    assert second.returncode == 0, second.stdout + second.stderr
    assert "(0001_one)" in second.stdout
    assert "machine_info is different" not in second.stdout + second.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "--between=median"],
        cwd=project, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert listed.returncode == 0, listed.stdout + listed.stderr


def test_a_sweep_measures_every_net_at_every_size(project: Path) -> None:
    done = run_pytest(project, *TINY, "--models", "two_layer,autoencoder", "--sweep", "width=6,3", "-k", "forward")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    block = latest(project)["likeforlike"]
    assert block["run"]["sweep"] == {"parameter": "width", "values": [3, 6]}
    changes = [(group["model"], group["changes"]) for group in block["groups"] if group["phase"] == "forward"]
    assert changes == [
        ("two_layer", {"H": 3}),
        ("two_layer", {"H": 6}),
        ("autoencoder", {"hidden": 3}),
        ("autoencoder", {"hidden": 6}),
    ]
    flops = [group["flops"] for group in block["groups"] if group["phase"] == "forward"]
    assert flops[1] == 2 * flops[0], "the two-layer net's work is proportional to its width"
    assert {cell["size"] for cell in block["cells"]} == {group["size"] for group in block["groups"]}


def test_without_the_option_nothing_is_timed(project: Path) -> None:
    done = run_pytest(project, "-rs")
    assert done.returncode == 0
    assert "4 skipped" in done.stdout
    assert "add --benchmark to time it" in done.stdout
    assert not (project / "reports").exists()


def test_smoke_mode_certifies_and_writes_no_report(project: Path) -> None:
    done = run_pytest(project, *TINY, "--models", "two_layer", "--benchmark-disable")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "certificates: " in done.stdout
    assert not (project / "reports" / "runs" / "latest").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "fast"], "unknown preset 'fast'"),
        (["--models", "resnet"], "unknown model 'resnet'"),
        (["--variants", "torch"], "unknown variant 'torch'"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["--threads", "0"], "--threads 0: give a whole number"),
        (["--report-dir", "pytest.ini/runs"], "cannot write to pytest.ini/runs"),
        (["--sweep", "depth=1,2"], "--sweep depth=1,2: write batch=1,4,16"),
        (["--sweep", "batch=0,2"], "--sweep batch 0: give a whole number, 1 or more"),
        (["--benchmark-skip"], "--benchmark cannot go together with --benchmark-skip"),
        (["--benchmark-cprofile", "cumtime"], "--benchmark cannot go together with --benchmark-cprofile"),
        (["-n", "2"], "--benchmark cannot go together with -n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_requests_end_with_one_line(project: Path, arguments: list[str], message: str) -> None:
    done = run_pytest(project, "--benchmark", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert [line for line in lines if line.startswith("ERROR: ") and message in line], lines
    assert "Traceback" not in done.stderr + done.stdout


INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("pytest", run_name="__main__", alter_sys=True)
"""
"""`python -m pytest` as in a terminal: a shell starts background jobs, and so their children, with SIGINT ignored."""


@pytest.mark.parametrize("when", ["certifying", "timing"])
def test_ctrl_c_keeps_what_was_measured(project: Path, when: str) -> None:
    """The first net is complete when the second is interrupted; the report says so."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, *command(*TINY, "-s")[3:]],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    with process.stdout:
        for line in process.stdout:
            seen.append(line)
            if f"autoencoder: {when}" in line:
                process.send_signal(signal.SIGINT)
                break
        seen += process.stdout
    assert process.wait(timeout=60) == pytest.ExitCode.INTERRUPTED, "".join(seen)
    block = latest(project)["likeforlike"]
    assert block["run"]["status"] == "interrupted"
    status = {(cell["model"], cell["status"]) for cell in block["cells"]}
    assert ("two_layer", "timed") in status
    assert ("autoencoder", "not timed") in status
    assert (project / "reports" / "runs" / "latest" / "index.html").stat().st_size > 10_000
    assert not worker_processes(project), "a worker outlived the run"


def worker_processes(project: Path, timeout_s: float = 10) -> list[str]:
    """Return the command lines of processes that still work in the project's folder after a while."""
    import psutil

    deadline = time.monotonic() + timeout_s
    while True:
        left = [
            " ".join(process.info["cmdline"] or [])
            for process in psutil.process_iter(["cwd", "cmdline"])
            if process.info["cwd"] == str(project)
        ]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)
