"""The CUDA graph of a phase, recorded and replayed on the CPU: only the calls into CUDA are played here.

A graph is a list of operations with the tensors that they read and write. The player below notes just these while the
phase is recorded, puts back what it changed (on a GPU a recording computes nothing), and repeats them at each replay.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.problem import Problem
from impls import registry, specs

VARIANT = registry.variants()["torch-cuda-graph"].variant
NUM_STEPS = 4


class PlayedGraph:
    """Notes the operations of a recording; `replay` repeats them on the same memory."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.num_replays = 0

    def replay(self) -> None:
        import torch

        self.num_replays += 1
        with torch.no_grad():
            for function, args, kwargs, before in self.calls:
                for old, new in zip(before, tensors_in(function(*args, **kwargs)), strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.copy_(new)


def tensors_in(tree: Any) -> list[Any]:
    import torch

    return [leaf for leaf in torch.utils._pytree.tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


@contextmanager
def recording(graph: PlayedGraph) -> Iterator[None]:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    made: set[int] = set()
    kept: dict[int, Any] = {}

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            assert function is not torch.ops.aten._local_scalar_dense.default, "a recording must not wait for a value"
            for tensor in tensors_in((args, kwargs)):
                if tensor.data_ptr() not in made | kept.keys():
                    kept[tensor.data_ptr()] = tensor.detach(), tensor.detach().clone()
            result = function(*args, **(kwargs or {}))
            made.update(tensor.data_ptr() for tensor in tensors_in(result) if tensor.data_ptr() not in kept)
            graph.calls.append((function, args, kwargs or {}, tensors_in(result)))
            return result

    with Recorder():
        yield
    with torch.no_grad():
        for tensor, before in kept.values():
            tensor.copy_(before)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[PlayedGraph]:
    """Puts the player in CUDA's place; the graphs that are recorded gather in the list."""
    torch = pytest.importorskip("torch")
    found: list[PlayedGraph] = []

    def new() -> PlayedGraph:
        found.append(PlayedGraph())
        return found[-1]

    stream = SimpleNamespace(wait_stream=lambda _: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", new)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    # Adam asks whether the device can do without its questions; of a CPU's steps the player repeats the same.
    monkeypatch.setattr(
        import_module("torch.optim.adam"), "_get_capturable_supported_devices", lambda *_, **__: ["cpu"]
    )
    return found


def trained(variant: Any, model: str, optimizer: str | None, dtype: str) -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Return the losses of some training steps, the state after them, and predictions before and after."""
    from impls.torch.runtime import Program

    problem = Problem.of(model, "tiny", seed=0, optimizer=optimizer)
    params = {name: array.astype(dtype) for name, array in problem.params.items()}
    program = Program(import_module(f"impls.torch.{model}"), problem.spec, params, variant)
    batches = [program.prepare(batch) for batch in problem.batches]
    predicted = [program.to_numpy(program.forward(batches[0]))]
    losses = [program.to_numpy(program.train_step(batches[i % len(batches)])) for i in range(NUM_STEPS)]
    predicted.append(program.to_numpy(program.forward(batches[0])))
    return losses, program.state(), predicted


CASES = [("two_layer", None), ("unet", None), *(("autoencoder", name) for name in specs.optimizers("autoencoder"))]


@pytest.mark.parametrize(("model", "optimizer"), CASES)
def test_a_replay_is_the_eager_step(model: str, optimizer: str | None, graphs: list[PlayedGraph]) -> None:
    """All that a step changes is in the graph: parameters, statistics, slots and Adam's count; the batch is not."""
    eager = registry.variants()["torch-eager"].variant
    expected = trained(eager, model, optimizer, "float64")
    assert graphs == []
    found = trained(VARIANT, model, optimizer, "float64")
    assert sorted(graph.num_replays for graph in graphs) == [2, NUM_STEPS], "one graph per phase"
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    for name, array in expected[1].items():
        np.testing.assert_allclose(found[1][name], array, rtol=1e-9, atol=1e-13, err_msg=name)
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-9, atol=1e-13)
    assert np.abs(found[2][1] - found[2][0]).max() > 0


def test_compilers_modes_are_torchs_own() -> None:
    inductor = pytest.importorskip("torch._inductor")
    from impls.torch import tuned

    for mode in ("reduce-overhead", "max-autotune"):
        assert tuned.OPTIONS[f"torch-{mode}"] == inductor.list_mode_options(mode)


def test_only_a_gpu_has_such_graphs() -> None:
    entry = registry.variants()["torch-cuda-graph"]
    assert registry.availability("unet", entry).reason == "torch-cuda-graph is for a GPU; use --device gpu"
    assert registry.availability("recurrent", entry, "gpu").status == "not implemented"
    if not registry.missing_modules(entry):
        assert registry.availability("unet", entry, "gpu").status == "available"
