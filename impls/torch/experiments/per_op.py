"""A chain of 20 elementwise operations in PyTorch: eager, or compiled by torch.compile."""

import torch

from impls.torch.runtime import device, synchronize


def chain(x):
    """Apply 20 operations to x, one after the other."""
    for _ in range(5):
        x = x * 0.99
        x = x + 0.5
        x = torch.clamp(x, min=0.1)
        x = x - 0.25
    return x


def eager(x):
    """Return what computes the chain of x operation by operation."""
    return waiting(chain, x)


def compiled(x):
    """Return what computes the chain of x in compiled code, which takes any length: C++ compilers are slow."""
    return waiting(torch.compile(chain, dynamic=True), x)


def waiting(function, x):
    """Return what calls a function of x and waits for the device."""
    x = torch.from_numpy(x).to(device())

    def call():
        result = function(x)
        synchronize()
        return result

    return call


WAYS = {"eager": eager, "torch.compile": compiled}
