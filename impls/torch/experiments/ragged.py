"""A recurrence over examples of different lengths, h = tanh(h·W + x_t): Python loops, compiled or not, and masks."""

import torch

from impls.torch.runtime import device


def recurrence(w, xs):
    """Return the last h (1, H) of an example (1, length, H)."""
    h = w.new_zeros(1, w.shape[0])
    for x in xs.unbind(1):
        h = torch.tanh(h @ w + x)
    return h


def masked(w, xs, lengths):
    """Return each example's h (N, H) after its own last step; what comes behind it is computed and not kept."""
    h = w.new_zeros(xs.shape[0], w.shape[0])
    for t, x in enumerate(xs.unbind(1)):
        h = torch.where((t < lengths)[:, None], torch.tanh(h @ w + x), h)
    return h


def one_by_one(w):
    """Let each example have a loop of its own length."""
    w = tensor(w)
    return "as they are", lambda xs, _: recurrence(w, tensor(xs)).cpu().numpy(), lambda: None


def one_batch(w):
    """Take a step for all examples at once, as many steps as the longest has."""
    w = tensor(w)

    def run(xs, lengths):
        return masked(w, tensor(xs), tensor(lengths)).cpu().numpy()

    return "one batch", run, lambda: None


def compiled_step(w):
    """Compile one step, and let Python repeat it as often as the example is long."""
    from torch._dynamo.utils import counters

    torch.compiler.reset()  # else what was compiled for another w of this size is used again
    w = tensor(w)
    step = torch.compile(lambda h, x: torch.tanh(h @ w + x), fullgraph=True)

    def run(xs, _):
        h = w.new_zeros(1, w.shape[0])
        for x in tensor(xs[0]):
            h = step(h, x)
        return h.cpu().numpy()

    return "as they are", run, lambda: counters["stats"]["unique_graphs"]


def tensor(array):
    """Return the array on this process's device."""
    return torch.from_numpy(array).to(device())


WAYS = {
    "eager, one by one": one_by_one,
    "eager, one masked batch": one_batch,
    "torch.compile of a step, one by one, any length": compiled_step,
}
