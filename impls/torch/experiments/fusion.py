"""How often the chain goes over the memory in PyTorch."""

import torch
from torch._inductor import metrics
from torch.utils._python_dispatch import TorchDispatchMode

from impls.torch.experiments import per_op


class Counting(TorchDispatchMode):
    """Counts the operations that reach a device."""

    num_operations = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Count an operation, and do it."""
        self.num_operations += 1
        return operation(*args, **(kwargs or {}))


def eager(x):
    """Return what computes the chain of x operation by operation, and what counts them."""
    return per_op.eager(x), count_operations


def compiled(x):
    """Return what computes the chain of x in compiled code, and what counts its kernels."""
    metrics.reset()
    return per_op.compiled(x), lambda: (metrics.generated_kernel_count, "kernels that Inductor wrote")


def count_operations():
    """Return how many operations torch dispatches."""
    x = torch.ones(1)
    with Counting() as counting:
        per_op.chain(x)
    return counting.num_operations, "operations that torch dispatched"


WAYS = {"eager": eager, "torch.compile": compiled}
