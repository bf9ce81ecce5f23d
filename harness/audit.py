"""The audit of the lecture's two programs: both are run as printed, from the same numbers, and certified.

The lecture shows one net in TensorFlow and in PyTorch. The programs look alike; the second has a learning rate a
thousand times as large, and never clears its gradients. A certificate names what differs first, so it shows one mistake
at a time: the PyTorch program is audited once more with the first one put right.
"""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness import certify, divergence, environment
from harness.certify import Certificate
from harness.lecture import NUM_RECORDED_STEPS
from harness.oracle import BOTH_PRECISIONS, Oracle
from harness.places import ELSEWHERE
from harness.problem import Problem
from harness.workers import ROOT
from impls.registry import Entry, Interpreter, is_installed

TIMEOUT_S = 300.0
SHOWN_STEPS = (0, 1, 2, 3, 4, 5, 10, 50, 100, 200, 499)


@dataclass(frozen=True)
class Printed:
    """One of the lecture's programs, in `harness/lecture/`.

    Attributes:
        title: for a column's head.
        file: the module's name.
        framework: the top-level module that it needs.
        learning_rate: in place of the printed one.
    """

    title: str
    file: str
    framework: str
    learning_rate: float | None = None


PROGRAMS = (
    Printed("TensorFlow, as printed", "two_layer_tensorflow", "tensorflow"),
    Printed("PyTorch, as printed", "two_layer_pytorch", "torch"),
    Printed("PyTorch, rate put right", "two_layer_pytorch", "torch", learning_rate=1e-6),
)


@dataclass(frozen=True)
class Finding:
    """What became of one program.

    Attributes:
        title: which one.
        learning_rate: that it trained with.
        losses: in float32, those that it prints: `losses[t]` after t training steps.
        certificates: of its first steps, in both precisions.
        refused: the quantity that differs first, or None if every certificate passed.
        explanation: what agrees and what differs first, a sentence each; empty if every certificate passed.
    """

    title: str
    learning_rate: float
    losses: list[float]
    certificates: list[Certificate]
    refused: str | None
    explanation: list[str]

    @property
    def first_nan_step(self) -> int | None:
        """The number of training steps after which the loss is NaN, or None if it never is."""
        return next((step for step, loss in enumerate(self.losses) if math.isnan(loss)), None)


@dataclass(frozen=True)
class Audit:
    """The findings of all programs, and how many training steps their certificates follow."""

    findings: list[Finding]
    num_certified_steps: int


def audit(variants: Iterable[Entry] = (), seed: int = 0) -> Audit:
    """Run the lecture's programs on the same numbers, each in a process of its own, and certify them.

    Args:
        variants: in whose interpreters the frameworks are; one that none of them has is looked for in this one.
        seed: of the numbers.

    Raises:
        ModuleNotFoundError: TensorFlow or PyTorch is not installed.
        RuntimeError: a program failed.
        subprocess.TimeoutExpired: a program did not end.
    """
    # A variant that needs one module is of the framework itself.
    own = {entry.variant.requires[0]: entry.interpreter for entry in variants if len(entry.variant.requires) == 1}
    interpreters = {name: found for name, found in own.items() if found and not found.python.startswith(ELSEWHERE)}
    missing = {
        framework
        for framework in (printed.framework for printed in PROGRAMS)
        if not (interpreters[framework].has if framework in interpreters else is_installed)(framework)
    }
    if missing:
        raise ModuleNotFoundError(f"the audit runs the lecture's programs; not installed: {', '.join(sorted(missing))}")
    problem = Problem.of("two_layer", "original", seed)
    with Oracle(problem, NUM_RECORDED_STEPS, num_threads=1) as oracle, tempfile.TemporaryDirectory() as folder:
        oracle.prepare()
        start = Path(folder) / "start.npz"
        np.savez(start, allow_pickle=False, **problem.params, **problem.batches[0])
        findings = [_audited(printed, oracle, start, interpreters.get(printed.framework)) for printed in PROGRAMS]
    return Audit(findings, NUM_RECORDED_STEPS)


def _audited(printed: Printed, oracle: Oracle, start: Path, interpreter: Interpreter | None) -> Finding:
    """Run one program from the arrays in `start` and compare it with the oracle."""
    recorded = _run(printed, start, sys.executable if interpreter is None else interpreter.python)
    expected = [quantity for quantity in oracle if not quantity.startswith("layer@")]  # the programs print none
    certificates: list[Certificate] = []
    for precision in BOTH_PRECISIONS:
        quantities = _quantities(recorded, precision, expected)
        certificates += certify.certify(printed.title, "cpu", oracle, precision, quantities, expected).certificates
    first = divergence.first(certificates, oracle.problem.spec)
    return Finding(
        title=printed.title,
        learning_rate=float(recorded["learning_rate"]),
        losses=recorded["float32/losses"].tolist(),
        certificates=certificates,
        refused=None if first is None else divergence.quantity_of(first),
        explanation=divergence.explain(certificates, oracle.problem.spec),
    )


def _quantities(
    recorded: dict[str, np.ndarray], precision: str, expected: list[str]
) -> Iterator[tuple[str, np.ndarray]]:
    yield from ((quantity, recorded[f"{precision}/{quantity}"]) for quantity in expected)


def _run(printed: Printed, start: Path, python: str = sys.executable) -> dict[str, np.ndarray]:
    """Return what `harness.lecture` records of a program, in a process that imports its framework alone."""
    record = start.with_name("record.npz")
    arguments = [printed.file, str(start), str(record)]
    if printed.learning_rate is not None:
        arguments.append(str(printed.learning_rate))
    done = subprocess.run(
        [python, "-m", "harness.lecture", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment.worker_env(1)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{printed.title}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    with np.load(record) as arrays:
        return dict(arrays)


def describe(found: Audit) -> str:
    """Return the audit as text: the losses side by side, then each program's verdict."""
    width = max(len(finding.title) for finding in found.findings) + 2
    lines = [
        "One net, y = max(x·w1, 0)·w2, trained by two programs of a lecture, from the same numbers.",
        "",
        " " * 20 + "".join(f"{finding.title:>{width}}" for finding in found.findings),
        f"{'learning rate':20}" + "".join(f"{finding.learning_rate:>{width}g}" for finding in found.findings),
    ]
    for step in SHOWN_STEPS:
        losses = (finding.losses[step] for finding in found.findings)
        lines.append(f"{f'loss at t = {step}':20}" + "".join(f"{loss:>{width}.3g}" for loss in losses))
    for finding in found.findings:
        num_passed = sum(certificate.passed for certificate in finding.certificates)
        verdict = "refused" if finding.refused else "proven equal to the reference"
        nan = finding.first_nan_step
        lines += ["", f"{finding.title}: {verdict}"]
        lines.append(
            f"    {num_passed} of {len(finding.certificates)} quantities passed, over {found.num_certified_steps} steps"
            f" in float32 and in float64; "
            + ("the loss is never NaN" if nan is None else f"the loss is NaN from t = {nan}")
        )
        lines += [f"    {line}" for line in finding.explanation]
    return "\n".join(lines)
