"""Faults that the equivalence check must catch, and where it must find each of them first.

A backend plants them in `impls/<backend>/mutants.py`, by patching its own functions while a program is built and run.
Nothing here is ever imported by a benchmark.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Planting = Callable[[], AbstractContextManager[object]]
"""Makes a context in which the backend computes the wrong function."""


@dataclass(frozen=True)
class Fault:
    """One mistake that people make.

    Attributes:
        title: what is wrong, in words.
        found_at: by model, the quantity that must differ first (see `harness.divergence`).
        precision: in which the check must find it.
    """

    title: str
    found_at: Mapping[str, str]
    precision: str = "float64"


@dataclass(frozen=True)
class Mutants:
    """What a backend's `mutants.py` offers: a planting, or the reason for none, for each fault and model.

    Attributes:
        plantings: by (fault, model).
        inexpressible: by (fault, model), or by (fault, "") for all models: why this framework cannot make the mistake.
    """

    plantings: Mapping[tuple[str, str], Planting]
    inexpressible: Mapping[tuple[str, str], str]


@contextmanager
def edited(module: ModuleType, old: str, new: str) -> Iterator[None]:
    """Run the source of `module` with `old` replaced by `new` throughout.

    Raises:
        ValueError: `old` is not in the source any more.
    """
    from unittest.mock import patch  # here, because it imports asyncio, and commands import this file for its table

    source = inspect.getsource(module)
    if old not in source:
        raise ValueError(f"{module.__name__} has no {old!r} to be changed")
    with patch.dict(vars(module)):
        exec(compile(source.replace(old, new), str(module.__file__), "exec"), vars(module))
        yield


FAULTS: dict[str, Fault] = {
    # ------------------------------------------------ forward
    "other_parameters": Fault(
        "weights drawn anew instead of loaded",
        {
            "two_layer": "layer@0/w1",
            "autoencoder": "layer@0/encoder1",
            "unet": "layer@0/down1.conv1",
            "recurrent": "layer@0/rnn",
        },
    ),
    "transposed_weight": Fault(
        "a square weight matrix transposed", {"two_layer": "layer@0/w1", "recurrent": "layer@0/rnn"}
    ),
    "missing_relu": Fault(
        "the first ReLU left out",
        {"two_layer": "layer@0/w2", "autoencoder": "layer@0/encoder2", "unet": "layer@0/down1.conv2"},
    ),
    "leaky_relu": Fault("LeakyReLU for ReLU", {"two_layer": "layer@0/w2", "autoencoder": "layer@0/encoder2"}),
    "missing_sigmoid": Fault("no sigmoid after the last layer", {"autoencoder": "forward@0"}),
    "missing_bias": Fault(
        "the last layer's bias is never added",
        {"autoencoder": "grad@0/decoder2.b", "unet": "grad@0/head.b", "recurrent": "grad@0/head.b"},
    ),
    "missing_recurrent_bias": Fault("the recurrence's bias is never added", {"recurrent": "grad@0/rnn.b_h"}),
    "missing_tanh": Fault("no tanh in the recurrence", {"recurrent": "layer@0/rnn"}),
    "mask_ignored": Fault("padding changes the state", {"recurrent": "layer@0/rnn"}),
    "length_off_by_one": Fault("the last step of each example left out", {"recurrent": "layer@0/rnn"}),
    "state_not_carried": Fault("every step starts from the state 0", {"recurrent": "layer@0/rnn"}),
    "batch_and_time_swapped": Fault("sequences read with batch and time swapped", {"recurrent": "layer@0/rnn"}),
    "flipped_kernel": Fault("a kernel turned by 180°: convolution for correlation", {"unet": "layer@0/down1.conv1"}),
    "flipped_transposed_kernel": Fault("a transposed convolution's kernel turned by 180°", {"unet": "layer@0/up4.up"}),
    "swapped_channels": Fault(
        "a transposed convolution's input and output channels swapped", {"unet": "layer@0/up4.up"}
    ),
    "same_padding": Fault("SAME padding, the result cut to size at its top left", {"unet": "layer@0/down1.conv2"}),
    "average_pool": Fault("average for max pooling", {"unet": "layer@0/down2.conv1"}),
    "crop_offset": Fault("the first crop a pixel too low", {"unet": "layer@0/up4.conv1"}),
    "skip_order": Fault("skip connection concatenated last", {"unet": "layer@0/up4.conv1"}),
    "batch_norm_eps": Fault("BatchNorm's epsilon 1e-3", {"unet": "layer@0/down1.bn1"}),
    "eval_for_train": Fault("running statistics in train mode", {"unet": "layer@0/down1.bn1"}),
    "train_for_eval": Fault("the batch's statistics in eval mode", {"unet": "forward@0"}),
    "dropout_not_rescaled": Fault("dropout without its 1 / (1 − p)", {"unet": "layer@0/up4.up"}),
    "missing_dropout": Fault("no dropout in train mode", {"unet": "layer@0/up4.up"}),
    "wrong_layout": Fault(
        "images read with height and width swapped", {"autoencoder": "layer@0/encoder1", "unet": "layer@0/down1.conv1"}
    ),
    "float32_inside": Fault(
        "the first product computed in float32, in a float64 run",
        {"two_layer": "layer@0/w1", "autoencoder": "layer@0/encoder1"},
    ),
    "reduced_precision": Fault(
        "the first product's operands rounded to ten bits, as TF32 does, in a float32 run",
        {"two_layer": "layer@0/w1", "autoencoder": "layer@0/encoder1"},
        precision="float32",
    ),
    # ------------------------------------------------ loss and gradients
    "loss_reduction": Fault(
        "sum for mean, or mean for sum",
        {"two_layer": "loss@0", "autoencoder": "loss@0", "unet": "loss@0", "recurrent": "loss@0"},
    ),
    "label_shift": Fault(
        "labels shifted by one, along their last axis",
        {"two_layer": "loss@0", "autoencoder": "loss@0", "unet": "loss@0", "recurrent": "loss@0"},
    ),
    "nan_loss": Fault("the loss is NaN", {"two_layer": "loss@0"}),
    "detached": Fault(
        "the gradient stopped before the last layer",
        {
            "two_layer": "grad@0/w1",
            "autoencoder": "grad@0/decoder1.b",
            "unet": "grad@0/up1.bn2.offset",
            "recurrent": "grad@0/rnn.b_h",
        },
    ),
    "truncated_gradient": Fault("no gradient goes back from a step to the one before", {"recurrent": "grad@0/rnn.b_h"}),
    "doubled_gradient": Fault(
        "one gradient counted twice", {"two_layer": "grad@0/w1", "autoencoder": "grad@0/encoder2.w"}
    ),
    # ------------------------------------------------ update
    "learning_rate": Fault(
        "twice the learning rate",
        {
            "two_layer": "state@1/w1",
            "autoencoder": "state@1/encoder1.w",
            "unet": "state@1/down1.conv1.w",
            "recurrent": "state@1/rnn.w_x",
        },
    ),
    "ascent": Fault("uphill instead of downhill", {"two_layer": "state@1/w1"}),
    "frozen_parameter": Fault(
        "one parameter never updated",
        {
            "two_layer": "state@1/w2",
            "autoencoder": "state@1/decoder2.b",
            "unet": "state@1/head.b",
            "recurrent": "state@1/head.b",
        },
    ),
    "updated_twice": Fault("the optimizer steps twice", {"two_layer": "state@1/w1"}),
    "gradients_not_cleared": Fault(
        "gradients added up over the steps",
        {
            "two_layer": "state@2/w1",
            "autoencoder": "state@2/m/encoder1.w",
            "unet": "state@2/velocity/down1.conv1.w",
            "recurrent": "state@2/velocity/rnn.w_x",
        },
    ),
    "learning_rate_decay": Fault("the learning rate halves after the first step", {"two_layer": "state@2/w1"}),
    "weight_decay": Fault(
        "weight decay that nobody asked for",
        {"two_layer": "state@1/w1", "unet": "state@1/velocity/down1.conv1.w", "recurrent": "state@1/velocity/rnn.w_x"},
    ),
    "nesterov": Fault(
        "Nesterov's momentum for plain momentum", {"unet": "state@1/down1.conv1.w", "recurrent": "state@1/rnn.w_x"}
    ),
    "no_momentum": Fault(
        "momentum 0", {"unet": "state@2/velocity/down1.conv1.w", "recurrent": "state@2/velocity/rnn.w_x"}
    ),
    "adam_eps_hat": Fault("Adam's epsilon before the bias correction", {"autoencoder": "state@1/encoder1.w"}),
    "adam_no_bias_correction": Fault("Adam without bias correction", {"autoencoder": "state@1/encoder1.w"}),
    "adam_eps": Fault("Adam's epsilon 1e-7, Keras' default", {"autoencoder": "state@1/encoder1.w"}),
    "adam_decoupled_decay": Fault("AdamW for Adam", {"autoencoder": "state@1/encoder1.w"}),
    "batch_norm_momentum": Fault("BatchNorm's momentum 0.9 in torch's sense", {"unet": "state@1/down1.bn1.mean"}),
    "unbiased_variance": Fault("running variance corrected by n / (n − 1)", {"unet": "state@1/down1.bn1.var"}),
    "statistics_in_eval": Fault("a prediction moves the running statistics", {"unet": "state@1/down1.bn1.mean"}),
    "stale_loss": Fault("the loss of the step before, from the second step on", {"two_layer": "loss@1"}),
}
"""The order is that in which a net computes."""

SIZES: dict[str, dict[str, Any]] = {
    "two_layer": {"D_in": 5, "H": 5},
    "autoencoder": {},
    "recurrent": {"batch_size": 5},
    "unet": {"height": 204, "width": 204},
}
"""Changes of the size `tiny`: transposed weights and swapped axes fit, and the U-Net's labels are not all the same."""
