"""Two-layer net in NumPy, every line of its gradient written out: y = max(x·w1, 0)·w2, loss = Σ (y_pred - y)²."""

import numpy as np

from impls.contract import Arrays
from impls.reference.layers import Net
from impls.reference.optimizers import update
from impls.specs import ModelSpec


def build(spec: ModelSpec, params: Arrays) -> Net:
    """Copy w1 (D_in, H) and w2 (H, D_out) into a net."""
    return Net(spec, params)


# [forward]
def forward(net: Net, batch: Arrays) -> np.ndarray:
    """Predict (N, D_out) from batch["x"] (N, D_in)."""
    h = batch["x"] @ net.params["w1"]  # (N, H)
    h_relu = np.maximum(h, 0)  # (N, H)
    return h_relu @ net.params["w2"]  # (N, D_out)


# [loss]
def loss(net: Net, batch: Arrays) -> np.ndarray:
    """Return the sum of squared errors."""
    y_pred = forward(net, batch)  # (N, D_out)
    return np.square(y_pred - batch["y"]).sum()  # ()


def layer_outputs(net: Net, batch: Arrays) -> dict[str, np.ndarray]:
    """Return x·w1 and the prediction, by the name of the weights."""
    return {"w1": batch["x"] @ net.params["w1"], "w2": forward(net, batch)}


# [grad]
def gradients(net: Net, batch: Arrays) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the loss and its gradients: the chain rule, from the last line of the forward pass to the first."""
    x, w1, w2 = batch["x"], net.params["w1"], net.params["w2"]
    h = x @ w1  # (N, H)
    h_relu = np.maximum(h, 0)  # (N, H)
    error = h_relu @ w2 - batch["y"]  # (N, D_out)
    grad_y_pred = 2 * error  # (N, D_out)
    grad_w2 = h_relu.T @ grad_y_pred  # (H, D_out)
    grad_h_relu = grad_y_pred @ w2.T  # (N, H)
    grad_h = grad_h_relu * (h > 0)  # (N, H)
    grad_w1 = x.T @ grad_h  # (D_in, H)
    return np.square(error).sum(), {"w1": grad_w1, "w2": grad_w2}


# [update]
def train_step(net: Net, batch: Arrays) -> np.ndarray:
    """Take one step of gradient descent; return the loss from before it."""
    value, grads = gradients(net, batch)
    update(net, grads)
    return value
