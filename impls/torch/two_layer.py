"""The two-layer net in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn

from impls.torch.runtime import from_numpy


class TwoLayerNet(nn.Module):
    """y = max(x·w1, 0)·w2, without biases."""

    def __init__(self, D_in, H, D_out):
        super().__init__()
        self.w1 = nn.Linear(D_in, H, bias=False)
        self.w2 = nn.Linear(H, D_out, bias=False)

    # [forward]
    def forward(self, x):
        """Predict (N, D_out) from (N, D_in)."""
        h = torch.relu(self.w1(x))  # (N, H)
        return self.w2(h)  # (N, D_out)


def build(spec, params):
    """Make the net with its learning rate."""
    net = TwoLayerNet(**spec.sizes)
    net.load_state_dict(from_numpy(spec, params), assign=True)
    net.learning_rate = spec.optimizer.learning_rate
    return net


def forward(net, batch):
    """Predict without recording a gradient."""
    with torch.no_grad():
        return net(batch["x"])  # (N, D_out)


# [loss]
def loss(net, batch):
    """Return the sum of squared errors."""
    y_pred = net(batch["x"])  # (N, D_out)
    return F.mse_loss(y_pred, batch["y"], reduction="sum")  # ()


# [grad]
def gradients(net, batch):
    """Return the loss and its gradient for each parameter, in the order of `net.parameters()`."""
    net.zero_grad()
    value = loss(net, batch)  # ()
    value.backward()
    return value, [param.grad for param in net.parameters()]


# [update]
def train_step(net, batch):
    """Take one step of gradient descent; return the loss from before it."""
    value, grads = gradients(net, batch)  # ()
    with torch.no_grad():
        for param, grad in zip(net.parameters(), grads, strict=True):
            param.sub_(grad, alpha=net.learning_rate)
    return value
