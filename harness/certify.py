"""Proves that a program computes the specified function, before anyone looks at its speed.

Two gates (the reasons are in docs/equivalence.md; `harness/oracle.py` has errors and limits):

1. float64: every quantity agrees with the NumPy oracle to 1e-10 or better. Two different functions do not; two
   roundings of one function do.
2. float32: the error against the float64 oracle is at most 8 times the error that the oracle itself makes in float32.
   Single layers, and what depends on a gradient, are allowed the same multiple of what the oracle makes of parameters
   that are moved by a few units in the last place: kernels differ by that much, and a ReLU or a max-pool that sits on
   its kink goes one way or the other by rounding alone, and takes the gradients of all layers below it along.

A quantity is called `WHAT@STEP/TENSOR`, STEP being the number of training steps taken before: `forward@0`, `loss@7`,
`grad@0/w1`, `state@10/velocity/w1`, `layer@0/down1.bn1`. Over a trajectory there are thousands; a certificate sums up
those of one tensor (`state@1..500/w1`) by the worst of them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np

from harness import programs
from harness.oracle import BOTH_PRECISIONS, Oracle, worst_element
from harness.workers import Worker

START = re.compile(r"(forward|layer|grad)@0(/|$)")
"""What `programs.trace_start` yields, but for the loss, which a training step tells too."""
MAX_TRAJECTORY_POINTS = 60


@dataclass(frozen=True)
class Certificate:
    """One quantity of one program, compared; or one tensor's over a trajectory, of which the worst step is shown.

    Attributes:
        optimizer: that trained, or would have.
        quantity: `forward@K`, `layer@0/LAYER`, `grad@0/NAME`, `loss@0`, `loss@1..K-1`, `state@1..K/NAME`.
        step: over a trajectory the first step at which the limit was exceeded, or else where the error came closest.
        rel_error: ‖measured − oracle‖ over the scale that `Oracle.compare` chooses; None if not comparable.
        detail: why it is not comparable, or the worst element with both values when the limit is exceeded.
    """

    model: str
    size: str
    variant: str
    precision: str
    device: str
    optimizer: str
    quantity: str
    step: int
    rel_error: float | None
    limit: float
    passed: bool
    detail: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the certificate as the result document holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Trajectory:
    """How a program's error grows as it trains.

    Attributes:
        steps: training steps taken, about evenly spaced on a log scale.
        loss_error, state_error: relative errors of the loss, and of the parameter, statistic or slot that is worst.
        loss_share, state_share: the same as shares of their limits. In float32, `oracle.FLOAT32_FACTOR` times the share
            is the error in units of the reference's own.
    """

    model: str
    size: str
    variant: str
    precision: str
    optimizer: str
    steps: list[int]
    loss_error: list[float]
    loss_share: list[float]
    state_error: list[float]
    state_share: list[float]

    def as_dict(self) -> dict[str, Any]:
        """Return the trajectory as the result document holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """One comparison with the oracle: of a quantity, or of a group of them at its worst step."""

    step: int
    rel_error: float | None
    limit: float
    detail: str | None

    @property
    def passed(self) -> bool:
        """Tell whether the quantity could be compared and is within its limit."""
        return self.rel_error is not None and self.rel_error <= self.limit

    @property
    def share(self) -> float:
        """The error as a share of its limit; infinite if it is none."""
        return np.inf if self.rel_error is None else self.rel_error / self.limit


@dataclass
class Proof:
    """What was found out about one variant of one net."""

    certificates: list[Certificate]
    trajectories: list[Trajectory]

    @property
    def failed(self) -> list[Certificate]:
        """The certificates that refuse the variant."""
        return [certificate for certificate in self.certificates if not certificate.passed]


def certify(
    variant: str,
    device: str,
    oracle: Oracle,
    precision: str,
    quantities: Iterable[tuple[str, np.ndarray]],
    expected: Iterable[str] | None = None,
) -> Proof:
    """Compare what a variant computed with the oracle, quantity by quantity. One of `expected` (all) left out fails."""
    findings = {
        quantity: Finding(_step(quantity), None, oracle.limit(quantity, precision), "was not computed")
        for quantity in (oracle if expected is None else expected)
    }
    seen: set[str] = set()
    for quantity, array in quantities:
        error, detail = None, None
        limit = oracle.limit(quantity, precision)
        if quantity not in oracle:
            detail = "the oracle has no such quantity"
        elif array.dtype != precision:
            detail = f"dtype {array.dtype}, expected {precision}"
        else:
            error, detail = oracle.compare(quantity, array)
            if error is not None and error > limit:
                detail = worst_element(array, oracle[quantity])
        found = Finding(_step(quantity), error, limit, detail)
        if quantity in seen:  # the first loss comes from `gradients` and from `train_step`
            found = max(found, findings[quantity], key=lambda finding: finding.share)
        seen.add(quantity)
        findings[quantity] = found
    spec = oracle.problem.spec
    about = {
        "model": spec.model,
        "size": spec.size,
        "variant": variant,
        "precision": precision,
        "optimizer": spec.optimizer.name,
    }
    certificates = []
    for quantity, group in _grouped(findings, oracle.num_steps).items():
        refused = (finding for finding in group if not finding.passed)
        shown = next(refused, None) or max(group, key=lambda finding: finding.share)
        certificates.append(
            Certificate(
                **about,
                device=device,
                quantity=quantity,
                step=shown.step,
                rel_error=shown.rel_error,
                limit=shown.limit,
                passed=shown.passed,
                detail=shown.detail,
            )
        )
    return Proof(certificates, [_trajectory(about, findings, oracle.num_steps)])


def _step(quantity: str) -> int:
    return int(re.findall(r"@(\d+)", quantity)[0])


def _grouped(findings: dict[str, Finding], num_steps: int) -> dict[str, list[Finding]]:
    """Return findings by certificate, in order of steps: those of one tensor's trajectory have one in common."""
    groups: dict[str, list[Finding]] = {}
    for quantity, finding in findings.items():
        if quantity.startswith("state@"):
            quantity = re.sub(r"@\d+", f"@1..{num_steps}", quantity)
        elif quantity.startswith("loss@") and quantity != "loss@0":
            quantity = f"loss@1..{num_steps - 1}"
        groups.setdefault(quantity, []).append(finding)
    return {quantity: sorted(group, key=lambda finding: finding.step) for quantity, group in groups.items()}


def _trajectory(about: dict[str, str], findings: dict[str, Finding], num_steps: int) -> Trajectory:
    """Return the errors of a trajectory at some steps. A loss belongs to the step that it was computed in."""
    losses: dict[int, Finding] = {}
    states: dict[int, Finding] = {}
    for quantity, finding in findings.items():
        if quantity.startswith("loss@"):
            losses[finding.step + 1] = finding
        elif quantity.startswith("state@"):
            worst = states.setdefault(finding.step, finding)
            states[finding.step] = max(worst, finding, key=lambda finding: finding.share)
    comparable = [{step for step, f in found.items() if f.rel_error is not None} for found in (losses, states)]
    steps = sorted(set.intersection(*comparable))
    if steps:
        wanted = np.geomspace(1, num_steps, MAX_TRAJECTORY_POINTS).round()
        steps = [steps[i] for i in np.unique(np.searchsorted(steps, wanted).clip(max=len(steps) - 1))]
    return Trajectory(
        **about,
        steps=steps,
        loss_error=[losses[step].rel_error or 0.0 for step in steps],
        loss_share=[losses[step].share for step in steps],
        state_error=[states[step].rel_error or 0.0 for step in steps],
        state_share=[states[step].share for step in steps],
    )


def prove(worker: Worker, oracle: Oracle, is_launched: bool = True) -> Proof:
    """Pass both gates with a worker, whose program `timed`, if it was launched, has recorded its first calls.

    float32: the very program that will be timed goes on to step K; a second build of it shows what comes before the
    first step. float64: another build, of the same functions in the same variant.
    """
    proof = Proof([], [])
    for precision in BOTH_PRECISIONS:
        with_start = precision in oracle.starts
        goes_on = is_launched and precision == "float32"
        if with_start or not goes_on:
            programs.open_program(worker, oracle.problem, "fresh", precision)

        def quantities(goes_on: bool = goes_on, with_start: bool = with_start) -> Iterator[tuple[str, np.ndarray]]:
            if with_start:
                yield from programs.trace_start(worker, "fresh")
            yield from _trajectory_of(worker, oracle, "timed" if goes_on else "fresh", goes_on)

        found = _compared(worker, oracle, precision, quantities(), with_start)
        proof.certificates += found.certificates
        proof.trajectories += found.trajectories
        worker.call("close", key="fresh")
    return proof


def prove_again(worker: Worker, oracle: Oracle) -> Proof:
    """Pass the float32 gate with another launch of a program that has been proven: what it does when it is timed."""
    return _compared(worker, oracle, "float32", _trajectory_of(worker, oracle, "timed", True), with_start=False)


def _trajectory_of(worker: Worker, oracle: Oracle, key: str, is_launched: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what a program has recorded since its launch, if that was one, and what it computes from there on."""
    num_taken = programs.num_launched_steps(worker, oracle.problem) if is_launched else 0
    steps_per_call = worker.entry.variant.num_steps(oracle.problem.spec.model)
    recorded = programs.take(worker, key)
    going_on = programs.trace_steps(worker, key, oracle.num_steps, num_taken, steps_per_call)
    yield from (found for found in chain(recorded, going_on) if _is_followed(found[0], oracle.num_steps))


def _is_followed(quantity: str, num_steps: int) -> bool:
    """Tell whether an oracle of so many steps has such a quantity: a launch may go beyond, or predict in between."""
    step = _step(quantity)
    if quantity.startswith("forward@"):
        return step in (0, 1, num_steps)
    return step < num_steps + quantity.startswith("state@")


def _compared(
    worker: Worker, oracle: Oracle, precision: str, quantities: Iterable[tuple[str, np.ndarray]], with_start: bool
) -> Proof:
    """Certify what a worker's variant can show: all of the oracle's quantities, but for states within a call."""
    steps_per_call = worker.entry.variant.num_steps(oracle.problem.spec.model)
    expected = [
        name
        for name in oracle
        if (with_start or not START.match(name)) and (name.startswith("loss@") or _step(name) % steps_per_call == 0)
    ]
    return certify(worker.entry.name, worker.facts["device"], oracle, precision, quantities, expected)
