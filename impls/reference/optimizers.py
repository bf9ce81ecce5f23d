"""The six optimizers, as `impls.specs.OptimizerSpec` defines them; every array is updated in place."""

from collections.abc import Callable

import numpy as np

from impls.contract import Arrays
from impls.reference.layers import Net


def update(net: Net, grads: Arrays) -> None:
    """Take one step of the net's optimizer along `grads`, which belong to `net.params` by name."""
    net.num_steps += 1
    step = STEPS[net.optimizer.name]
    for name, param in net.params.items():
        step(net, param, grads[name], *(net.slots[f"{slot}/{name}"] for slot in net.optimizer.slots))


def sgd(net: Net, param: np.ndarray, grad: np.ndarray) -> None:
    """Do p ← p - lr·g."""
    param -= net.optimizer.learning_rate * grad


def momentum(net: Net, param: np.ndarray, grad: np.ndarray, velocity: np.ndarray) -> None:
    """Do v ← momentum·v + g; p ← p - lr·v: Sutskever et al. (2013), with the rate outside the velocity."""
    velocity *= net.optimizer.momentum
    velocity += grad
    param -= net.optimizer.learning_rate * velocity


def nesterov(net: Net, param: np.ndarray, grad: np.ndarray, velocity: np.ndarray) -> None:
    """Do v ← momentum·v + g; p ← p - lr·(g + momentum·v): the gradient as if taken where the velocity leads."""
    velocity *= net.optimizer.momentum
    velocity += grad
    param -= net.optimizer.learning_rate * (grad + net.optimizer.momentum * velocity)


def adam(net: Net, param: np.ndarray, grad: np.ndarray, m: np.ndarray, v: np.ndarray) -> None:
    """Take the step of Kingma and Ba (2015), algorithm 1: epsilon is added after the bias correction."""
    opt = net.optimizer
    m *= opt.beta1
    m += (1 - opt.beta1) * grad
    v *= opt.beta2
    v += (1 - opt.beta2) * np.square(grad)
    # The corrections in the net's own precision, so that its float32 error is that of a float32 program throughout.
    beta1, beta2 = param.dtype.type(opt.beta1), param.dtype.type(opt.beta2)
    m_hat = m / (1 - beta1**net.num_steps)
    v_hat = v / (1 - beta2**net.num_steps)
    param -= opt.learning_rate * m_hat / (np.sqrt(v_hat) + opt.eps)


def adamw(net: Net, param: np.ndarray, grad: np.ndarray, m: np.ndarray, v: np.ndarray) -> None:
    """Shrink p by lr·weight_decay of itself, past the moments (Loshchilov and Hutter, 2019), and take Adam's step."""
    param -= net.optimizer.learning_rate * net.optimizer.weight_decay * param
    adam(net, param, grad, m, v)


def rmsprop(net: Net, param: np.ndarray, grad: np.ndarray, s: np.ndarray) -> None:
    """Do s ← rho·s + (1 - rho)·g²; p ← p - lr·g / √(s + eps): Tieleman and Hinton (2012), epsilon within the root."""
    opt = net.optimizer
    s *= opt.rho
    s += (1 - opt.rho) * np.square(grad)
    param -= opt.learning_rate * grad / np.sqrt(s + opt.eps)


STEPS: dict[str, Callable[..., None]] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adam": adam,
    "adamw": adamw,
    "rmsprop": rmsprop,
}
