"""The two-layer net in plain JAX: the parameters are a dictionary, and a step is a function from one to the next."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from impls.contract import Arrays
from impls.jax.runtime import from_numpy
from impls.specs import ModelSpec


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """What a training step changes, and the learning rate, which is a constant of the compiled program."""

    params: dict[str, jax.Array]
    learning_rate: float = field(metadata={"static": True})


def build(spec: ModelSpec, params: Arrays) -> State:
    """Make the state from w1 (D_in, H) and w2 (H, D_out)."""
    return State(from_numpy(spec.params, params), spec.optimizer.learning_rate)


# [forward]
def forward(state: State, batch: Arrays) -> jax.Array:
    """Predict y (N, D_out) from x (N, D_in)."""
    h = jax.nn.relu(jnp.dot(batch["x"], state.params["w1"]))  # (N, H)
    return jnp.dot(h, state.params["w2"])  # (N, D_out)


# [loss]
def loss(state: State, batch: Arrays) -> jax.Array:
    """Return the sum of squared errors."""
    y_pred = forward(state, batch)  # (N, D_out)
    return jnp.sum((y_pred - batch["y"]) ** 2)  # ()


# [grad]
def gradients(state: State, batch: Arrays) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Return (loss, gradients by name)."""

    def loss_fn(params):
        return loss(State(params, state.learning_rate), batch)  # ()

    return jax.value_and_grad(loss_fn)(state.params)


# [update]
def train_step(state: State, batch: Arrays) -> tuple[State, jax.Array]:
    """Return the state after one step of gradient descent, and the loss from before it."""
    value, grads = gradients(state, batch)
    params = jax.tree.map(lambda p, g: p - state.learning_rate * g, state.params, grads)
    return State(params, state.learning_rate), value
