"""A recurrence over the rows of xs, h = tanh(h·W + x_t): a Python loop, run eagerly or unrolled into a graph."""

import torch

from impls.torch.experiments.graphs import kept_graph
from impls.torch.runtime import device


def recurrence(w, xs):
    """Return the last h (1, H)."""
    h = w.new_zeros(1, w.shape[0])
    for x in xs:
        h = torch.tanh(h @ w + x)
    return h


def eager(w, xs):
    """Let Python run the loop."""
    w, xs = torch.from_numpy(w).to(device()), torch.from_numpy(xs).to(device())
    return lambda: recurrence(w, xs).cpu().numpy(), lambda: None


def unrolled(w, xs):
    """Let Dynamo run the loop once, and write down every step."""
    w, xs = torch.from_numpy(w).to(device()), torch.from_numpy(xs).to(device())
    compiled = torch.compile(recurrence, fullgraph=True, dynamic=False)

    def num_operations():
        return sum(node.op.startswith("call") for node in kept_graph(recurrence, w, xs).nodes)

    return lambda: compiled(w, xs).cpu().numpy(), num_operations


WAYS = {"eager": eager, "torch.compile, unrolled": unrolled}
