"""Recurrent net in NumPy, its backward pass through time written out (Werbos 1990)."""

import numpy as np

from impls.contract import Arrays
from impls.reference.layers import Net, binary_cross_entropy_on_logits
from impls.reference.optimizers import update
from impls.specs import ModelSpec


def build(spec: ModelSpec, params: Arrays) -> Net:
    """Copy w_x (D_in, H), w_h (H, H), b_h (H,) of the recurrence, and w (H, D_out), b (D_out,) of the prediction."""
    return Net(spec, params)


# [forward]
def states(net: Net, batch: Arrays) -> list[np.ndarray]:
    """Read x (N, T, D_in); return h_0 to h_T, each (N, H). Where an example has ended, its state stays."""
    x, length, p = batch["x"], batch["length"], net.params
    h = np.zeros_like(x, order="C", shape=(len(x), len(p["rnn.b_h"])))  # (N, H)
    found = [h]
    for t in range(x.shape[1]):
        h_next = np.tanh(x[:, t] @ p["rnn.w_x"] + h @ p["rnn.w_h"] + p["rnn.b_h"])  # (N, H)
        h = np.where(t < length[:, None], h_next, h)  # (N, H)
        found.append(h)
    return found


def forward(net: Net, batch: Arrays) -> np.ndarray:
    """Predict logits (N, D_out) from the last state."""
    h = states(net, batch)[-1]  # (N, H)
    return h @ net.params["head.w"] + net.params["head.b"]  # (N, D_out)


# [loss]
def loss(net: Net, batch: Arrays) -> np.ndarray:
    """Return the mean binary cross-entropy."""
    value, _ = binary_cross_entropy_on_logits(forward(net, batch), batch["y"])
    return value  # ()


def layer_outputs(net: Net, batch: Arrays) -> dict[str, np.ndarray]:
    """Return the last state and the logits."""
    return {"rnn": states(net, batch)[-1], "head": forward(net, batch)}


# [grad]
def gradients(net: Net, batch: Arrays) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return (loss, gradients by name): the chain rule, from the prediction back to the first step."""
    x, length, w, w_h = batch["x"], batch["length"], net.params["head.w"], net.params["rnn.w_h"]
    hs = states(net, batch)
    logits = hs[-1] @ w + net.params["head.b"]  # (N, D_out)
    value, backward = binary_cross_entropy_on_logits(logits, batch["y"])
    (grad_logits,) = backward(1.0)
    grads = {name: np.zeros_like(param) for name, param in net.params.items()}
    grads |= {"head.w": hs[-1].T @ grad_logits, "head.b": grad_logits.sum(axis=0)}
    grad_h = grad_logits @ w.T  # (N, H)
    for t in reversed(range(x.shape[1])):
        running = t < length[:, None]  # (N, 1)
        grad_sum = np.where(running, grad_h * (1 - hs[t + 1] ** 2), 0)  # (N, H)
        grads["rnn.w_x"] += x[:, t].T @ grad_sum
        grads["rnn.w_h"] += hs[t].T @ grad_sum
        grads["rnn.b_h"] += grad_sum.sum(axis=0)
        grad_h = np.where(running, grad_sum @ w_h.T, grad_h)  # (N, H)
    return value, grads


# [update]
def train_step(net: Net, batch: Arrays) -> np.ndarray:
    """Take one step of SGD with momentum; return the loss from before it."""
    value, grads = gradients(net, batch)
    update(net, grads)
    return value
