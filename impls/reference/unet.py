"""The U-Net in NumPy: the layers are recorded on a tape, which then runs their gradients in reverse."""

import numpy as np

from impls.contract import Arrays
from impls.reference import layers
from impls.reference.layers import Net, Tape
from impls.reference.optimizers import update
from impls.specs import DROPOUT_RATE, ModelSpec


def build(spec: ModelSpec, params: Arrays) -> Net:
    """Copy the kernels, and BatchNorm's scales, offsets and running statistics."""
    return Net(spec, params)


# [forward]
def unet(tape: Tape, x: np.ndarray, dropout: np.ndarray | None = None) -> np.ndarray:
    """Return logits (N, 1, H, W); `dropout` is the mask of kept units in train mode."""
    skip1 = double_conv(tape, "down1", x, input_grad=False)  # (N, C, H1, W1)
    skip2 = double_conv(tape, "down2", down(tape, skip1))  # (N, 2 * C, H2, W2)
    skip3 = double_conv(tape, "down3", down(tape, skip2))  # (N, 4 * C, H3, W3)
    skip4 = double_conv(tape, "down4", down(tape, skip3))  # (N, 8 * C, H4, W4)
    h = double_conv(tape, "bottleneck", down(tape, skip4))  # (N, 16 * C, H5, W5)
    if tape.train:
        h = tape(layers.dropout, h, mask=dropout, rate=DROPOUT_RATE)  # (N, 16 * C, H5, W5)
    h = up(tape, "up4", h)  # (N, 8 * C, 2 * H5 - 4, 2 * W5 - 4)
    h = up(tape, "up3", h)  # (N, 4 * C, 4 * H5 - 12, 4 * W5 - 12)
    h = up(tape, "up2", h)  # (N, 2 * C, 8 * H5 - 28, 8 * W5 - 28)
    h = up(tape, "up1", h)  # (N, C, 16 * H5 - 60, 16 * W5 - 60)
    return tape(layers.conv2d_bias, h, "head.w", "head.b")  # (N, 1, 16 * H5 - 60, 16 * W5 - 60)


def double_conv(tape: Tape, block: str, x: np.ndarray, input_grad: bool = True) -> np.ndarray:
    """Two valid 3x3 convolutions, each with BatchNorm and ReLU; take 4 pixels off each side length."""
    h = tape(layers.conv2d, x, f"{block}.conv1.w", input_grad=input_grad)  # (N, C, H, W)
    h = norm_relu(tape, f"{block}.bn1", h)  # (N, C, H, W)
    h = tape(layers.conv2d, h, f"{block}.conv2.w")  # (N, C, H - 2, W - 2)
    return norm_relu(tape, f"{block}.bn2", h)  # (N, C, H - 2, W - 2)


def norm_relu(tape: Tape, name: str, x: np.ndarray) -> np.ndarray:
    """Normalise per channel, with the batch's statistics in train mode and the running ones in eval mode; ReLU."""
    options = {"statistics": tape.statistics, "name": name, "train": tape.train}
    h = tape(layers.batch_norm, x, f"{name}.scale", f"{name}.offset", **options)  # (N, C, H, W)
    return tape(layers.relu, h)  # (N, C, H, W)


def down(tape: Tape, x: np.ndarray) -> np.ndarray:
    """Put x on the stack of skip connections, and halve its side lengths."""
    x = tape(layers.push_skip, x, skips=tape.skips)  # (N, C, 2 * H, 2 * W)
    return tape(layers.max_pool, x)  # (N, C, H, W)


def up(tape: Tape, block: str, x: np.ndarray) -> np.ndarray:
    """Double the side lengths of x, put the last skip connection, cropped, before it, double convolution."""
    h = tape(layers.conv2d_transpose, x, f"{block}.up.w")  # (N, C_in, H, W)
    h = tape(layers.concat_skip, h, skips=tape.skips)  # (N, C + C_in, H, W)
    return double_conv(tape, block, h)  # (N, C, H - 4, W - 4)


def forward(net: Net, batch: Arrays) -> np.ndarray:
    """Return logits in eval mode, without recording."""
    return unet(Tape(net, train=False), batch["x"])  # (N, 1, H, W)


# [loss]
def recorded_loss(tape: Tape, batch: Arrays) -> np.ndarray:
    """Return the mean binary cross-entropy, which ends the tape."""
    logits = unet(tape, batch["x"], batch["dropout"])  # (N, 1, H, W)
    return tape(layers.binary_cross_entropy_on_logits, logits, target=batch["y"])  # ()


def loss(net: Net, batch: Arrays) -> np.ndarray:
    """Return the training loss."""
    return recorded_loss(Tape(net, train=True), batch)  # ()


def layer_outputs(net: Net, batch: Arrays) -> dict[str, np.ndarray]:
    """Return the outputs of the layers that have parameters, in train mode."""
    tape = Tape(net, train=True)
    tape.outputs = {}
    recorded_loss(tape, batch)
    return tape.outputs


# [grad]
def gradients(net: Net, batch: Arrays) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return (loss, gradients by name); the running statistics stay as they are."""
    tape = Tape(net, train=True)
    value = recorded_loss(tape, batch)  # ()
    return value, tape.backward()


# [update]
def train_step(net: Net, batch: Arrays) -> np.ndarray:
    """Take one step of SGD with momentum, and keep the running statistics; return the loss from before it."""
    tape = Tape(net, train=True)
    value = recorded_loss(tape, batch)  # ()
    update(net, tape.backward())
    net.statistics = tape.statistics
    return value
