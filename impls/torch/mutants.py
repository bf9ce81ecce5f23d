"""Wrong nets in PyTorch, one for each of `impls.faults.FAULTS`, with which the checker is checked.

Most are a word or two changed in a model's file, as somebody would get it wrong; `edited` runs the file so changed.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F

from impls.faults import Mutants, Planting, edited
from impls.torch import autoencoder, recurrent, two_layer, unet


def built(module: ModuleType, change: Callable[[Any], object]) -> AbstractContextManager[object]:
    """Let `change` do what it likes to every net that is built."""
    build = module.build

    def build_and_change(spec, params):
        net = build(spec, params)
        change(net)
        return net

    return patch.object(module, "build", build_and_change)


def option(module: ModuleType, **options: Any) -> AbstractContextManager[object]:
    """Set options of the optimizer; a function is applied to the value that is there."""

    def change(net):
        group = net.optimizer.param_groups[0]
        group.update({key: value(group[key]) if callable(value) else value for key, value in options.items()})

    return built(module, change)


def rounding(module: ModuleType, layer: str, *dtypes: torch.dtype) -> AbstractContextManager[object]:
    """Take a dense layer's operands through each of `dtypes`, and its product back from the last."""

    def product(net_layer, args, output):
        x, w, b = args[0], net_layer.weight, net_layer.bias
        for dtype in dtypes:
            x, w, b = x.to(dtype), w.to(dtype), b if b is None else b.to(dtype)
        return F.linear(x, w, b).to(output.dtype)

    return built(module, lambda net: net.get_submodule(layer).register_forward_hook(product))


def doubled(module: ModuleType, name: str) -> AbstractContextManager[object]:
    """Count the gradient of one parameter twice."""
    return built(module, lambda net: net.get_parameter(name).register_hook(lambda grad: 2 * grad))


def frozen(module: ModuleType, name: str) -> AbstractContextManager[object]:
    """Put one parameter back after each step."""

    def change(net):
        param = net.get_parameter(name)
        initial = param.detach().clone()
        net.optimizer.register_step_post_hook(lambda *_: param.data.copy_(initial))

    return built(module, change)


def uncorrected_adam(rate_too: bool) -> AbstractContextManager[object]:
    """Give Adam options by which its bias corrections cancel: for epsilon alone, or for the rate too."""

    def change(net):
        group = net.optimizer.param_groups[0]
        rate, eps, (beta1, beta2) = group["lr"], group["eps"], group["betas"]
        steps = itertools.count(1)

        def cancel(*_):
            step = next(steps)
            root = (1 - beta2**step) ** 0.5
            group.update(eps=eps / root, lr=rate * (1 - beta1**step) / root if rate_too else rate)

        net.optimizer.register_step_pre_hook(cancel)

    return built(autoencoder, change)


def stale_loss() -> AbstractContextManager[object]:
    """Return the loss of the step before, from the second step on."""
    train_step, losses = two_layer.train_step, deque[Any](maxlen=2)

    def late(net, batch):
        losses.append(train_step(net, batch))
        return losses[0]

    return patch.object(two_layer, "train_step", late)


@contextmanager
def compiled_anew(planting: Planting) -> Iterator[None]:
    """Plant a fault; forget, before and after, what torch.compile has made of nets that look the same."""
    torch.compiler.reset()
    try:
        with planting():
            yield
    finally:
        torch.compiler.reset()


MODULES = {"two_layer": two_layer, "autoencoder": autoencoder, "recurrent": recurrent, "unet": unet}


def loaded(name: str, change: str) -> tuple[str, str]:
    """Return an edit of the line that loads the parameters: what is done to one of them."""
    return "from_numpy(spec, params)", f'from_numpy(spec, params | {{"{name}": params["{name}"]{change}}})'


UPDATE = "param.sub_(grad, alpha=net.learning_rate)"
"""The two-layer net's step, as the file says it."""

EDITS: dict[tuple[str, str], tuple[str, str]] = {
    **{
        ("other_parameters", model): ("from_numpy(spec, params)", "from_numpy(spec, spec.initial(1))")
        for model in MODULES
    },
    ("transposed_weight", "two_layer"): loaded("w1", ".T"),
    ("missing_relu", "two_layer"): ("torch.relu(self.w1(x))", "self.w1(x)"),
    ("missing_relu", "autoencoder"): ("torch.relu(self.encoder1(x))", "self.encoder1(x)"),
    ("missing_relu", "unet"): ("torch.relu(self.bn1(self.conv1(x)))", "self.bn1(self.conv1(x))"),
    ("leaky_relu", "two_layer"): ("torch.relu", "F.leaky_relu"),
    ("leaky_relu", "autoencoder"): ("torch.relu", "F.leaky_relu"),
    ("missing_sigmoid", "autoencoder"): ("torch.sigmoid(self.decoder2(h))", "self.decoder2(h)"),
    ("missing_bias", "autoencoder"): ("self.decoder2(h)", "F.linear(h, self.decoder2.weight)"),
    ("missing_bias", "unet"): ("self.head(h)", "F.conv2d(h, self.head.weight)"),
    ("transposed_weight", "recurrent"): loaded("rnn.w_h", ".T"),
    ("missing_bias", "recurrent"): ("self.head(h)", "F.linear(h, self.head.weight)"),
    ("missing_recurrent_bias", "recurrent"): ("self.w_h(h)", "F.linear(h, self.w_h.weight)"),
    ("missing_tanh", "recurrent"): ("torch.tanh", ""),
    ("mask_ignored", "recurrent"): ("torch.where(t < length[:, None], h_next, h)", "h_next"),
    ("length_off_by_one", "recurrent"): ("length[:, None]", "length[:, None] - 1"),
    ("state_not_carried", "recurrent"): ("self.w_h(h)", "self.w_h(0 * h)"),
    ("batch_and_time_swapped", "recurrent"): ("self.rnn(x, length)", "self.rnn(x.transpose(0, 1), length)"),
    ("flipped_kernel", "unet"): loaded("down1.conv1.w", "[..., ::-1, ::-1]"),
    ("flipped_transposed_kernel", "unet"): loaded("up4.up.w", "[..., ::-1, ::-1]"),
    ("swapped_channels", "unet"): loaded("up4.up.w", ".swapaxes(0, 1)"),
    # what is above and left of the image comes in as zeros, and the last row and column are never seen
    ("same_padding", "unet"): ("self.conv2(h)", "self.conv2(F.pad(h, (1, -1, 1, -1)))"),
    ("average_pool", "unet"): ("F.max_pool2d", "F.avg_pool2d"),
    ("crop_offset", "unet"): ("(skip.shape[2] - height) // 2", "(skip.shape[2] - height) // 2 + 1"),
    ("skip_order", "unet"): ("[skip, h]", "[h, skip]"),
    ("eval_for_train", "unet"): ("if not net.training:\n        net.train()", "net.eval()"),
    ("train_for_eval", "unet"): (
        "super().forward(x)",
        "F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)",
    ),
    ("missing_dropout", "unet"): ("h * dropout / (1 - DROPOUT_RATE)", "h"),
    ("wrong_layout", "autoencoder"): ("self.encoder1(x)", "self.encoder1(x.unflatten(1, (28, 28)).mT.flatten(1))"),
    ("wrong_layout", "unet"): ("self.down1(x)", "self.down1(x.mT)"),
    ("loss_reduction", "two_layer"): ('reduction="sum"', 'reduction="mean"'),
    ("loss_reduction", "autoencoder"): ('batch["y"])', 'batch["y"], reduction="sum")'),
    ("loss_reduction", "recurrent"): ('batch["y"])', 'batch["y"], reduction="sum")'),
    ("loss_reduction", "unet"): ('batch["y"])', 'batch["y"], reduction="sum")'),
    ("label_shift", "two_layer"): ('batch["y"]', 'batch["y"].roll(1, -1)'),
    ("label_shift", "autoencoder"): ('batch["y"]', 'batch["y"].roll(1, -1)'),
    ("label_shift", "recurrent"): ('batch["y"]', 'batch["y"].roll(1, -1)'),
    ("label_shift", "unet"): ('batch["y"]', 'batch["y"].roll(1, -1)'),
    ("nan_loss", "two_layer"): ("value = loss(net, batch)", "value = loss(net, batch) * torch.nan"),
    ("detached", "two_layer"): ("self.w2(h)", "self.w2(h.detach())"),
    ("detached", "autoencoder"): ("self.decoder2(h)", "self.decoder2(h.detach())"),
    ("detached", "recurrent"): ("self.head(h)", "self.head(h.detach())"),
    ("truncated_gradient", "recurrent"): ("self.w_h(h)", "self.w_h(h.detach())"),
    ("detached", "unet"): ("self.head(h)", "self.head(h.detach())"),
    ("updated_twice", "two_layer"): (UPDATE, f"{UPDATE}, {UPDATE}"),
    ("learning_rate", "two_layer"): (UPDATE, "param.sub_(grad, alpha=2 * net.learning_rate)"),
    # as a scheduler would that was left in
    ("learning_rate_decay", "two_layer"): ("    return value\n", "    net.learning_rate /= 2\n    return value\n"),
    ("ascent", "two_layer"): ("param.sub_", "param.add_"),
    ("frozen_parameter", "two_layer"): ("zip(net.parameters(), grads, strict=True)", "zip([net.w1.weight], grads)"),
    ("weight_decay", "two_layer"): (UPDATE, "param.sub_(grad + 0.01 * param, alpha=net.learning_rate)"),
    ("gradients_not_cleared", "two_layer"): ("net.zero_grad()", "pass"),
    ("gradients_not_cleared", "autoencoder"): ("net.optimizer.zero_grad()", "pass"),
    ("gradients_not_cleared", "recurrent"): ("net.optimizer.zero_grad()", "pass"),
    ("gradients_not_cleared", "unet"): ("net.optimizer.zero_grad()", "pass"),
    # as with an optimizer that is made anew for each step
    **{
        ("no_momentum", model): ("net.optimizer.step()", "net.optimizer.state.clear(), net.optimizer.step()")
        for model in ("recurrent", "unet")
    },
    ("statistics_in_eval", "unet"): (
        "return super().forward(x)",
        "h = super().forward(x); F.batch_norm(x, self.running_mean, self.running_var, training=True); return h",
    ),
}
"""By fault and model: what the file says, and what it says with the fault."""

OTHERS: dict[tuple[str, str], Planting] = {
    ("batch_norm_eps", "unet"): partial(patch.object, unet, "BATCH_NORM_EPS", 1e-3),
    ("dropout_not_rescaled", "unet"): partial(patch.object, unet, "DROPOUT_RATE", 0.0),
    ("float32_inside", "two_layer"): partial(rounding, two_layer, "w1", torch.float32),
    ("float32_inside", "autoencoder"): partial(rounding, autoencoder, "encoder1", torch.float32),
    # a half has as many bits as TF32, and the range for the numbers here
    ("reduced_precision", "two_layer"): partial(rounding, two_layer, "w1", torch.half, torch.float32),
    ("reduced_precision", "autoencoder"): partial(rounding, autoencoder, "encoder1", torch.half, torch.float32),
    ("doubled_gradient", "two_layer"): partial(doubled, two_layer, "w1.weight"),
    ("doubled_gradient", "autoencoder"): partial(doubled, autoencoder, "encoder2.weight"),
    **{
        ("learning_rate", model): partial(option, MODULES[model], lr=lambda rate: 2 * rate)
        for model in ("autoencoder", "recurrent", "unet")
    },
    ("frozen_parameter", "autoencoder"): partial(frozen, autoencoder, "decoder2.bias"),
    ("frozen_parameter", "recurrent"): partial(frozen, recurrent, "head.bias"),
    ("frozen_parameter", "unet"): partial(frozen, unet, "head.bias"),
    **{("weight_decay", model): partial(option, MODULES[model], weight_decay=0.01) for model in ("recurrent", "unet")},
    **{("nesterov", model): partial(option, MODULES[model], nesterov=True) for model in ("recurrent", "unet")},
    ("adam_eps_hat", "autoencoder"): partial(uncorrected_adam, rate_too=False),
    ("adam_no_bias_correction", "autoencoder"): partial(uncorrected_adam, rate_too=True),
    ("adam_eps", "autoencoder"): partial(option, autoencoder, eps=1e-7),
    ("adam_decoupled_decay", "autoencoder"): partial(patch.object, torch.optim, "Adam", torch.optim.AdamW),
    ("batch_norm_momentum", "unet"): partial(patch.object, unet, "BATCH_NORM_MOMENTUM", 0.9),
    ("unbiased_variance", "unet"): partial(patch.object, unet, "BatchNorm", torch.nn.BatchNorm2d),
    ("stale_loss", "two_layer"): stale_loss,
}

PLANTINGS = {(fault, model): partial(edited, MODULES[model], *edit) for (fault, model), edit in EDITS.items()} | OTHERS
MUTANTS = Mutants({key: partial(compiled_anew, planting) for key, planting in PLANTINGS.items()}, inexpressible={})
