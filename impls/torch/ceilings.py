"""The operations that the machine's ceilings are measured with; see `harness.ceilings`."""

from collections.abc import Callable

import torch

from impls.torch.runtime import device


def matmul(n: int, dtype: str) -> Callable[[], torch.Tensor]:
    """Return a product of two n×n matrices of ones, into the same tensor every time."""
    a, b = (torch.ones((n, n), dtype=getattr(torch, dtype), device=device()) for _ in range(2))
    out = torch.empty_like(a)
    return _synchronised(lambda: torch.matmul(a, b, out=out))


def copy(num_bytes: int) -> Callable[[], torch.Tensor]:
    """Return a copy of a tensor of `num_bytes` into another."""
    source = torch.ones(num_bytes // 4, device=device())
    target = torch.zeros_like(source)
    return _synchronised(lambda: target.copy_(source))


def _synchronised(operation: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    def run() -> torch.Tensor:
        result = operation()
        if result.is_cuda:
            torch.cuda.synchronize()
        return result

    return run
