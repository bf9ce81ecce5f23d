"""The lecture's PyTorch program: every step builds a graph anew, and goes back through it.

It holds two mistakes, which are the lesson (see `harness.audit`). It runs as it is: `python two_layer_pytorch.py`.
"""

from collections.abc import Iterator

import numpy as np
import torch

N, D_in, H, D_out = 64, 1000, 100, 10
LEARNING_RATE = 1e-3
NUM_STEPS = 500


def train(
    x_values: np.ndarray,
    y_values: np.ndarray,
    w1_values: np.ndarray,
    w2_values: np.ndarray,
    learning_rate: float = LEARNING_RATE,
    num_steps: int = NUM_STEPS,
) -> Iterator[dict[str, np.ndarray]]:
    """Yield, step by step: y_pred, loss and gradients from before the update, and the new weights."""
    x = torch.tensor(x_values)  # (N, D_in)
    y = torch.tensor(y_values)  # (N, D_out)
    w1 = torch.tensor(w1_values, requires_grad=True)  # (D_in, H)
    w2 = torch.tensor(w2_values, requires_grad=True)  # (H, D_out)

    for _ in range(num_steps):
        y_pred = x.mm(w1).clamp(min=0).mm(w2)  # (N, D_out)
        loss = (y_pred - y).pow(2).sum()  # ()
        loss.backward()

        w1.data -= learning_rate * w1.grad.data
        w2.data -= learning_rate * w2.grad.data
        tensors = {"y_pred": y_pred, "loss": loss, "grad_w1": w1.grad, "grad_w2": w2.grad, "w1": w1, "w2": w2}
        yield {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}


if __name__ == "__main__":
    shapes = (N, D_in), (N, D_out), (D_in, H), (H, D_out)
    x, y, w1, w2 = (np.random.randn(*shape).astype(np.float32) for shape in shapes)
    for t, step in enumerate(train(x, y, w1, w2)):
        print(t, step["loss"])
