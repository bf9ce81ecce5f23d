"""The denoising autoencoder in Flax, trained with Optax."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.training.train_state import TrainState

from impls.contract import Arrays
from impls.jax import optimizers
from impls.jax.runtime import from_numpy
from impls.specs import ModelSpec


class Autoencoder(nn.Module):
    """Flat images (N, pixels) → code (N, code) → flat images (N, pixels)."""

    pixels: int
    hidden: int
    code: int

    # [forward]
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Denoise x (N, pixels)."""
        h = nn.relu(nn.Dense(self.hidden, name="encoder1")(x))  # (N, hidden)
        z = nn.relu(nn.Dense(self.code, name="encoder2")(h))  # (N, code)
        h = nn.relu(nn.Dense(self.hidden, name="decoder1")(z))  # (N, hidden)
        return nn.sigmoid(nn.Dense(self.pixels, name="decoder2")(h))  # (N, pixels)


def build(spec: ModelSpec, params: Arrays) -> TrainState:
    """Make the state from dense weights (in, out) and biases (out,)."""
    create = jax.jit(TrainState.create, static_argnames=("apply_fn", "tx"))  # one compilation, not one per shape
    return create(
        apply_fn=Autoencoder(**spec.sizes).apply,
        params=from_numpy(spec.params, params),
        tx=optimizers.make(spec.optimizer),
    )


def forward(state: TrainState, batch: Arrays) -> jax.Array:
    """Predict clean images (N, pixels) from noisy ones."""
    return state.apply_fn({"params": state.params}, batch["x"])  # (N, pixels)


# [loss]
def loss(state: TrainState, batch: Arrays) -> jax.Array:
    """Return the mean squared error over all pixels of all images."""
    y_pred = forward(state, batch)  # (N, pixels)
    return jnp.mean((y_pred - batch["y"]) ** 2)  # ()


# [grad]
def gradients(state: TrainState, batch: Arrays) -> tuple[jax.Array, Any]:
    """Return (loss, gradients in the structure of the parameters)."""

    def loss_fn(params):
        return loss(state.replace(params=params), batch)  # ()

    return jax.value_and_grad(loss_fn)(state.params)


# [update]
def train_step(state: TrainState, batch: Arrays) -> tuple[TrainState, jax.Array]:
    """Return the state after one step of the optimizer, and the loss from before it."""
    value, grads = gradients(state, batch)
    return state.apply_gradients(grads=grads), value
