"""The nets' training steps as PyTorch's tutorials and public repositories write them: is ours as fast?"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from impls.contract import Arrays
from impls.specs import ModelSpec


def two_layer_autograd(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
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


def two_layer_nn(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """`nn.Sequential`, a loss module and `optim.SGD`."""
    (D_in, H), (_, D_out) = params["w1"].shape, params["w2"].shape
    model = nn.Sequential(nn.Linear(D_in, H, bias=False), nn.ReLU(), nn.Linear(H, D_out, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.from_numpy(params["w1"]).T)
        model[2].weight.copy_(torch.from_numpy(params["w2"]).T)
    optimizer = torch.optim.SGD(model.parameters(), lr=spec.optimizer.learning_rate)
    return _steps(model, nn.MSELoss(reduction="sum"), optimizer, batch)


def autoencoder_nn(spec: ModelSpec, _: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Two `nn.Sequential`, encoder and decoder, `MSELoss` and `optim.Adam`."""
    pixels, hidden, code = (spec.sizes[name] for name in ("pixels", "hidden", "code"))
    encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, code), nn.ReLU())
    decoder = nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, pixels), nn.Sigmoid())
    model = nn.Sequential(encoder, decoder)
    return _steps(model, nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=spec.optimizer.learning_rate), batch)


class DoubleConv(nn.Sequential):
    """Twice a convolution, BatchNorm and ReLU in place."""

    def __init__(self, in_channels: int, channels: int) -> None:
        layers: list[nn.Module] = []
        for width in (in_channels, channels):
            layers += [nn.Conv2d(width, channels, 3, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class UNet(nn.Module):
    """The blocks in two `nn.ModuleList`."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(5)]
        self.downs = nn.ModuleList(map(DoubleConv, [in_channels, *widths], widths))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(width, width, 2, 2, bias=False) for width in widths[:0:-1])
        self.convs = nn.ModuleList(DoubleConv(3 * width, width) for width in widths[-2::-1])
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Conv2d(channels, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        skips: list[torch.Tensor] = []
        for down in self.downs:
            x = down(F.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        x = self.dropout(skips.pop())
        for up, conv in zip(self.ups, self.convs, strict=True):
            x, skip = up(x), skips.pop()
            crop = (skip.shape[2] - x.shape[2]) // 2
            x = conv(torch.cat([skip[:, :, crop:-crop, crop:-crop], x], dim=1))
        return self.head(x)


def unet_nn(spec: ModelSpec, _: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Modules, `BCEWithLogitsLoss` and `optim.SGD` with momentum."""
    model = UNet(**spec.sizes)
    settings = spec.optimizer
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.learning_rate, momentum=settings.momentum)
    return _steps(model, nn.BCEWithLogitsLoss(), optimizer, batch)


def _steps(
    model: nn.Module, loss_fn: nn.Module, optimizer: torch.optim.Optimizer, batch: Arrays
) -> Callable[[int], None]:
    x, y = torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"])

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return steps
