"""A phase recorded once as a CUDA graph and replayed: the kernels of the eager net, with no Python between them.

By "CUDA Graphs" in PyTorch's CUDA semantics notes: warm up on another stream, record, copy the inputs in, replay.
"""

from collections.abc import Callable
from typing import Any

import torch

Batch = dict[str, torch.Tensor]

NUM_WARMUP = 3
"""Calls before a recording, in which libraries choose their kernels and take their workspaces; as many as the notes."""


class Replayed:
    """A function of a batch that runs in Python for its first call alone.

    A graph reads and writes the very memory that it was recorded with. Batches are therefore copied to where the first
    one lay, all must have its shape, and each call overwrites what the one before has returned.

    Args:
        function: of a batch on the device. It may change `net` in place, and must not wait for the device.
        net: its parameters, buffers and optimizer stay as they are while the graph is made.
    """

    def __init__(self, function: Callable[[Batch], torch.Tensor], net: Any) -> None:
        self._function, self._net = function, net
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Return what the function returns for a batch, on the host or on the device."""
        if self._graph is None:
            self._record(batch)
        assert self._graph is not None
        for name, tensor in batch.items():
            self._inputs[name].copy_(tensor, non_blocking=True)
        self._graph.replay()
        return self._result

    def _record(self, batch: Batch) -> None:
        device = next(self._net.parameters()).device
        self._inputs = {name: tensor.to(device, copy=True) for name, tensor in batch.items()}
        state = _state(self._net)
        kept = [tensor.detach().clone() for tensor in state]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(NUM_WARMUP):
                self._function(self._inputs)
        torch.cuda.current_stream().wait_stream(aside)
        with torch.no_grad():
            for tensor, before in zip(state, kept, strict=True):
                tensor.copy_(before)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):  # records, and computes nothing
            self._result = self._function(self._inputs)
        self._graph = graph


def _state(net: Any) -> list[torch.Tensor]:
    """Return all that a training step changes in place; the optimizer's slots exist before its first step."""
    slots = net.optimizer.state.values() if hasattr(net, "optimizer") else ()
    return [*net.parameters(), *net.buffers(), *(tensor for one in slots for tensor in one.values())]
