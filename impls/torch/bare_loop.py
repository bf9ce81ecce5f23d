"""The two-layer training step in a loop of its own, as one would write it without this project."""

from collections.abc import Callable

import torch

from impls.contract import Arrays
from impls.specs import ModelSpec
from impls.torch import two_layer


def loop(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Return a function that takes so many training steps and waits for them."""
    net = two_layer.build(spec, params)
    device = next(net.parameters()).device
    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            two_layer.train_step(net, {name: tensor.to(device) for name, tensor in tensors.items()})
        if device.type == "cuda":
            torch.cuda.synchronize()

    def steps_on_cpu(num_steps: int) -> None:
        for _ in range(num_steps):
            two_layer.train_step(net, tensors)

    return steps_on_cpu if device.type == "cpu" else steps
