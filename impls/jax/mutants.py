"""The mistakes of `impls.faults`, made in JAX: functions are wrapped, and Flax and Optax get other arguments."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from impls import faults
from impls.contract import Arrays
from impls.faults import Mutants, Planting
from impls.jax import autoencoder, optimizers, recurrent, runtime, tuned, two_layer, unet
from impls.specs import DROPOUT_RATE, ModelSpec, OptimizerSpec

MODULES = {"two_layer": two_layer, "autoencoder": autoencoder, "recurrent": recurrent, "unet": unet}

# ---------------------------------------------------------------- how to plant


def wrapped(owner: Any, name: str, around: Callable[..., Any], turn: int = 0, num_turns: int = 1) -> Planting:
    """Put `around(original, *args, **kwargs)` in the place of `owner.name`, in one of every `num_turns` calls."""

    def plant() -> AbstractContextManager[object]:
        original = getattr(owner, name)
        is_turn = itertools.cycle(index == turn for index in range(num_turns))

        @functools.wraps(original)
        def wrong(*args: Any, **kwargs: Any) -> Any:
            return around(original, *args, **kwargs) if next(is_turn) else original(*args, **kwargs)

        return patch.object(owner, name, wrong)

    return plant


def swapped(owner: Any, name: str, value: Any) -> Planting:
    """Put `value` in the place of `owner.name`."""
    return lambda: patch.object(owner, name, value)


def both(*plantings: Planting) -> Planting:
    """Plant several things."""

    @contextmanager
    def plant() -> Iterator[None]:
        with ExitStack() as stack:
            for planting in plantings:
                stack.enter_context(planting())
            yield

    return plant


def loaded(model: str, change: Callable[[Arrays], Arrays]) -> Planting:
    """Load other canonical parameters: those that `change` returns."""

    def from_numpy(original: Any, tensors: Any, arrays: Arrays) -> Any:
        return original(tensors, {**arrays, **change(arrays)})

    return wrapped(MODULES[model], "from_numpy", from_numpy)


def fed(change: Callable[[Arrays], Arrays]) -> Planting:
    """Feed other canonical batches: the entries that `change` returns."""

    def prepare(original: Any, program: runtime.Program, batch: Arrays) -> Any:
        return original(program, {**batch, **change(batch)})

    return wrapped(runtime.Program, "prepare", prepare)


def layer(kind: str, layer_name: str, **options: Any) -> Planting:
    """Make the layers called `layer_name` with other options of their Flax class."""

    def make(flax_class: Any, *args: Any, name: str, **kwargs: Any) -> nn.Module:
        return flax_class(*args, name=name, **(kwargs | options if name == layer_name else kwargs))

    return wrapped(nn, kind, make)


def applied(change: Callable[..., tuple[tuple, dict]]) -> Planting:
    """Apply the U-Net to other inputs and options: those that `change` makes of the right ones."""

    def apply(original: Any, net: Any, variables: Any, *inputs: Any, **options: Any) -> Any:
        inputs, changed = change(*inputs)
        outputs = original(net, variables, *inputs, **(changed | options))
        return outputs[0] if "mutable" in changed and "mutable" not in options else outputs

    return wrapped(unet.UNet, "apply", apply)


def normalised(train: bool) -> Planting:
    """Let BatchNorm always believe that it is, or is not, in train mode."""
    return wrapped(unet, "batch_norm", lambda batch_norm, _, name: batch_norm(train, name))


def trained_with(model: str, change: Callable[[OptimizerSpec], dict[str, Any]]) -> Planting:
    """Build the net with an optimizer whose definition differs."""

    def build(original: Any, spec: ModelSpec, params: Arrays) -> Any:
        return original(replace(spec, optimizer=replace(spec.optimizer, **change(spec.optimizer))), params)

    return wrapped(MODULES[model], "build", build)


def preceded_by(transformation: optax.GradientTransformation) -> Planting:
    """Change the gradients on their way to the optimizer."""
    return wrapped(optimizers, "make", lambda make, spec: optax.chain(transformation, make(spec)))


def stepping(model: str, change: Callable[[Any, Any], Any]) -> Planting:
    """Let a step end in `change(old state, new state)`."""

    def train_step(original: Any, state: Any, batch: Arrays) -> Any:
        new_state, value = original(state, batch)
        return change(state, new_state), value

    return wrapped(MODULES[model], "train_step", train_step)


def recurrence(old: str, new: str) -> Planting:
    """Change the text of the recurrent net's file: what is in its loop is out of reach from without."""
    return functools.partial(faults.edited, recurrent, old, new)


def freshly_traced(planting: Planting) -> Planting:
    """Jit new functions, since JAX would find the programs that it has compiled for the right ones."""

    def jit(function: Callable[..., Any], **options: Any) -> Any:
        return jax.jit(lambda *args: function(*args), **options)

    return both(planting, lambda: patch.dict(runtime.TRANSFORMS, compiled=jit))


def with_tensor(tree: Any, name: str, change: Callable[..., Any], *others: Any) -> Any:
    """Return `tree` with `change` applied to the tensor called `name` (and to what `others` have in that place)."""

    def edit(path: Any, *leaves: Any) -> Any:
        return change(*leaves) if tuple(key.key for key in path) == runtime.tree_path(name) else leaves[0]

    return jax.tree_util.tree_map_with_path(edit, tree, *others)


# ---------------------------------------------------------------- what is wrong


def drawn_anew(arrays: Arrays) -> Arrays:
    """Draw every tensor from a normal distribution of the same mean and standard deviation."""
    rng = np.random.default_rng(1)
    return {
        name: rng.normal(array.mean(), array.std(), array.shape).astype(array.dtype) for name, array in arrays.items()
    }


def turned(name: str) -> Callable[[Arrays], Arrays]:
    """Turn the kernel called `name` by 180°."""
    return lambda arrays: {name: arrays[name][:, :, ::-1, ::-1]}


def columns_first(batch: Arrays) -> Arrays:
    """Swap height and width of flat, square images (N, pixels)."""
    side = math.isqrt(batch["x"].shape[1])
    return {name: flat.reshape(-1, side, side).swapaxes(1, 2).reshape(flat.shape) for name, flat in batch.items()}


def in_float32(array: Any) -> jax.Array:
    """Return `array` in float32."""
    return jnp.asarray(array, jnp.float32)


def rounded(array: Any) -> jax.Array:
    """Return `array` rounded to TF32's ten bits."""
    return jax.lax.reduce_precision(jnp.asarray(array), exponent_bits=8, mantissa_bits=10)


def first_product(change: Callable[[Any], jax.Array]) -> Planting:
    """Change both operands of the two-layer net's first product."""

    def forward(original: Any, state: two_layer.State, batch: Arrays) -> jax.Array:
        params = state.params | {"w1": change(state.params["w1"])}
        return original(replace(state, params=params), {**batch, "x": change(batch["x"])})

    return wrapped(two_layer, "forward", forward)


def dot_general_of(change: Callable[[Any], jax.Array]) -> Callable[..., jax.Array]:
    """Return a `lax.dot_general` that changes both operands, and hides it by returning the dtype that it was given."""

    def dot_general(x: jax.Array, w: jax.Array, *args: Any, **kwargs: Any) -> jax.Array:
        return jax.lax.dot_general(change(x), change(w), *args, **kwargs).astype(x.dtype)

    return dot_general


def same_then_cut(x: jax.Array, w: jax.Array, strides: Any, padding: str, **kwargs: Any) -> jax.Array:  # noqa: ARG001
    """Convolve with SAME padding; return the rows and columns at the top left that VALID padding would leave."""
    rows, columns = (size - kernel + 1 for size, kernel in zip(x.shape[1:3], w.shape[:2], strict=True))
    return jax.lax.conv_general_dilated(x, w, strides, "SAME", **kwargs)[:, :rows, :columns]


def correct_variance(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
    """After a BatchNorm in train mode, correct what has gone into its running variance by n / (n - 1)."""
    norm = context.module
    if not isinstance(norm, nn.BatchNorm) or norm.use_running_average:
        return call(*args, **kwargs)
    old = norm.get_variable("batch_stats", "var")
    output = call(*args, **kwargs)
    new = norm.get_variable("batch_stats", "var")
    num_values = output.size // output.shape[-1]
    norm.put_variable("batch_stats", "var", new + (new - norm.momentum * old) / (num_values - 1))
    return output


def gradient_stopped(function: Any, x: jax.Array) -> jax.Array:
    """Apply `function`, and stop the gradient there."""
    return jax.lax.stop_gradient(function(x))


def doubled_gradient(model: str, name: str) -> Planting:
    """Count the gradient called `name` twice."""

    def gradients(original: Any, state: Any, batch: Arrays) -> Any:
        value, grads = original(state, batch)
        return value, with_tensor(grads, name, lambda grad: 2 * grad)

    return wrapped(MODULES[model], "gradients", gradients)


def frozen(model: str, name: str) -> Planting:
    """Keep the parameter called `name` as it was."""
    return stepping(
        model,
        lambda old, new: replace(new, params=with_tensor(new.params, name, lambda _, old_param: old_param, old.params)),
    )


def stepped_twice(original: Any, state: two_layer.State, batch: Arrays) -> tuple[two_layer.State, jax.Array]:
    """Take two steps for one, and return the loss of the first."""
    state, value = original(state, batch)
    return original(state, batch)[0], value


def decayed(old: two_layer.State, new: two_layer.State) -> two_layer.State:
    """Take a hundredth of the parameters, times the rate, from them."""
    decay = 0.01 * old.learning_rate
    return replace(new, params=jax.tree.map(lambda p_new, p: p_new - decay * p, new.params, old.params))


def eps_hat(original: Any, moment: Any, decay: float, count: jax.Array) -> Any:
    """Leave √v as it is, and multiply m by what would have corrected it, so that epsilon is not divided by that."""
    if decay == OptimizerSpec.beta2:
        return moment
    return jax.tree.map(lambda m: m * jnp.sqrt(1 - OptimizerSpec.beta2**count), original(moment, decay, count))


def stale_loss() -> AbstractContextManager[object]:
    """Return the loss of the step before."""
    losses: list[jax.Array] = []

    def train_step(original: Any, program: runtime.Program, batch: Any) -> jax.Array:
        losses.append(original(program, batch))
        return losses[-2:][0]

    return wrapped(runtime.Program, "train_step", train_step)()


summed_cross_entropy = wrapped(
    optax, "sigmoid_binary_cross_entropy", lambda loss, logits, labels: loss(logits, labels) * labels.size
)

PLANTINGS: dict[tuple[str, str], Planting] = {
    **{("other_parameters", model): loaded(model, drawn_anew) for model in MODULES},
    ("transposed_weight", "two_layer"): loaded("two_layer", lambda arrays: {"w1": arrays["w1"].T}),
    ("transposed_weight", "recurrent"): loaded("recurrent", lambda arrays: {"rnn.w_h": arrays["rnn.w_h"].T}),
    ("missing_relu", "two_layer"): wrapped(jax.nn, "relu", lambda _, x: x),
    ("missing_relu", "autoencoder"): wrapped(nn, "relu", lambda _, x: x, num_turns=3),
    ("missing_relu", "unet"): wrapped(nn, "relu", lambda _, x: x, num_turns=18),
    ("leaky_relu", "two_layer"): swapped(jax.nn, "relu", jax.nn.leaky_relu),
    ("leaky_relu", "autoencoder"): swapped(nn, "relu", nn.leaky_relu),
    ("missing_sigmoid", "autoencoder"): swapped(nn, "sigmoid", lambda x: x),
    ("missing_bias", "autoencoder"): layer("Dense", "decoder2", use_bias=False),
    ("missing_bias", "unet"): layer("Conv", "head", use_bias=False),
    ("missing_bias", "recurrent"): layer("Dense", "head", use_bias=False),
    ("missing_recurrent_bias", "recurrent"): recurrence("h @ w_h + b_h", "h @ w_h"),
    ("missing_tanh", "recurrent"): recurrence("jnp.tanh", ""),
    ("mask_ignored", "recurrent"): recurrence("jnp.where(t < length[:, None], h_next, h)", "h_next"),
    ("length_off_by_one", "recurrent"): recurrence("length[:, None]", "length[:, None] - 1"),
    ("state_not_carried", "recurrent"): recurrence("h @ w_h", "0 * h @ w_h"),
    ("batch_and_time_swapped", "recurrent"): recurrence('name="rnn")(x', 'name="rnn")(x.swapaxes(0, 1)'),
    ("flipped_kernel", "unet"): loaded("unet", turned("down1.conv1.w")),
    ("flipped_transposed_kernel", "unet"): loaded("unet", turned("up4.up.w")),
    ("swapped_channels", "unet"): loaded("unet", lambda arrays: {"up4.up.w": arrays["up4.up.w"].swapaxes(0, 1)}),
    ("same_padding", "unet"): layer("Conv", "conv2", conv_general_dilated=same_then_cut),
    ("average_pool", "unet"): both(
        swapped(nn, "max_pool", nn.avg_pool),
        swapped(tuned, "max_pool", lambda x: nn.avg_pool(x, (2, 2), strides=(2, 2))),
    ),
    ("crop_offset", "unet"): wrapped(
        unet, "center_crop", lambda crop, x, shape: crop(jnp.roll(x, -1, axis=1), shape), num_turns=4
    ),
    ("skip_order", "unet"): wrapped(
        jnp, "concatenate", lambda concatenate, arrays, axis: concatenate(arrays[::-1], axis=axis)
    ),
    ("batch_norm_eps", "unet"): swapped(unet, "BATCH_NORM_EPS", 1e-3),
    ("eval_for_train", "unet"): normalised(train=False),
    ("train_for_eval", "unet"): both(
        normalised(train=True), applied(lambda *inputs: (inputs, {"mutable": ["batch_stats"]}))
    ),
    ("dropout_not_rescaled", "unet"): swapped(unet, "DROPOUT_RATE", 0.0),
    ("missing_dropout", "unet"): applied(
        lambda x, *masks: ((x, *(jnp.full_like(mask, 1 - DROPOUT_RATE) for mask in masks)), {})
    ),
    ("wrong_layout", "autoencoder"): fed(columns_first),
    ("wrong_layout", "unet"): lambda: patch.dict(runtime.FROM_CANONICAL, image=(0, 3, 2, 1)),
    ("float32_inside", "two_layer"): first_product(in_float32),
    ("float32_inside", "autoencoder"): layer("Dense", "encoder1", dot_general=dot_general_of(in_float32)),
    ("reduced_precision", "two_layer"): first_product(rounded),
    ("reduced_precision", "autoencoder"): layer("Dense", "encoder1", dot_general=dot_general_of(rounded)),
    ("loss_reduction", "two_layer"): swapped(jnp, "sum", jnp.mean),
    ("loss_reduction", "autoencoder"): swapped(jnp, "mean", jnp.sum),
    **{("loss_reduction", model): summed_cross_entropy for model in ("recurrent", "unet")},
    **{("label_shift", model): fed(lambda batch: {"y": np.roll(batch["y"], 1, axis=-1)}) for model in MODULES},
    ("nan_loss", "two_layer"): wrapped(two_layer, "loss", lambda loss, *args: loss(*args) * jnp.nan),
    ("detached", "two_layer"): wrapped(jax.nn, "relu", gradient_stopped),
    ("detached", "autoencoder"): wrapped(nn, "relu", gradient_stopped, turn=2, num_turns=3),
    ("detached", "recurrent"): recurrence('name="head")(h)', 'name="head")(jax.lax.stop_gradient(h))'),
    ("truncated_gradient", "recurrent"): recurrence("h @ w_h", "jax.lax.stop_gradient(h) @ w_h"),
    ("detached", "unet"): wrapped(nn, "relu", gradient_stopped, turn=17, num_turns=18),
    ("doubled_gradient", "two_layer"): doubled_gradient("two_layer", "w1"),
    ("doubled_gradient", "autoencoder"): doubled_gradient("autoencoder", "encoder2.w"),
    **{
        ("learning_rate", model): trained_with(model, lambda spec: {"learning_rate": 2 * spec.learning_rate})
        for model in MODULES
    },
    ("ascent", "two_layer"): trained_with("two_layer", lambda spec: {"learning_rate": -spec.learning_rate}),
    ("frozen_parameter", "two_layer"): frozen("two_layer", "w2"),
    ("frozen_parameter", "autoencoder"): frozen("autoencoder", "decoder2.b"),
    ("frozen_parameter", "recurrent"): frozen("recurrent", "head.b"),
    ("frozen_parameter", "unet"): frozen("unet", "head.b"),
    ("updated_twice", "two_layer"): wrapped(two_layer, "train_step", stepped_twice),
    **{
        ("gradients_not_cleared", model): preceded_by(optax.trace(decay=1.0))
        for model in ("autoencoder", "recurrent", "unet")
    },
    ("learning_rate_decay", "two_layer"): stepping(
        "two_layer", lambda old, new: replace(new, learning_rate=old.learning_rate / 2)
    ),
    ("weight_decay", "two_layer"): stepping("two_layer", decayed),
    **{("weight_decay", model): preceded_by(optax.add_decayed_weights(0.01)) for model in ("recurrent", "unet")},
    **{("nesterov", model): trained_with(model, lambda _: {"name": "nesterov"}) for model in ("recurrent", "unet")},
    **{("no_momentum", model): trained_with(model, lambda _: {"momentum": 0.0}) for model in ("recurrent", "unet")},
    ("adam_eps_hat", "autoencoder"): wrapped(optax.tree, "bias_correction", eps_hat),
    ("adam_no_bias_correction", "autoencoder"): wrapped(optax.tree, "bias_correction", lambda _, moment, *__: moment),
    ("adam_eps", "autoencoder"): trained_with("autoencoder", lambda _: {"eps": 1e-7}),
    ("adam_decoupled_decay", "autoencoder"): trained_with("autoencoder", lambda _: {"name": "adamw"}),
    ("batch_norm_momentum", "unet"): swapped(unet, "BATCH_NORM_MOMENTUM", 0.9),
    ("unbiased_variance", "unet"): lambda: nn.intercept_methods(correct_variance),
    ("stale_loss", "two_layer"): stale_loss,
}

MUTANTS = Mutants(
    plantings={key: freshly_traced(planting) for key, planting in PLANTINGS.items()},
    inexpressible={
        ("gradients_not_cleared", "two_layer"): "Gradients are what a pure function returns, and the net's state, its "
        "parameters alone, has no place where they could add up.",
        ("statistics_in_eval", "unet"): "The prediction is what a pure function returns: the running statistics are "
        "its arguments, which it cannot change, and Flax refuses to try.",
    },
)
