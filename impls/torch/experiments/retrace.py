"""A small two-layer net in PyTorch: torch.compile makes a program for the first shape, and then one for all others."""

import torch
from torch._inductor.compile_fx import compile_fx

from impls.torch.runtime import device, synchronize


def net(x, w1, w2):
    """Predict (N, D_out) from (N, D_in)."""
    h = torch.relu(x @ w1)  # (N, H)
    return h @ w2  # (N, D_out)


class Counting:
    """torch.compile's own backend, Inductor; it counts the graphs that it is given."""

    num_graphs = 0

    def __call__(self, graph, inputs):
        """Compile a graph."""
        self.num_graphs += 1
        return compile_fx(graph, inputs)


def eager(w1, w2):
    """Return what predicts operation by operation; nothing traces it."""
    return waiting(net, w1, w2), lambda: None


def compiled(w1, w2):
    """Return what predicts in compiled code, and how often it was traced."""
    backend = Counting()
    # A lambda for each way: compiled code belongs to the code object, and `net` is one for both.
    return waiting(torch.compile(lambda x, w1, w2: net(x, w1, w2), backend=backend), w1, w2), lambda: backend.num_graphs


def compiled_dynamic(w1, w2):
    """Return the same, with a program for any batch size from the start."""
    backend = Counting()
    dynamic = torch.compile(lambda x, w1, w2: net(x, w1, w2), backend=backend, dynamic=True)
    return waiting(dynamic, w1, w2), lambda: backend.num_graphs


def waiting(function, w1, w2):
    """Return what predicts for a batch of the host and waits for the device."""
    w1, w2 = torch.from_numpy(w1).to(device()), torch.from_numpy(w2).to(device())

    def predict(x):
        y = function(torch.from_numpy(x).to(device()), w1, w2)
        synchronize()
        return y

    return predict


WAYS = {"eager": eager, "torch.compile": compiled, "torch.compile(dynamic=True)": compiled_dynamic}
