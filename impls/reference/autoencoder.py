"""Denoising autoencoder in NumPy: the layers are recorded on a tape, which then runs their gradients in reverse."""

import numpy as np

from impls.contract import Arrays
from impls.reference.layers import Net, Tape, dense, mean_squared_error, relu, sigmoid
from impls.reference.optimizers import update
from impls.specs import ModelSpec


def build(spec: ModelSpec, params: Arrays) -> Net:
    """Copy the weights (in, out) and biases (out,) of the four layers."""
    return Net(spec, params)


# [forward]
def autoencoder(tape: Tape, x: np.ndarray) -> np.ndarray:
    """Denoise a batch of flat images (N, pixels)."""
    h = tape(dense, x, "encoder1.w", "encoder1.b", input_grad=False)  # (N, hidden)
    h = tape(relu, h)  # (N, hidden)
    z = tape(dense, h, "encoder2.w", "encoder2.b")  # (N, code)
    z = tape(relu, z)  # (N, code)
    h = tape(dense, z, "decoder1.w", "decoder1.b")  # (N, hidden)
    h = tape(relu, h)  # (N, hidden)
    y = tape(dense, h, "decoder2.w", "decoder2.b")  # (N, pixels)
    return tape(sigmoid, y)  # (N, pixels)


def forward(net: Net, batch: Arrays) -> np.ndarray:
    """Denoise without recording."""
    return autoencoder(Tape(net, train=False), batch["x"])  # (N, pixels)


# [loss]
def recorded_loss(tape: Tape, batch: Arrays) -> np.ndarray:
    """Return the mean squared error between the denoised and the clean images, which ends the tape."""
    denoised = autoencoder(tape, batch["x"])  # (N, pixels)
    return tape(mean_squared_error, denoised, target=batch["y"])  # ()


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
    """Return (loss, gradients by name)."""
    tape = Tape(net, train=True)
    value = recorded_loss(tape, batch)  # ()
    return value, tape.backward()


# [update]
def train_step(net: Net, batch: Arrays) -> np.ndarray:
    """Take one step of Adam; return the loss from before it."""
    value, grads = gradients(net, batch)
    update(net, grads)
    return value
