"""The checker, checked: every fault that a backend can express is planted, and must be found where it was planted."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from harness import certify, divergence, programs
from harness.oracle import Oracle
from harness.problem import Problem
from harness.workers import Worker, WorkerError
from impls import registry, specs
from impls.faults import FAULTS, SIZES
from impls.registry import Entry

NUM_STEPS = 3
Outcome = Literal["caught", "elsewhere", "survived", "failed", "inexpressible"]


@dataclass(frozen=True)
class Verdict:
    """What became of one fault in one net of one variant.

    Attributes:
        outcome: caught where it was planted; found elsewhere; survived; failed (it could not run); or the framework
            cannot make this mistake.
        expected: the quantity that must differ first.
        found: the one that did.
        detail: its numbers, or why it could not run or be expressed.
    """

    fault: str
    model: str
    variant: str
    outcome: Outcome
    expected: str
    found: str | None
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def run(variants: Iterable[Entry], models: Iterable[str] = specs.MODELS) -> Iterator[Verdict]:
    """Plant every fault in every variant, one worker each; yields verdicts as they come."""
    with ExitStack() as stack:
        oracles = {model: stack.enter_context(oracle(model)) for model in models}
        for prepared in oracles.values():
            prepared.prepare()
        for entry in variants:
            with Worker(entry, 1, "cpu") as worker:
                worker.start()
                for model, prepared in oracles.items():
                    yield from _verdicts(worker, prepared, model)


def default_variants(entries: Iterable[Entry]) -> list[Entry]:
    """Return the quickest variant of each installed framework that plants faults: an eager one, if it has any."""
    chosen: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.variant.mode != "eager"):
        if registry.offers(entry, "mutants"):
            chosen.setdefault(entry.backend, entry)
    return list(chosen.values())


def oracle(model: str) -> Oracle:
    """Return the oracle, not yet prepared, that mutants are compared with.

    It has two distinct batches, so that what goes wrong with the second shows.
    """
    return Oracle(Problem(specs.get(model, "tiny", **SIZES[model]), seed=0, num_batches=2), NUM_STEPS, 1)


def _verdicts(worker: Worker, oracle: Oracle, model: str) -> Iterator[Verdict]:
    programs.load_model(worker, oracle.problem)
    reasons = worker.call("faults")
    for name, fault in FAULTS.items():
        if model not in fault.found_at:
            continue
        expected = fault.found_at[model]
        reason = reasons.get((name, model), reasons.get((name, "")))
        if reason:
            yield Verdict(name, model, worker.entry.name, "inexpressible", expected, None, reason)
        else:
            outcome, found, detail = _try(worker, oracle, name)
            yield Verdict(name, model, worker.entry.name, outcome, expected, found, detail)


def _try(worker: Worker, oracle: Oracle, name: str) -> tuple[Outcome, str | None, str]:
    """Plant a fault, look for it, and remove it; returns outcome, the quantity that differs first, and details."""
    fault, model = FAULTS[name], oracle.problem.spec.model
    try:
        worker.call("plant", fault=name, model=model)
        try:
            found = locate(worker, oracle, fault.precision)
        finally:
            worker.call("cure")
    except WorkerError as error:
        return "failed", None, error.reason
    if found is None:
        return "survived", None, "every certificate passed"
    quantity = divergence.quantity_of(found)
    error_text = "" if found.rel_error is None else f"relative error {found.rel_error:.1e}; "
    return ("caught" if quantity == fault.found_at[model] else "elsewhere"), quantity, f"{error_text}{found.detail}"


def locate(worker: Worker, oracle: Oracle, precision: str) -> certify.Certificate | None:
    """Return the first certificate that a fresh program fails, looking no further once there is one."""
    programs.open_program(worker, oracle.problem, "fresh", precision)
    try:
        for stage in _stages(worker, oracle.problem.spec.model, oracle.num_steps):
            quantities = list(stage)
            about = worker.entry.name, worker.facts["device"]
            proof = certify.certify(*about, oracle, precision, quantities, [quantity for quantity, _ in quantities])
            found = divergence.first(proof.certificates, oracle.problem.spec)
            if found is not None:
                return found
    finally:
        worker.call("close", key="fresh")
    return None


def _stages(worker: Worker, model: str, num_steps: int) -> Iterator[Iterator[tuple[str, np.ndarray]]]:
    for trace in (programs.trace_layers, programs.trace_forward, programs.trace_gradients):
        yield trace(worker, "fresh")
    steps_per_call = worker.entry.variant.num_steps(model)
    for step in range(steps_per_call, num_steps + 1, steps_per_call):
        yield programs.trace_call(worker, "fresh")
        if step in (1, num_steps):
            yield programs.trace_forward(worker, "fresh")
