"""The recurrent net in PyTorch: the loop over the steps is Python's."""

import torch
import torch.nn.functional as F
from torch import nn

from impls.torch import optimizers
from impls.torch.runtime import from_numpy


class RNN(nn.Module):
    """h ← tanh(x_t·w_x + h·w_h + b_h) for as many steps as an example has; then its state stays."""

    def __init__(self, D_in, H):
        super().__init__()
        self.w_x = nn.Linear(D_in, H, bias=False)
        self.w_h = nn.Linear(H, H)

    # [forward]
    def forward(self, x, length):
        """Read x (N, T, D_in); return the last state (N, H)."""
        h = x.new_zeros(len(x), self.w_h.out_features)  # (N, H)
        for t in range(x.shape[1]):
            h_next = torch.tanh(self.w_x(x[:, t]) + self.w_h(h))  # (N, H)
            h = torch.where(t < length[:, None], h_next, h)  # (N, H)
        return h


class RecurrentNet(nn.Module):
    """One prediction for a sequence."""

    def __init__(self, D_in, H, D_out):
        super().__init__()
        self.rnn = RNN(D_in, H)
        self.head = nn.Linear(H, D_out)

    def forward(self, x, length):
        """Predict logits (N, D_out)."""
        h = self.rnn(x, length)  # (N, H)
        return self.head(h)  # (N, D_out)


def build(spec, params):
    """Make the net with its optimizer."""
    net = RecurrentNet(spec.sizes["D_in"], spec.sizes["H"], spec.sizes["D_out"])
    net.load_state_dict(from_numpy(spec, params), assign=True)
    net.optimizer = optimizers.make(spec.optimizer, net.parameters())
    return net


def forward(net, batch):
    """Predict without recording a gradient."""
    with torch.no_grad():
        return net(batch["x"], batch["length"])  # (N, D_out)


# [loss]
def loss(net, batch):
    """Return the mean binary cross-entropy."""
    logits = net(batch["x"], batch["length"])  # (N, D_out)
    return F.binary_cross_entropy_with_logits(logits, batch["y"])  # ()


# [grad]
def gradients(net, batch):
    """Return the loss and its gradient for each parameter, in the order of `net.parameters()`."""
    net.optimizer.zero_grad()
    value = loss(net, batch)  # ()
    value.backward()
    return value, [param.grad for param in net.optimizer.param_groups[0]["params"]]


# [update]
def train_step(net, batch):
    """Take a step of the optimizer; return the loss from before it."""
    value, _ = gradients(net, batch)  # ()
    net.optimizer.step()
    return value
