"""When Python runs, in PyTorch: eagerly in every call, compiled when Dynamo traces."""

import torch

from impls.torch.runtime import device


def eager(ran):
    """Return a function that counts its runs."""

    def scale(x, number):
        ran()
        return x * number

    return lambda x, number: scale(torch.from_numpy(x).to(device()), number).cpu().numpy()


def compiled(ran):
    """Return the same compiled. Dynamo repeats a function's side effects in every call; this one it must not see."""
    ran = torch.compiler.assume_constant_result(ran)

    def scale(x, number):
        ran()
        return x * number

    scale = torch.compile(scale, backend="eager")  # Dynamo alone decides when Python runs
    return lambda x, number: scale(torch.from_numpy(x).to(device()), number).cpu().numpy()


WAYS = {"eager": eager, "torch.compile": compiled}
