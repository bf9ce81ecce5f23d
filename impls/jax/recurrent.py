"""The recurrent net in Flax: the loop over the steps is `lax.scan`, one operation of the program that XLA compiles."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.linen.initializers import lecun_normal, zeros_init
from flax.training.train_state import TrainState

from impls.contract import Arrays
from impls.jax import optimizers
from impls.jax.runtime import from_numpy
from impls.specs import ModelSpec


class RNN(nn.Module):
    """h ← tanh(x_t·w_x + h·w_h + b_h) for as many steps as an example has; then its state stays."""

    H: int

    # [forward]
    @nn.compact
    def __call__(self, x: jax.Array, length: jax.Array) -> jax.Array:
        """Read x (N, T, D_in); return the last state (N, H)."""
        N, T, D_in = x.shape
        w_x = self.param("w_x", lecun_normal(), (D_in, self.H))  # (D_in, H)
        w_h = self.param("w_h", lecun_normal(), (self.H, self.H))  # (H, H)
        b_h = self.param("b_h", zeros_init(), (self.H,))  # (H,)

        def step(h, inputs):
            t, x_t = inputs
            h_next = jnp.tanh(x_t @ w_x + h @ w_h + b_h)  # (N, H)
            h = jnp.where(t < length[:, None], h_next, h)  # (N, H)
            return h, None

        h, _ = jax.lax.scan(step, jnp.zeros((N, self.H), x.dtype), (jnp.arange(T), x.swapaxes(0, 1)))  # (N, H)
        return h


class RecurrentNet(nn.Module):
    """One prediction for a sequence."""

    H: int
    D_out: int

    @nn.compact
    def __call__(self, x: jax.Array, length: jax.Array) -> jax.Array:
        """Predict logits (N, D_out)."""
        h = RNN(self.H, name="rnn")(x, length)  # (N, H)
        return nn.Dense(self.D_out, name="head")(h)  # (N, D_out)


def build(spec: ModelSpec, params: Arrays) -> TrainState:
    """Make the state from dense weights (in, out) and biases (out,)."""
    create = jax.jit(TrainState.create, static_argnames=("apply_fn", "tx"))  # one compilation, not one per shape
    return create(
        apply_fn=RecurrentNet(spec.sizes["H"], spec.sizes["D_out"]).apply,
        params=from_numpy(spec.params, params),
        tx=optimizers.make(spec.optimizer),
    )


def forward(state: TrainState, batch: Arrays) -> jax.Array:
    """Predict logits (N, D_out)."""
    return state.apply_fn({"params": state.params}, batch["x"], batch["length"])  # (N, D_out)


# [loss]
def loss(state: TrainState, batch: Arrays) -> jax.Array:
    """Return the mean binary cross-entropy."""
    logits = forward(state, batch)  # (N, D_out)
    return optax.sigmoid_binary_cross_entropy(logits, batch["y"]).mean()  # ()


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
