"""The nets' training steps as JAX's, Flax's and Optax's tutorials write them: is ours as fast?"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.training import train_state

from impls.contract import Arrays
from impls.jax.runtime import FROM_CANONICAL
from impls.specs import ModelSpec


def sum_squared_error(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the two-layer net's loss."""
    w1, w2 = weights
    return jnp.sum((jnp.maximum(x @ w1, 0) @ w2 - y) ** 2)


def two_layer_jit(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """A jitted update of a list of weights; the loss itself is not returned."""
    learning_rate = spec.optimizer.learning_rate

    @jax.jit
    def update(weights, x, y):
        grads = jax.grad(sum_squared_error)(weights, x, y)
        return [w - learning_rate * dw for w, dw in zip(weights, grads, strict=True)]

    return _steps(update, [jnp.array(params[name]) for name in ("w1", "w2")], batch)


def two_layer_optax(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """A jitted step with `optax.sgd`, which returns the loss."""
    weights = [jnp.array(params[name]) for name in ("w1", "w2")]
    optimizer = optax.sgd(spec.optimizer.learning_rate)

    @jax.jit
    def step(carry, x, y):
        weights, opt_state, _ = carry
        value, grads = jax.value_and_grad(sum_squared_error)(weights, x, y)
        updates, opt_state = optimizer.update(grads, opt_state)
        return optax.apply_updates(weights, updates), opt_state, value

    return _steps(step, (weights, optimizer.init(weights), jnp.zeros(())), batch)


class Autoencoder(nn.Module):
    """Dense layers named by their order."""

    pixels: int
    hidden: int
    code: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Denoise flat images."""
        for width in (self.hidden, self.code, self.hidden):
            x = nn.relu(nn.Dense(width)(x))
        return nn.sigmoid(nn.Dense(self.pixels)(x))


def autoencoder_flax(spec: ModelSpec, _: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Flax's `TrainState` with `optax.adam`."""
    model = Autoencoder(**spec.sizes)
    variables = model.init(jax.random.key(0), batch["x"])
    state = train_state.TrainState.create(
        apply_fn=model.apply, params=variables["params"], tx=optax.adam(spec.optimizer.learning_rate)
    )

    @jax.jit
    def step(carry, x, y):
        state, _ = carry

        def loss_fn(params):
            return jnp.mean((state.apply_fn({"params": params}, x) - y) ** 2)

        value, grads = jax.value_and_grad(loss_fn)(state.params)
        return state.apply_gradients(grads=grads), value

    return _steps(step, (state, jnp.zeros(())), batch)


class DoubleConv(nn.Module):
    """Twice a convolution, BatchNorm with Flax's own settings, and ReLU."""

    channels: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Take 4 pixels off each side length."""
        for _ in range(2):
            x = nn.Conv(self.channels, (3, 3), padding="VALID", use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=False)(x))
        return x


class UNet(nn.Module):
    """In train mode."""

    channels: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return logits."""
        widths = [self.channels * 2**level for level in range(5)]
        skips: list[jax.Array] = []
        for width in widths:
            x = DoubleConv(width)(nn.max_pool(x, (2, 2), (2, 2)) if skips else x)
            skips.append(x)
        x = nn.Dropout(0.5, deterministic=False)(skips.pop())
        for width in widths[-2::-1]:
            x, skip = nn.ConvTranspose(2 * width, (2, 2), (2, 2), use_bias=False)(x), skips.pop()
            crop = (skip.shape[1] - x.shape[1]) // 2
            x = DoubleConv(width)(jnp.concatenate([skip[:, crop:-crop, crop:-crop], x], axis=-1))
        return nn.Conv(1, (1, 1))(x)


class TrainState(train_state.TrainState):
    """With BatchNorm's statistics and the key of dropout."""

    batch_stats: Any
    key: jax.Array


def unet_flax(spec: ModelSpec, _: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Flax's `TrainState` with BatchNorm's statistics and dropout's key, and `optax.sgd` with momentum."""
    images = {name: batch[name].transpose(FROM_CANONICAL["image"]) for name in ("x", "y")}
    model, settings = UNet(spec.sizes["channels"]), spec.optimizer
    key = jax.random.key(0)
    variables = model.init({"params": key, "dropout": key}, images["x"])
    state = TrainState.create(
        apply_fn=model.apply,
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        key=key,
        tx=optax.sgd(settings.learning_rate, momentum=settings.momentum),
    )

    @jax.jit
    def step(carry, x, y):
        state, _ = carry

        def loss_fn(params):
            logits, updates = state.apply_fn(
                {"params": params, "batch_stats": state.batch_stats},
                x,
                mutable=["batch_stats"],
                rngs={"dropout": jax.random.fold_in(state.key, state.step)},
            )
            return optax.sigmoid_binary_cross_entropy(logits, y).mean(), updates

        (value, updates), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
        return state.apply_gradients(grads=grads, batch_stats=updates["batch_stats"]), value

    return _steps(step, (state, jnp.zeros(())), images)


def _steps(step: Callable[[Any, Any, Any], Any], carry: Any, batch: Arrays) -> Callable[[int], None]:
    def steps(num_steps: int) -> None:
        nonlocal carry
        for _ in range(num_steps):
            carry = step(carry, batch["x"], batch["y"])
        jax.block_until_ready(carry)

    return steps
