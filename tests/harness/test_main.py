"""`python -m harness` as a person types it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import divergence
from harness.__main__ import main
from impls import registry

ROOT = Path(__file__).parents[2]


def harness(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(cwd)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_check_passes_and_writes_the_certificates(tmp_path: Path) -> None:
    path = tmp_path / "certificates.json"
    arguments = ("--preset", "quick", "--models", "two_layer,autoencoder", "--variants", "numpy", "--device", "cpu")
    done = harness("check", *arguments, "--optimizers", "rmsprop", "--json", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    certificates = json.loads(path.read_text())
    required = {"model", "size", "variant", "precision", "quantity", "rel_error", "limit", "passed"}
    assert all(required <= certificate.keys() for certificate in certificates)
    assert {(c["model"], c["optimizer"]) for c in certificates} == {
        ("two_layer", "sgd"),
        ("autoencoder", "adam"),
        ("autoencoder", "rmsprop"),
    }
    assert f"{len(certificates)} of {len(certificates)} quantities passed" in done.stdout


@pytest.mark.parametrize(
    ("variant", "right", "wrong", "agrees", "differs", "cause"),
    [
        (
            "tf-graph",
            'tf.nn.relu(tf.matmul(batch["x"], net.params["w1"]))',
            'tf.matmul(batch["x"], net.params["w1"])',
            "the layers up to w1",
            "layer w2, in train mode",
            "layer dense",
        ),
        (
            "keras-tf",
            "SGD(spec.optimizer.learning_rate)",
            "SGD(2 * spec.optimizer.learning_rate)",
            "all 2 layers in train mode, the prediction in eval mode, the first loss, all 2 gradients",
            "w1 after training step 1",
            "param",
        ),
        (
            "torch-eager",
            'reduction="sum"',
            'reduction="mean"',
            "all 2 layers in train mode, the prediction in eval mode",
            "the loss before training",
            "loss",
        ),
        (
            "jax-jit",
            'h = jax.nn.relu(jnp.dot(batch["x"], state.params["w1"]))',
            'h = jax.lax.stop_gradient(jax.nn.relu(jnp.dot(batch["x"], state.params["w1"])))',
            "the gradients from the last layer down to that of w2",
            "the gradient of w1",
            "grad",
        ),
    ],
)
def test_a_broken_implementation_is_refused_in_words(
    tmp_path: Path, variant: str, right: str, wrong: str, agrees: str, differs: str, cause: str
) -> None:
    """One per framework, broken by hand in a copy of the sources."""
    entry = registry.variants()[variant]
    if registry.missing_modules(entry):
        pytest.skip(f"{variant} is not installed")
    for room in ("impls", "harness"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "impls" / entry.backend / "two_layer.py"
    source = file.read_text(encoding="utf-8")
    assert source.count(right) == 1
    file.write_text(source.replace(right, wrong), encoding="utf-8")
    arguments = ("--preset", "quick", "--models", "two_layer", "--variants", variant, "--device", "cpu")
    done = harness("check", *arguments, "--explain", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    words = " ".join(done.stdout.split())
    assert "refused" in words
    assert f"What agrees: {agrees}" in words or f", {agrees}." in words
    assert f"The first that differs is {differs}: relative error" in words
    assert f"Usual causes there: {divergence.USUAL_CAUSES[cause]}." in words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "--optimizers", "adm"], "unknown optimizer 'adm'; choose from sgd, momentum, nesterov, adam"),
        (["check", "--model", "unt"], "unknown model 'unt'; choose from two_layer, autoencoder, recurrent, unet"),
        (["mutants", "--variants", "torch"], "unknown variant 'torch'; choose from "),
        (["mutants", "--markdown", "/dev/null/mutants.md"], "cannot write to /dev/null"),
    ],
)
def test_a_wrong_request_ends_with_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, *([] if "--device" in arguments else ["--device", "cpu"])]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
