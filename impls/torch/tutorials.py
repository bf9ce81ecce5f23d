"""The two-layer training step as PyTorch's tutorials teach it, for the question whether ours is as fast."""

from collections.abc import Callable

import torch
from torch import nn

from impls.contract import Arrays
from impls.specs import ModelSpec


def autograd(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Tensors, `backward`, and an update by hand."""
    x, y = torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"])
    w1, w2 = (torch.from_numpy(params[name]).clone().requires_grad_() for name in ("w1", "w2"))
    learning_rate = spec.optimizer.learning_rate

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            y_pred = x.mm(w1).clamp(min=0).mm(w2)
            loss = (y_pred - y).pow(2).sum()
            loss.backward()
            with torch.no_grad():
                w1.sub_(learning_rate * w1.grad)
                w2.sub_(learning_rate * w2.grad)
                w1.grad.zero_()
                w2.grad.zero_()

    return steps


def nn_and_optim(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """`nn.Sequential`, a loss module and `optim.SGD`."""
    x, y = torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"])
    (D_in, H), (_, D_out) = params["w1"].shape, params["w2"].shape
    model = nn.Sequential(nn.Linear(D_in, H, bias=False), nn.ReLU(), nn.Linear(H, D_out, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.from_numpy(params["w1"]).T)
        model[2].weight.copy_(torch.from_numpy(params["w2"]).T)
    loss_fn = nn.MSELoss(reduction="sum")
    optimizer = torch.optim.SGD(model.parameters(), lr=spec.optimizer.learning_rate)

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return steps
