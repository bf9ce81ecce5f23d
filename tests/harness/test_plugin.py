"""`pytest --benchmark` as a person types it: in a process of its own, on the reference alone and at the tiny sizes."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest


def test_a_whole_run(project: Any, tiny: tuple[str, ...]) -> None:
    """All three nets: replayed samples, block, report, table; and the report again, byte for byte."""
    done = project.run(*tiny, "--benchmark-json", "asked-for.json", "--benchmark-autosave")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    assert "unet (tiny), train_step, ratio to numpy" in done.stdout
    assert "report:  reports/runs/" in done.stdout
    assert "index:   reports/runs/index.html" in done.stdout
    assert "two_layer: timing train_step" in done.stderr, "no progress was shown"

    document = project.latest()
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

    assert all(len(group["control"]["rounds_s"]) == group["num_rounds"] for group in block["groups"]), "no A/A control"

    asked_for = json.loads((project.path / "asked-for.json").read_text())
    assert asked_for["likeforlike"]["cells"] == block["cells"]
    assert list((project.path / ".benchmarks").rglob("*.json")), "--benchmark-autosave saved nothing"

    again = project.path / "again.html"
    report = [sys.executable, "-m", "harness", "report", "reports/runs/latest/results.json", "--output", str(again)]
    subprocess.run(report, cwd=project.path, env=project.environment, check=True, timeout=120)
    runs = (project.runs / "index.html").read_text(encoding="utf-8")
    assert f'href="{block["run"]["id"]}/index.html"' in runs
    assert again.read_bytes() == (project.path / "reports" / "runs" / "latest" / "index.html").read_bytes()


def test_selection_by_keyword_and_comparison(project: Any, tiny: tuple[str, ...]) -> None:
    """-k narrows what is measured, and pytest-benchmark compares with a saved run."""
    first = project.run(*tiny, "--models", "two_layer", "-k", "forward", "--benchmark-save", "one")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "1 passed" in first.stdout
    second = project.run(
        *tiny, "--models", "two_layer", "--benchmark-compare", "--benchmark-compare-fail", "median:100000%"
    )
    assert second.returncode == 0, second.stdout + second.stderr
    assert "(0001_one)" in second.stdout
    assert "machine_info is different" not in second.stdout + second.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "--between=median"],
        cwd=project.path, env=project.environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert listed.returncode == 0, listed.stdout + listed.stderr


def test_a_sweep_measures_every_net_at_every_size(project: Any, tiny: tuple[str, ...]) -> None:
    done = project.run(*tiny, "--models", "two_layer,autoencoder", "--sweep", "width=6,3", "-k", "forward")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    block = project.latest()["likeforlike"]
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


def test_a_lesson_is_kept_and_only_its_preset_has_one(project: Any, tiny: tuple[str, ...]) -> None:
    chosen = ("-k", "train_step or retrace")
    done = project.run("--models", "two_layer", *tiny, "--preset", "tiny-lesson", *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "lesson: retrace, NumPy (reference) (1 of 1)" in done.stderr, "no progress was shown"
    assert "lesson: 1 measurements, in 1 of " in done.stdout
    lesson = project.latest()["likeforlike"]["lesson"]
    assert [found["experiment"] for found in lesson["measurements"]] == lesson["finished"] == ["retrace"]
    assert lesson["audit"] == []

    without = project.run("--models", "two_layer", *tiny, *chosen)
    assert "1 passed" in without.stdout
    assert project.latest()["likeforlike"]["lesson"] is None


def test_without_the_option_nothing_is_timed(project: Any) -> None:
    done = project.run("-rs")
    assert done.returncode == 0
    assert re.fullmatch(r"=+ \d+ skipped in .*", done.stdout.splitlines()[-1])
    assert "add --benchmark to time it" in done.stdout
    assert not (project.path / "reports").exists()


@pytest.mark.parametrize("option", [("--preset", "quick"), ("--resume", "latest"), ("--sweep", "batch=1,2")], ids=str)
def test_an_option_of_the_timing_alone_is_refused(project: Any, option: tuple[str, str]) -> None:
    done = project.run(*option)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {option[0]} says what to time; add --benchmark" in done.stderr


def test_smoke_mode_certifies_and_writes_no_report(project: Any, tiny: tuple[str, ...]) -> None:
    done = project.run(*tiny, "--models", "two_layer", "--benchmark-disable")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "certificates: " in done.stdout
    assert not (project.path / "reports" / "runs" / "latest").exists()


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
def test_bad_requests_end_with_one_line(project: Any, arguments: list[str], message: str) -> None:
    done = project.run("--benchmark", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert [line for line in lines if line.startswith("ERROR: ") and message in line], lines
    assert "Traceback" not in done.stderr + done.stdout
