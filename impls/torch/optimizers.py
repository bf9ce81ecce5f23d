"""The optimizers of `impls.specs.OptimizerSpec` in PyTorch."""

from collections.abc import Iterable

import torch

from impls.specs import OptimizerSpec


def make(spec: OptimizerSpec, params: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """Return PyTorch's own optimizer, which meets the definition as it is; for RMSprop alone there is one here."""
    rate, betas = spec.learning_rate, (spec.beta1, spec.beta2)
    match spec.name:
        case "sgd":
            return torch.optim.SGD(params, lr=rate)
        case "momentum" | "nesterov":
            return torch.optim.SGD(params, lr=rate, momentum=spec.momentum, nesterov=spec.name == "nesterov")
        case "adam":
            return torch.optim.Adam(params, lr=rate, betas=betas, eps=spec.eps)
        case "adamw":
            return torch.optim.AdamW(params, lr=rate, betas=betas, eps=spec.eps, weight_decay=spec.weight_decay)
        case "rmsprop":
            return RMSprop(params, lr=rate, alpha=spec.rho, eps=spec.eps)


class RMSprop(torch.optim.Optimizer):
    """torch.optim.RMSprop with its epsilon inside the root, where no parameter of PyTorch's own puts it.

    By the documented way to write an optimizer: defaults for the parameter groups, and `step`.
    """

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float, alpha: float, eps: float) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps})

    @torch.no_grad()
    def step(self) -> None:
        """Do s ← alpha·s + (1 − alpha)·g²; p ← p − lr·g / √(s + eps), for each parameter that has a gradient."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if not state:
                    state["square_avg"] = torch.zeros_like(param)
                square_avg = state["square_avg"]
                square_avg.mul_(group["alpha"]).addcmul_(param.grad, param.grad, value=1 - group["alpha"])
                param.addcdiv_(param.grad, (square_avg + group["eps"]).sqrt_(), value=-group["lr"])
