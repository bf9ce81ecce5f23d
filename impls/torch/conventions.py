"""What PyTorch takes for granted; see `impls.conventions`. SAME padding with a stride is left out: it has none."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from impls.torch.runtime import FRESH_PRECISION

TINY = 1e-8
"""A gradient as large as the epsilon that is given to Adam and RMSprop: where it is added decides on the step."""


def read() -> dict[str, bool | int | float | str]:
    """Answer from the installed version: defaults as a new module holds them, behaviours as a small example shows."""
    with torch.random.fork_rng(devices=[]):
        return {**_layers(), **_losses(), **_optimizers(), **FRESH_PRECISION}


def _layers() -> dict[str, Any]:
    norm = nn.BatchNorm2d(1)
    norm(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1))  # mean 2, variance 1, corrected 2; the running ones were 0 and 1
    conv = nn.Conv2d(2, 3, (4, 5))
    image = nn.Conv2d(2, 3, 1)(torch.zeros(1, 2, 4, 5))
    return {
        "batch_norm.eps": norm.eps,
        "batch_norm.momentum": norm.momentum,
        "batch_norm.momentum_weighs": "new" if norm.running_mean < 1 else "old",
        "batch_norm.running_variance": "corrected" if norm.running_var > 1.05 else "biased",
        "layer_norm.eps": nn.LayerNorm(1).eps,
        "gelu.approximate": nn.GELU().approximate == "tanh",
        "leaky_relu.slope": nn.LeakyReLU().negative_slope,
        "dense.weight_shape": {(2, 3): "(in, out)", (3, 2): "(out, in)"}[tuple(nn.Linear(2, 3).weight.shape)],
        "conv.kernel_shape": "".join({2: "I", 3: "O", 4: "H", 5: "W"}[size] for size in conv.weight.shape),
        "conv.padding": "VALID" if conv.padding == (0, 0) else str(conv.padding).upper(),
        "conv_transpose.is_gradient": _transposed_convolution_is_gradient(),
        "image.layout": "".join({1: "N", 3: "C", 4: "H", 5: "W"}[size] for size in image.shape),
        "dropout.rate": nn.Dropout().p,
        "float64.stays": torch.tensor(np.zeros(1)).dtype == torch.float64,
    }


def _transposed_convolution_is_gradient() -> bool:
    x, w = torch.randn(1, 2, 5, 5, requires_grad=True), torch.randn(3, 2, 2, 2)
    y = F.conv2d(x, w)
    grad_y = torch.randn_like(y)
    (grad_x,) = torch.autograd.grad(y, x, grad_y)
    return torch.allclose(F.conv_transpose2d(grad_y, w), grad_x, atol=1e-5)


def _losses() -> dict[str, Any]:
    half, one = torch.tensor(0.5), torch.tensor(1.0)
    from_probability = torch.isclose(nn.BCELoss()(half, one), -half.log())
    return {
        "mean_squared_error.reduction": nn.MSELoss().reduction,
        "binary_cross_entropy.takes": "probabilities" if from_probability else "logits",
    }


def _optimizers() -> dict[str, Any]:
    adam = torch.optim.Adam([torch.zeros(1)]).defaults
    rmsprop = torch.optim.RMSprop([torch.zeros(1)]).defaults
    # Adam: with epsilon after the correction half the rate, before it 0.03 times the rate.
    adam_step, _ = _first_step(torch.optim.Adam, lr=1.0, eps=TINY)
    # RMSprop: g / (0.1·g + eps), about 0.9 times the rate, or next to nothing if epsilon is within the root.
    rmsprop_step, _ = _first_step(torch.optim.RMSprop, lr=1.0, alpha=0.99, eps=TINY)
    _, velocity = _first_step(torch.optim.SGD, lr=0.1, momentum=0.9)
    return {
        "adam.learning_rate": adam["lr"],
        "adam.eps": adam["eps"],
        "adam.eps_is_added": "after" if adam_step > 0.25 else "before",
        "adamw.weight_decay": torch.optim.AdamW([torch.zeros(1)]).defaults["weight_decay"],
        "rmsprop.rho": rmsprop["alpha"],
        "rmsprop.eps": rmsprop["eps"],
        "rmsprop.eps_is_added": "outside" if rmsprop_step > 0.25 else "inside",
        "momentum.velocity_holds": "gradients"
        if torch.isclose(velocity["momentum_buffer"], torch.tensor(TINY, dtype=torch.float64))
        else "gradients times the rate",
    }


def _first_step(optimizer_class: Any, **options: float) -> tuple[float, dict[str, torch.Tensor]]:
    """Return how far a step along the gradient `TINY` goes down, and the optimizer's state after it."""
    param = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    param.grad = torch.full_like(param, TINY)
    optimizer = optimizer_class([param], **options)
    optimizer.step()
    return -param.item(), optimizer.state[param]
