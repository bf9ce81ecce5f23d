"""The lecture's two programs: one is proven, the other refused, and the certificate says where each mistake is."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import audit as auditing
from harness import environment
from harness.__main__ import main
from harness.audit import Audit, Finding, Printed
from harness.oracle import BOTH_PRECISIONS
from impls.registry import is_installed

NUM_STEPS = 500
LECTURE = Path(auditing.__file__).with_name("lecture")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (is_installed("tensorflow") and is_installed("torch")), reason="the audit needs TensorFlow and PyTorch"
    ),
]


@pytest.fixture(scope="module")
def audit() -> Audit:
    return auditing.audit()


@pytest.fixture(scope="module")
def tensorflow(audit: Audit) -> Finding:
    return audit.findings[0]


@pytest.fixture(scope="module")
def pytorch(audit: Audit) -> Finding:
    return audit.findings[1]


@pytest.fixture(scope="module")
def pytorch_with_the_right_rate(audit: Audit) -> Finding:
    return audit.findings[2]


def test_every_program_is_compared_in_all_that_it_shows(audit: Audit) -> None:
    last = audit.num_certified_steps
    expected = {"forward@0", "forward@1", f"forward@{last}", "loss@0", f"loss@1..{last - 1}"}
    expected |= {f"{what}/{weight}" for what in ("grad@0", f"state@1..{last}") for weight in ("w1", "w2")}
    for finding in audit.findings:
        for precision in BOTH_PRECISIONS:
            found = [c.quantity for c in finding.certificates if c.precision == precision]
            assert sorted(found) == sorted(expected)
        assert len(finding.losses) == NUM_STEPS


def test_the_programs_start_from_the_same_numbers(audit: Audit) -> None:
    first = [finding.losses[0] for finding in audit.findings]
    assert first == pytest.approx([first[0]] * 3, rel=1e-6)


def test_the_tensorflow_program_is_proven_and_learns(tensorflow: Finding) -> None:
    assert [c for c in tensorflow.certificates if not c.passed] == []
    assert tensorflow.refused is None
    assert tensorflow.explanation == []
    assert tensorflow.first_nan_step is None
    assert tensorflow.learning_rate == 1e-6
    assert 1e7 < tensorflow.losses[0] < 1e8
    assert tensorflow.losses[-1] < 1e-4


def test_the_pytorch_program_is_refused_for_its_learning_rate(pytorch: Finding) -> None:
    assert pytorch.refused == "state@1/w1"
    assert pytorch.explanation[0].endswith("the first loss, all 2 gradients.")
    assert pytorch.explanation[1].startswith("The first that differs is w1 after training step 1: relative error")
    assert pytorch.explanation[2].startswith("Usual causes there: the learning rate")
    assert pytorch.learning_rate == 1e-3
    assert pytorch.first_nan_step is not None
    assert pytorch.first_nan_step <= 4
    assert math.isnan(pytorch.losses[-1])


def test_with_the_right_rate_it_is_refused_for_its_gradients(pytorch_with_the_right_rate: Finding) -> None:
    found = pytorch_with_the_right_rate
    assert found.refused == "state@2/w1"
    assert found.explanation[2].startswith("Usual causes there: gradients not cleared")
    assert found.losses[1] < math.inf


def test_the_text_shows_what_was_measured(audit: Audit, tensorflow: Finding, pytorch: Finding) -> None:
    text = auditing.describe(audit)
    assert "TensorFlow, as printed: proven equal to the reference" in text
    assert "PyTorch, as printed: refused" in text
    assert f"the loss is NaN from t = {pytorch.first_nan_step}" in text
    assert f"{tensorflow.losses[-1]:.3g}" in text
    for finding in audit.findings:
        assert all(line in text for line in finding.explanation)


@pytest.mark.parametrize(("file", "learns"), [("two_layer_tensorflow", True), ("two_layer_pytorch", False)])
def test_a_program_runs_as_it_is(file: str, learns: bool) -> None:
    command = [sys.executable, str(LECTURE / f"{file}.py")]
    env = {**os.environ, **environment.worker_env(1)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=auditing.TIMEOUT_S)
    steps, losses = zip(*(line.split() for line in done.stdout.splitlines()), strict=True)
    assert [int(step) for step in steps] == list(range(NUM_STEPS))
    # Its numbers have no seed: the last loss was 3e-5 to 5e-4 in four runs, the first 3e7 to 4e7.
    assert float(losses[-1]) < 1e-9 * float(losses[0]) if learns else math.isnan(float(losses[-1]))


def test_a_program_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"No module named 'harness\.lecture\.absent'"):
        auditing._run(Printed("Absent", "absent", "absent"), tmp_path / "start.npz")


def test_a_missing_framework_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(auditing, "is_installed", lambda module: module != "torch")
    assert main(["audit"]) == 2
    assert "not installed: torch" in capsys.readouterr().err
