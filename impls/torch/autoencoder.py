"""The denoising autoencoder in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn

from impls.torch import optimizers
from impls.torch.runtime import from_numpy


class Autoencoder(nn.Module):
    """Fully connected: pixels → hidden → code → hidden → pixels."""

    def __init__(self, pixels, hidden, code):
        super().__init__()
        self.encoder1 = nn.Linear(pixels, hidden)
        self.encoder2 = nn.Linear(hidden, code)
        self.decoder1 = nn.Linear(code, hidden)
        self.decoder2 = nn.Linear(hidden, pixels)

    # [forward]
    def forward(self, x):
        """Denoise a batch of flat images (N, pixels)."""
        h = torch.relu(self.encoder1(x))  # (N, hidden)
        z = torch.relu(self.encoder2(h))  # (N, code)
        h = torch.relu(self.decoder1(z))  # (N, hidden)
        return torch.sigmoid(self.decoder2(h))  # (N, pixels)


def build(spec, params):
    """Make the net with its optimizer."""
    net = Autoencoder(**spec.sizes)
    net.load_state_dict(from_numpy(spec, params), assign=True)
    net.optimizer = optimizers.make(spec.optimizer, net.parameters())
    return net


def forward(net, batch):
    """Denoise without recording a gradient."""
    with torch.no_grad():
        return net(batch["x"])  # (N, pixels)


# [loss]
def loss(net, batch):
    """Return the mean squared error between the denoised and the clean images."""
    y_pred = net(batch["x"])  # (N, pixels)
    return F.mse_loss(y_pred, batch["y"])  # ()


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
