"""Debugging in PyTorch: functions that Python runs line by line, and the same compiled."""

import torch

from impls.torch.runtime import device


def prints(x):
    """Print, and double."""
    print("x is", x)
    return x * 2


def stops(x):
    """Stop, and double."""
    breakpoint()
    return x * 2


def logarithm(x):
    """Return a logarithm; it is NaN where x is less than 1."""
    return torch.log(x - 1)  # [nan]


def norm(x):
    """Return the norm of x; its gradient at 0 is 0/0."""
    return torch.sqrt(torch.sum(x * x))  # [nan_gradient]


def product(x, w):
    """Multiply matrices."""
    return x @ w  # [shape]


def eager():
    """Return what is probed, run by Python."""
    return {
        "prints": on_tensors(prints),
        "stops": on_tensors(stops),
        "nan": searched(logarithm),
        "nan_gradient": searched_gradient(norm),
        "wrong_shape": {"run": on_tensors(product)},
    }


def compiled():
    """Return what is probed, compiled; its shape error first with a backend that can only be handed a graph."""
    return {
        "prints": on_tensors(compile_(prints)),
        "stops": on_tensors(compile_(stops)),
        "nan": searched(compile_(logarithm)),
        "nan_gradient": searched_gradient(compile_(norm)),
        "wrong_shape": {
            "trace": on_tensors(torch.compile(product, backend=trace_only)),
            "run": on_tensors(compile_(product)),
        },
    }


def trace_only(_graph, _inputs):
    """Make nothing of the graph that Dynamo has traced: a backend for `torch.compile`."""
    return lambda *_: [torch.zeros(())]


def compile_(function):
    """Compile without Inductor, which takes long, and to whose code none of the questions comes."""
    return torch.compile(function, backend="aot_eager")


def searched(function):
    """Let anomaly detection search; it searches gradients."""

    def run(x):
        x = torch.from_numpy(x).to(device()).requires_grad_()
        with torch.autograd.set_detect_anomaly(True):
            y = function(x)
            y.sum().backward()
        return y.detach().cpu()

    return run


def searched_gradient(function):
    """Return the gradient of a function, searched as well."""

    def run(x):
        x = torch.from_numpy(x).to(device()).requires_grad_()
        with torch.autograd.set_detect_anomaly(True):
            function(x).backward()
        return x.grad.cpu()

    return run


def on_tensors(function):
    """Return the function of NumPy's arrays."""
    return lambda *arrays: function(*(torch.from_numpy(array).to(device()) for array in arrays)).cpu()


WAYS = {"eager": eager, "torch.compile": compiled}
