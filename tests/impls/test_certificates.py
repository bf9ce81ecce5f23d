"""Every variant of every net passes both gates at the tiny size, in a worker as a benchmark would start it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from harness import certify, programs
from harness.oracle import BOTH_PRECISIONS, Oracle
from harness.problem import Problem
from harness.workers import Worker
from impls import registry, specs

pytestmark = pytest.mark.usefixtures("cheap_xla")


@pytest.fixture(scope="module")
def oracle_of() -> Iterator[Callable[..., Oracle]]:
    """Makes oracles, and keeps them for the tests to come."""
    with ExitStack() as stack:

        @cache
        def prepared(model: str, starts: tuple[str, ...], optimizer: str | None = None) -> Oracle:
            problem = Problem.of(model, "tiny", seed=0, optimizer=optimizer)
            oracle = stack.enter_context(Oracle(problem, problem.spec.num_certified_steps, 1, starts))
            oracle.prepare()
            return oracle

        yield prepared


def skip_if_unavailable(model: str, entry: registry.Entry) -> None:
    available = registry.availability(model, entry)
    if available.status != "available":
        pytest.skip(f"{available.status}: {available.reason}")


@pytest.mark.parametrize("model", specs.MODELS)
@pytest.mark.parametrize("variant", registry.variants())
def test_certificate(variant: str, model: str, oracle_of: Callable[..., Oracle]) -> None:
    entry = registry.variants()[variant]
    skip_if_unavailable(model, entry)
    # What compiles for minutes is spared the functions that only a certificate calls, as in the shorter presets.
    is_slow = model in entry.variant.slow_models
    if model == "unet" and variant in ("torch-compile", "torch-tuned"):
        pytest.skip("compiles for minutes; python -m harness check --preset full does it")
    oracle = oracle_of(model, () if is_slow else BOTH_PRECISIONS)
    with Worker(entry, num_threads=1, device="cpu") as worker:
        worker.start()
        launched = programs.launch(worker, oracle.problem)
        proof = certify.prove(worker, oracle)
    assert set(launched.stages) == set(programs.PHASES)
    spec = oracle.problem.spec
    num_tensors = len(spec.params) * (1 + len(spec.optimizer.slots)) + len(spec.statistics)
    for precision in BOTH_PRECISIONS:
        found = [c.quantity for c in proof.certificates if c.precision == precision]
        assert sum(quantity.startswith("state@1..") for quantity in found) == num_tensors
        assert sum(quantity.startswith("layer@0/") for quantity in found) == len(oracle.starts and spec.layers)
        assert sum(quantity.startswith("grad@0/") for quantity in found) == len(oracle.starts and spec.params)
    assert proof.failed == []


def test_what_is_compiled_for_a_gpu_alone(oracle_of: Callable[..., Oracle]) -> None:
    """A CPU compiles it too, without CUDA graphs, which shows that options and program fit: the longest options."""
    entry = registry.variants()["torch-max-autotune"]
    if missing := registry.missing_modules(entry):
        pytest.skip(f"not installed: {', '.join(missing)}")
    oracle = oracle_of("two_layer", ())
    with Worker(entry, num_threads=1, device="cpu") as worker:
        worker.start()
        programs.launch(worker, oracle.problem)
        assert certify.prove(worker, oracle).failed == []


@pytest.mark.parametrize("variant", registry.variants())
def test_every_optimizer(variant: str, oracle_of: Callable[..., Oracle]) -> None:
    """One definition each: the autoencoder's trajectory, slots included, is the same with each of them."""
    entry = registry.variants()[variant]
    skip_if_unavailable("autoencoder", entry)
    # What compiles for minutes shows one more than its own here; python -m harness check --preset full does all.
    is_slow = "autoencoder" in entry.variant.slow_models
    optimizers = ("momentum",) if is_slow else specs.optimizers("autoencoder")
    with Worker(entry, num_threads=1, device="cpu") as worker:
        worker.start()
        for optimizer in optimizers:
            oracle = oracle_of("autoencoder", (), optimizer)
            programs.load_model(worker, oracle.problem)
            proof = certify.prove(worker, oracle, is_launched=False)
            assert proof.failed == [], optimizer
            slots = {f"{slot}/encoder1.w" for slot in oracle.problem.spec.optimizer.slots}
            assert slots <= {c.quantity.partition("/")[2] for c in proof.certificates}
