"""The U-Net in Flax, images channels last as Flax has them, trained with Optax."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.training import train_state

from impls.contract import Arrays
from impls.jax import optimizers
from impls.jax.runtime import from_numpy
from impls.specs import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, DROPOUT_RATE, ModelSpec


class DoubleConv(nn.Module):
    """Twice a valid 3×3 convolution, BatchNorm and ReLU."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Map (N, H + 2, W + 2, C_in) to (N, H - 2, W - 2, C)."""
        h = nn.Conv(self.features, (3, 3), padding="VALID", use_bias=False, name="conv1")(x)  # (N, H, W, C)
        h = nn.relu(batch_norm(train, name="bn1")(h))  # (N, H, W, C)
        h = nn.Conv(self.features, (3, 3), padding="VALID", use_bias=False, name="conv2")(h)  # (N, H - 2, W - 2, C)
        return nn.relu(batch_norm(train, name="bn2")(h))  # (N, H - 2, W - 2, C)


class Up(DoubleConv):
    """Upsample, concatenate the cropped skip connection before it, and convolve twice."""

    @nn.compact
    def __call__(self, x: jax.Array, skip: jax.Array, train: bool) -> jax.Array:
        """Map (N, H / 2, W / 2, C_in) and a larger skip (N, H_skip, W_skip, C) to (N, H - 4, W - 4, C)."""
        upsample = nn.ConvTranspose(
            x.shape[-1], (2, 2), (2, 2), "VALID", use_bias=False, transpose_kernel=True, name="up"
        )
        up = upsample(x)  # (N, H, W, C_in)
        skip = center_crop(skip, up.shape)  # (N, H, W, C)
        h = jnp.concatenate([skip, up], axis=-1)  # (N, H, W, C + C_in)
        return super().__call__(h, train)  # (N, H - 4, W - 4, C)


class UNet(nn.Module):
    """Image (N, H, W, C_in) → logits (N, H_out, W_out, 1); `channels` is the width of the first level."""

    channels: int

    # [forward]
    @nn.compact
    def __call__(self, x: jax.Array, dropout: jax.Array | None = None) -> jax.Array:
        """Predict; with a dropout mask (N, H5, W5, 16 * C) of kept units in train mode, without one in eval mode."""
        train, c = dropout is not None, self.channels
        skip1 = DoubleConv(c, name="down1")(x, train)  # (N, H1, W1, C)
        skip2 = DoubleConv(2 * c, name="down2")(self.max_pool(skip1), train)  # (N, H2, W2, 2 * C)
        skip3 = DoubleConv(4 * c, name="down3")(self.max_pool(skip2), train)  # (N, H3, W3, 4 * C)
        skip4 = DoubleConv(8 * c, name="down4")(self.max_pool(skip3), train)  # (N, H4, W4, 8 * C)
        h = DoubleConv(16 * c, name="bottleneck")(self.max_pool(skip4), train)  # (N, H5, W5, 16 * C)
        if train:
            h = h * dropout / (1 - DROPOUT_RATE)  # (N, H5, W5, 16 * C)
        h = Up(8 * c, name="up4")(h, skip4, train)  # (N, 2 * H5 - 4, 2 * W5 - 4, 8 * C)
        h = Up(4 * c, name="up3")(h, skip3, train)  # (N, 4 * H5 - 12, 4 * W5 - 12, 4 * C)
        h = Up(2 * c, name="up2")(h, skip2, train)  # (N, 8 * H5 - 28, 8 * W5 - 28, 2 * C)
        h = Up(c, name="up1")(h, skip1, train)  # (N, H_out, W_out, C)
        return nn.Conv(1, (1, 1), name="head")(h)  # (N, H_out, W_out, 1)

    def max_pool(self, x: jax.Array) -> jax.Array:
        """Halve height and width."""
        return nn.max_pool(x, (2, 2), strides=(2, 2))  # (N, H, W, C)


def batch_norm(train: bool, name: str) -> nn.BatchNorm:
    """Normalise with the batch's statistics in train mode, with the running ones else."""
    return nn.BatchNorm(
        use_running_average=not train, momentum=1 - BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPS, name=name
    )


def center_crop(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Cut the middle of x to the height and width of `shape` (N, H, W, C)."""
    top, left = (x.shape[1] - shape[1]) // 2, (x.shape[2] - shape[2]) // 2
    return x[:, top : top + shape[1], left : left + shape[2], :]  # (N, H, W, C)


class TrainState(train_state.TrainState):
    """Flax's state with the running statistics of BatchNorm."""

    batch_stats: Any


def build(spec: ModelSpec, params: Arrays) -> TrainState:
    """Make the state from canonical parameters and statistics."""
    create = jax.jit(TrainState.create, static_argnames=("apply_fn", "tx"))  # one compilation, not one per shape
    return create(
        apply_fn=UNet(spec.sizes["channels"]).apply,
        params=from_numpy(spec.params, params),
        batch_stats=from_numpy(spec.statistics, params),
        tx=optimizers.make(spec.optimizer),
    )


def forward(state: TrainState, batch: Arrays) -> jax.Array:
    """Predict logits (N, H, W, 1) in eval mode."""
    return state.apply_fn({"params": state.params, "batch_stats": state.batch_stats}, batch["x"])  # (N, H, W, 1)


# [loss]
def loss_and_statistics(params: Any, state: TrainState, batch: Arrays) -> tuple[jax.Array, Any]:
    """Return binary cross-entropy on logits in train mode, and BatchNorm's new running statistics."""
    variables = {"params": params, "batch_stats": state.batch_stats}
    logits, updates = state.apply_fn(variables, batch["x"], batch["dropout"], mutable=["batch_stats"])
    value = optax.sigmoid_binary_cross_entropy(logits, batch["y"]).mean()  # ()
    return value, updates["batch_stats"]


def loss(state: TrainState, batch: Arrays) -> jax.Array:
    """Return the training loss."""
    return loss_and_statistics(state.params, state, batch)[0]  # ()


# [grad]
def gradients(state: TrainState, batch: Arrays) -> tuple[jax.Array, Any]:
    """Return (loss, gradients in the structure of the parameters)."""
    (value, _), grads = jax.value_and_grad(loss_and_statistics, has_aux=True)(state.params, state, batch)
    return value, grads


# [update]
def train_step(state: TrainState, batch: Arrays) -> tuple[TrainState, jax.Array]:
    """Return the state after one step of the optimizer, and the loss from before it."""
    (value, batch_stats), grads = jax.value_and_grad(loss_and_statistics, has_aux=True)(state.params, state, batch)
    return state.apply_gradients(grads=grads, batch_stats=batch_stats), value
