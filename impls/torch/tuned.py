"""The dense nets' training steps compiled whole: loss, gradients and the optimizer's update in one graph.

What is compiled is the model file's own `loss` and optimizer, and several steps of them for one call, which spares what
Python does between two steps. A prediction is run eagerly, in inference mode: so small a net takes longer compiled.
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, grad_and_value

from impls.torch.optimizers import RMSprop

Batch = dict[str, torch.Tensor]
"""Entries of a batch, or of a stack of batches with one more axis."""

Function = Callable[[Batch], torch.Tensor]

OPTIONS: dict[str, dict[str, bool]] = {
    "torch-tuned": {},
    "torch-reduce-overhead": {"triton.cudagraphs": True},
    "torch-max-autotune": {"triton.cudagraphs": True, "max_autotune": True, "coordinate_descent_tuning": True},
}
"""Of torch.compile, by variant; those after the first are what its modes of these names stand for."""

WHOLE_STEP_OPTIONS = {"pattern_matcher": False}
"""Of torch.compile, for whole training steps. In torch 2.13 a pattern makes `addmm` of SGD's
`param.add_(x.T @ grad, alpha=-lr)` and loses alpha, where the product is used nowhere else; the certificate
refused it."""


class _Loss(nn.Module):
    """A model file's `loss` as a module, since `functional_call` takes modules alone."""

    def __init__(self, net: nn.Module, loss: Callable[[nn.Module, Batch], torch.Tensor]) -> None:
        super().__init__()
        self.net = net
        self._loss = loss

    def forward(self, batch: Batch) -> torch.Tensor:
        """Return the loss, ()."""
        return self._loss(self.net, batch)


def functions(implementation: Any, net: Any, variant: str) -> dict[str, Function]:
    """Return each phase; "train_steps" takes a training step for each batch of a stack."""
    # Two nets or sizes in one process would otherwise switch torch to dynamic shapes.
    compiled = partial(torch.compile, fullgraph=True, dynamic=False, options=OPTIONS[variant] | WHOLE_STEP_OPTIONS)
    train_step, train_steps = map(compiled, _steps(net, implementation.loss))
    forward = torch.inference_mode()(partial(implementation.forward, net))
    return {"forward": forward, "train_step": train_step, "train_steps": train_steps}


def make_slots(optimizer: torch.optim.Optimizer) -> None:
    """Make an optimizer's state before its first step, zeros, where a graph of that step would make it each time.

    SGD's velocity was made so, and the certificate refused it (0.75). Adam, left alone, counts its steps in float32,
    and a graph takes the bias corrections from that tensor: the float64 certificate refused it (6e-7).
    """
    for param in optimizer.param_groups[0]["params"]:
        match optimizer:
            case torch.optim.Adam():
                optimizer.state[param] = {
                    "step": torch.zeros((), dtype=torch.float64, device=param.device),
                    "exp_avg": torch.zeros_like(param),
                    "exp_avg_sq": torch.zeros_like(param),
                }
            case RMSprop():
                optimizer.state[param] = {"square_avg": torch.zeros_like(param)}
            case torch.optim.SGD() if optimizer.defaults["momentum"]:
                optimizer.state[param] = {"momentum_buffer": torch.zeros_like(param)}


def _steps(net: Any, loss: Callable[[Any, Batch], torch.Tensor]) -> tuple[Function, Function]:
    """Return `train_step` and `train_steps` of a net without statistics, to be compiled.

    `torch.func` differentiates within the graph, where `loss.backward()` would break it. The optimizer reads gradients
    from `param.grad`; those tensors are made here, once, and kept.
    """
    whole = _Loss(net, loss)
    # The two-layer net writes its update out; compiled, the optimizer costs nothing.
    optimizer = getattr(net, "optimizer", None) or torch.optim.SGD(net.parameters(), net.learning_rate)
    # The wrappers around an optimizer's step (hooks for profilers, the choice of the grad mode) break the graph.
    update = inspect.unwrap(type(optimizer).step)
    for param in net.parameters():
        param.grad = torch.zeros_like(param)
    make_slots(optimizer)

    def loss_of(params, batch):
        return functional_call(whole, params, (batch,))

    @torch.no_grad()
    def train_step(batch: Batch) -> torch.Tensor:
        params = {name: param.detach() for name, param in whole.named_parameters()}
        grads, value = grad_and_value(loss_of)(params, batch)
        for name, param in whole.named_parameters():
            param.grad.copy_(grads[name])
        update(optimizer)
        return value  # ()

    def train_steps(batches: Batch) -> torch.Tensor:
        num_steps = len(next(iter(batches.values())))
        return torch.stack([train_step({name: stack[i] for name, stack in batches.items()}) for i in range(num_steps)])

    return train_step, train_steps
