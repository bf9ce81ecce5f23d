"""A wide sum of large temporaries in PyTorch: eager, and compiled, where they need not be written at all."""

import torch

from impls.torch.experiments.per_op import waiting
from impls.torch.runtime import peak_device_memory_bytes


def wide_sum(x):
    """Return the sum over k of tanh(x + k); every term is written before they are summed."""
    terms = [torch.tanh(x + k) for k in range(10)]
    return sum(terms)


def eager(x):
    """Return what computes the sum operation by operation, and what reads a device's peak."""
    return waiting(wide_sum, x), peak_device_memory_bytes


def compiled(x):
    """Return what computes the sum in compiled code, and what reads a device's peak."""
    return waiting(torch.compile(wide_sum, dynamic=False), x), peak_device_memory_bytes


WAYS = {"eager": eager, "torch.compile": compiled}
