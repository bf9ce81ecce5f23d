"""A net whose middle layer is applied another number of times in each step: a Python loop, compiled or not."""

import torch

from impls.torch.runtime import device


def loss(params, x, y, depth):
    """Return the sum of squares, after `depth` middle layers."""
    h = torch.relu(x @ params["w_in"])
    for _ in range(depth):
        h = torch.relu(h @ params["w_mid"])
    return (h @ params["w_out"] - y).square().sum()


def eager(params):
    """Let Python run the loop."""
    return step(loss, params)


def compiled(params):
    """Compile a program for each depth that comes, until torch has compiled as many as it allows and runs eagerly."""
    return step(torch.compile(loss), params)


def step(function, params):
    """Return what computes the loss and its gradients."""
    params = {name: tensor(array).requires_grad_() for name, array in params.items()}

    def run(x, y, depth):
        value = function(params, tensor(x), tensor(y), depth)
        grads = torch.autograd.grad(value, list(params.values()), allow_unused=True, materialize_grads=True)
        return value.detach().cpu().numpy(), {
            name: grad.cpu().numpy() for name, grad in zip(params, grads, strict=True)
        }

    return run


def tensor(array):
    """Return the array on this process's device."""
    return torch.from_numpy(array).to(device())


WAYS = {"eager": eager, "torch.compile": compiled}
