"""A recurrence over examples of different lengths, h = tanh(h·W + x_t): Python loops, compiled or not, and masks."""

import torch


def recurrence(w, xs):
    """Return the last h (1, H) of an example (1, length, H)."""
    h = torch.zeros(1, w.shape[0])
    for x in xs.unbind(1):
        h = torch.tanh(h @ w + x)
    return h


def masked(w, xs, lengths):
    """Return each example's h (N, H) after its own last step; what comes behind it is computed and not kept."""
    h = torch.zeros(xs.shape[0], w.shape[0])
    for t, x in enumerate(xs.unbind(1)):
        h = torch.where((t < lengths)[:, None], torch.tanh(h @ w + x), h)
    return h


def one_by_one(w):
    """Let each example have a loop of its own length."""
    w = torch.from_numpy(w)
    return "as they are", lambda xs, _: recurrence(w, torch.from_numpy(xs)).numpy(), lambda: None


def one_batch(w):
    """Take a step for all examples at once, as many steps as the longest has."""
    w = torch.from_numpy(w)

    def run(xs, lengths):
        return masked(w, torch.from_numpy(xs), torch.from_numpy(lengths)).numpy()

    return "one batch", run, lambda: None


def compiled_padded(w):
    """Compile the loop once, for the longest."""
    return "padded", *compiled(w)


def compiled_one_batch(w):
    """Compile the loop once, for all examples at once."""
    return "one batch", *compiled(w)


def compiled(w):
    """Return the compiled loop, and what counts how often it was compiled."""
    from torch._dynamo.utils import counters

    w = torch.from_numpy(w)
    function = torch.compile(masked, fullgraph=True, dynamic=False)

    def run(xs, lengths):
        return function(w, torch.from_numpy(xs), torch.from_numpy(lengths)).numpy()

    return run, lambda: counters["stats"]["unique_graphs"]


WAYS = {
    "eager, one by one": one_by_one,
    "eager, one masked batch": one_batch,
    "torch.compile, padded": compiled_padded,
    "torch.compile, one masked batch": compiled_one_batch,
}
