"""The U-Net with batch normalisation in PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn

from impls.specs import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, DROPOUT_RATE
from impls.torch import optimizers
from impls.torch.runtime import from_numpy


class BatchNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d that accumulates the biased variance, as Keras, Flax and TensorFlow do."""

    def forward(self, x):
        """Normalise (N, C, H, W) per channel."""
        if not self.training:
            return super().forward(x)  # (N, C, H, W)
        n = x.numel() // x.shape[1]
        bessel = (n - 1) / n
        # torch adds momentum · batch variance / bessel; undone by weighing the old value alike.
        var = self.running_var / bessel  # (C,)
        scale, offset = self.weight, self.bias
        h = F.batch_norm(x, self.running_mean, var, scale, offset, True, self.momentum, self.eps)  # (N, C, H, W)
        torch.mul(var, bessel, out=self.running_var)
        return h


class DoubleConv(nn.Module):
    """Two valid 3×3 convolutions, each with BatchNorm and ReLU."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, bias=False)
        self.bn1 = BatchNorm(out_channels, BATCH_NORM_EPS, BATCH_NORM_MOMENTUM)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, bias=False)
        self.bn2 = BatchNorm(out_channels, BATCH_NORM_EPS, BATCH_NORM_MOMENTUM)

    def forward(self, x):
        """Take 4 pixels off each side length."""
        h = torch.relu(self.bn1(self.conv1(x)))  # (N, C, H, W)
        return torch.relu(self.bn2(self.conv2(h)))  # (N, C, H - 2, W - 2)


class Up(DoubleConv):
    """Transposed convolution, the skip connection cropped and put before it, double convolution."""

    def __init__(self, in_channels, out_channels):
        super().__init__(in_channels + out_channels, out_channels)
        self.up = nn.ConvTranspose2d(in_channels, in_channels, 2, stride=2, bias=False)

    def forward(self, x, skip):
        """Double the side lengths of x, then take 4 pixels off."""
        h = self.up(x)  # (N, C_in, H, W)
        height, width = h.shape[2:]
        top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
        skip = skip[:, :, top : top + height, left : left + width]  # (N, C_skip, H, W)
        h = torch.cat([skip, h], dim=1)  # (N, C_skip + C_in, H, W)
        return super().forward(h)  # (N, C_skip, H - 4, W - 4)


class UNet(nn.Module):
    """U-Net of Ronneberger et al. (2015), 1 channel out."""

    def __init__(self, in_channels, channels):
        super().__init__()
        C = channels
        self.down1, self.down2 = DoubleConv(in_channels, C), DoubleConv(C, 2 * C)
        self.down3, self.down4 = DoubleConv(2 * C, 4 * C), DoubleConv(4 * C, 8 * C)
        self.bottleneck = DoubleConv(8 * C, 16 * C)
        self.up4, self.up3 = Up(16 * C, 8 * C), Up(8 * C, 4 * C)
        self.up2, self.up1 = Up(4 * C, 2 * C), Up(2 * C, C)
        self.head = nn.Conv2d(C, 1, 1)

    # [forward]
    def forward(self, x, dropout=None):
        """Return logits (N, 1, H, W); `dropout` is the mask of kept units in train mode."""
        skip1 = self.down1(x)  # (N, C, H1, W1)
        skip2 = self.down2(F.max_pool2d(skip1, 2))  # (N, 2 * C, H2, W2)
        skip3 = self.down3(F.max_pool2d(skip2, 2))  # (N, 4 * C, H3, W3)
        skip4 = self.down4(F.max_pool2d(skip3, 2))  # (N, 8 * C, H4, W4)
        h = self.bottleneck(F.max_pool2d(skip4, 2))  # (N, 16 * C, H5, W5)
        if self.training:
            h = h * dropout / (1 - DROPOUT_RATE)  # (N, 16 * C, H5, W5)
        h = self.up4(h, skip4)  # (N, 8 * C, 2 * H5 - 4, 2 * W5 - 4)
        h = self.up3(h, skip3)  # (N, 4 * C, 4 * H5 - 12, 4 * W5 - 12)
        h = self.up2(h, skip2)  # (N, 2 * C, 8 * H5 - 28, 8 * W5 - 28)
        h = self.up1(h, skip1)  # (N, C, 16 * H5 - 60, 16 * W5 - 60)
        return self.head(h)  # (N, 1, 16 * H5 - 60, 16 * W5 - 60)


def build(spec, params):
    """Make the net with its optimizer."""
    net = UNet(**spec.sizes)
    net.load_state_dict(from_numpy(spec, params), assign=True)
    net.optimizer = optimizers.make(spec.optimizer, net.parameters())
    return net


def forward(net, batch):
    """Return logits in eval mode, without recording a gradient."""
    if net.training:
        net.eval()
    with torch.no_grad():
        return net(batch["x"])  # (N, 1, H, W)


# [loss]
def loss(net, batch):
    """Return the mean binary cross-entropy in train mode."""
    if not net.training:
        net.train()
    logits = net(batch["x"], batch["dropout"])  # (N, 1, H, W)
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
