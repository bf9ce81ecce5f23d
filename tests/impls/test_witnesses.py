"""The oracle does not rest on its own word: each layer and optimizer against well-known libraries, in float64.

A row is a layer of `impls.reference`, a witness is what a library's user would write for it, with documented parameters
only. SciPy's witnesses are in `test_reference_layers.py`.
"""

import inspect
import os
from types import SimpleNamespace

import numpy as np
import pytest

from impls import specs
from impls.reference import layers, optimizers, recurrent
from impls.specs import OptimizerSpec

TOLERANCE = 1e-12
"""Roundings of float64 in sums of up to some hundred terms, relative to the largest value."""


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def agree(measured, expected):
    assert measured.dtype == np.float64, "the witness fell back to another precision"
    assert measured.shape == expected.shape
    assert np.abs(measured - expected).max() <= TOLERANCE * max(np.abs(expected).max(), 1e-3)


# ---------------------------------------------------------------- the libraries: y = f(arrays), and its gradients


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")

    def differentiate(function, arrays, weights):
        tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
        y = function(torch.nn.functional, *tensors)
        (y * torch.tensor(weights)).sum().backward()
        return y.detach().numpy(), [tensor.grad.numpy() for tensor in tensors]

    return SimpleNamespace(library=torch, differentiate=differentiate)


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    pytest.importorskip("flax")
    pytest.importorskip("optax")

    def differentiate(function, arrays, weights):
        with jax.enable_x64(True):
            y, pull_back = jax.vjp(function, *(jax.numpy.asarray(array) for array in arrays))
            grads = pull_back(jax.numpy.asarray(weights))
            return np.asarray(y), [np.asarray(grad) for grad in grads]

    return SimpleNamespace(library=jax, differentiate=differentiate)


@pytest.fixture(scope="module")
def keras():
    """Keras on TensorFlow: on its other backends some layers round to float32 (see docs/equivalence.md)."""
    tensorflow = pytest.importorskip("tensorflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "KERAS_BACKEND", "tensorflow")
        keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("this process has imported Keras with another backend")

    def differentiate(function, arrays, weights):
        tensors = [tensorflow.constant(array) for array in arrays]
        with tensorflow.GradientTape() as tape:
            tape.watch(tensors)
            y = function(keras, *tensors)
            total = tensorflow.reduce_sum(y * weights)
        return np.asarray(y), [np.asarray(grad) for grad in tape.gradient(total, tensors)]

    return SimpleNamespace(library=keras, differentiate=differentiate)


# ---------------------------------------------------------------- layouts: JAX and TensorFlow like NHWC and HWIO


def transpose(x, *axes):
    if hasattr(x, "transpose"):
        return x.transpose(axes)
    import tensorflow

    return tensorflow.transpose(x, axes)


def nhwc(x):
    return transpose(x, 0, 2, 3, 1)


def nchw(x):
    return transpose(x, 0, 3, 1, 2)


def hwio(w):
    """From OIHW; and (h, w, out, in) from the IOHW of a transposed convolution."""
    return transpose(w, 2, 3, 1, 0)


def linen(name, *arguments, **options):
    """A flax.linen layer, its parameters given."""
    layer = linen_function(name)(*arguments, **options)
    return lambda params, x: layer.apply({"params": params}, x)


def linen_function(name):
    from flax import linen

    return getattr(linen, name)


def nnx(name, *arguments, **options):
    """A flax.nnx layer, its parameters given."""
    from flax import nnx

    def apply(params, x):
        layer = getattr(nnx, name)(*arguments, **options, param_dtype="float64", rngs=nnx.Rngs(0))
        for key, value in params.items():
            setattr(layer, key, nnx.Param(value))
        return layer(x)

    return apply


def keras_layer(layer, params, x, state=(), **options):
    """Call a Keras layer with its weights given; returns (y, new state)."""
    layer.build(x.shape)
    return layer.stateless_call(list(params), list(state), x, **options)


# ---------------------------------------------------------------- the table

MASKED = np.maximum(draw(4, 5), 0)  # half zeros: ReLU's kink
TIES = np.round(draw(2, 3, 5, 7))  # whole numbers: windows with equal maxima
TARGET = draw(4, 5, seed=1)
LABELS = (TARGET > 0).astype(float)
STATISTICS = {"bn.mean": draw(3, seed=7), "bn.var": np.abs(draw(3, seed=8)) + 0.5}


def norm(train):
    return lambda x, scale, offset: layers.batch_norm(
        x, scale, offset, statistics=dict(STATISTICS), name="bn", train=train
    )


def skip_round_trip(x):
    """Push x, halve it, and join both: what the U-Net does around a level."""
    stack = []
    h, push_backward = layers.push_skip(x, skips=stack)
    h, pool_backward = layers.max_pool(h)
    y, concat_backward = layers.concat_skip(h, skips=stack)
    return y, lambda grad: push_backward(*pool_backward(*concat_backward(grad)))


def keras_skip(k, x):
    h = k.layers.MaxPooling2D(2, dtype="float64")(nhwc(x))
    skip = k.layers.CenterCrop(*h.shape[1:3], dtype="float64")(nhwc(x))
    return nchw(k.layers.Concatenate(dtype="float64")([skip, h]))


def torch_norm(train):
    def batch_norm(F, x, scale, offset):
        mean, var = (x.new_tensor(STATISTICS[name]) for name in ("bn.mean", "bn.var"))
        return F.batch_norm(x, mean, var, scale, offset, training=train, momentum=0.1, eps=1e-5)

    return batch_norm


def linen_norm(train):
    def batch_norm(x, scale, offset):
        y, _ = linen_batch_norm(x, scale, offset, train)
        return nchw(y)

    return batch_norm


def linen_batch_norm(x, scale, offset, train):
    """Return the output (NHWC) and the statistics afterwards."""
    layer = linen_function("BatchNorm")(
        use_running_average=not train, momentum=0.9, epsilon=1e-5, param_dtype="float64"
    )
    statistics = {"mean": STATISTICS["bn.mean"], "var": STATISTICS["bn.var"]}
    variables = {"params": {"scale": scale, "bias": offset}, "batch_stats": statistics}
    y, updated = layer.apply(variables, nhwc(x), mutable=["batch_stats"])
    return y, updated["batch_stats"]


def keras_norm(train):
    return lambda k, x, scale, offset: nchw(keras_batch_norm(k, x, scale, offset, train)[0])


def keras_batch_norm(k, x, scale, offset, train):
    """Return the output (NHWC) and the statistics afterwards."""
    layer = k.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype="float64")
    return keras_layer(layer, (scale, offset), nhwc(x), STATISTICS.values(), training=train)


def layer_of(k, name, *arguments, **options):
    return getattr(k.layers, name)(*arguments, **options, dtype="float64")


def optax_loss(name):
    import optax

    return getattr(optax, name)


IMAGE = draw(2, 3, 7, 6)
KERNEL = draw(4, 3, 3, 3)

# name: (what it proves, the reference, its arrays, {witness: (library, function)})
ROWS = {
    "dense": (
        ["dense"],
        layers.dense,
        (draw(4, 5), draw(5, 3), draw(3)),
        {
            "torch linear": ("torch", lambda F, x, w, b: F.linear(x, w.T, b)),
            "linen Dense": ("jax", lambda x, w, b: linen("Dense", 3)({"kernel": w, "bias": b}, x)),
            "nnx Linear": ("jax", lambda x, w, b: nnx("Linear", 5, 3)({"kernel": w, "bias": b}, x)),
            "keras Dense": ("keras", lambda k, x, w, b: keras_layer(layer_of(k, "Dense", 3), (w, b), x)[0]),
        },
    ),
    "relu": (
        ["relu"],
        layers.relu,
        (draw(4, 5),),
        relus := {
            "torch relu": ("torch", lambda F, x: F.relu(x)),
            "linen relu": ("jax", lambda x: linen_function("relu")(x)),
            "keras ReLU": ("keras", lambda k, x: layer_of(k, "ReLU")(x)),
        },
    ),
    "relu at its kink": (["relu"], layers.relu, (MASKED,), relus),
    "sigmoid": (
        ["sigmoid", "logistic"],
        layers.sigmoid,
        (3 * draw(4, 5),),
        {
            "torch sigmoid": ("torch", lambda _, x: x.sigmoid()),
            "linen sigmoid": ("jax", lambda x: linen_function("sigmoid")(x)),
            "keras sigmoid": ("keras", lambda k, x: layer_of(k, "Activation", "sigmoid")(x)),
        },
    ),
    "conv2d": (
        ["conv2d"],
        layers.conv2d,
        (IMAGE, KERNEL),
        {
            "torch conv2d": ("torch", lambda F, x, w: F.conv2d(x, w)),
            "linen Conv": (
                "jax",
                lambda x, w: nchw(
                    linen("Conv", 4, (3, 3), padding="VALID", use_bias=False)({"kernel": hwio(w)}, nhwc(x))
                ),
            ),
            "nnx Conv": (
                "jax",
                lambda x, w: nchw(
                    nnx("Conv", 3, 4, (3, 3), padding="VALID", use_bias=False)({"kernel": hwio(w)}, nhwc(x))
                ),
            ),
            "keras Conv2D": (
                "keras",
                lambda k, x, w: nchw(keras_layer(layer_of(k, "Conv2D", 4, 3, use_bias=False), [hwio(w)], nhwc(x))[0]),
            ),
        },
    ),
    "conv2d_bias": (
        ["conv2d_bias"],
        layers.conv2d_bias,
        (draw(2, 3, 4, 5), draw(2, 3, 1, 1), draw(2)),
        {
            "torch conv2d": ("torch", lambda F, x, w, b: F.conv2d(x, w, b)),
            "linen Conv": (
                "jax",
                lambda x, w, b: nchw(linen("Conv", 2, (1, 1))({"kernel": hwio(w), "bias": b}, nhwc(x))),
            ),
            "keras Conv2D": (
                "keras",
                lambda k, x, w, b: nchw(keras_layer(layer_of(k, "Conv2D", 2, 1), (hwio(w), b), nhwc(x))[0]),
            ),
        },
    ),
    "conv2d_transpose": (
        ["conv2d_transpose"],
        layers.conv2d_transpose,
        (draw(2, 3, 4, 5), draw(3, 2, 2, 2)),
        {
            "torch conv_transpose2d": ("torch", lambda F, x, w: F.conv_transpose2d(x, w, stride=2)),
            "linen ConvTranspose": ("jax", lambda x, w: linen_conv_transpose(x, hwio(w), transpose_kernel=True)),
            "nnx ConvTranspose": (
                "jax",
                lambda x, w: nchw(
                    nnx(
                        "ConvTranspose",
                        3,
                        2,
                        (2, 2),
                        strides=(2, 2),
                        padding="VALID",
                        use_bias=False,
                        transpose_kernel=True,
                    )({"kernel": hwio(w)}, nhwc(x))
                ),
            ),
            "keras Conv2DTranspose": (
                "keras",
                lambda k, x, w: nchw(
                    keras_layer(layer_of(k, "Conv2DTranspose", 2, 2, strides=2, use_bias=False), [hwio(w)], nhwc(x))[0]
                ),
            ),
        },
    ),
    "max_pool": (
        ["max_pool"],
        layers.max_pool,
        (draw(2, 3, 5, 7),),
        pools := {
            "torch max_pool2d": ("torch", lambda F, x: F.max_pool2d(x, 2)),
            "linen max_pool": (
                "jax",
                lambda x: nchw(linen_function("max_pool")(nhwc(x), (2, 2), (2, 2))),
            ),
            "keras MaxPooling2D": ("keras", lambda k, x: nchw(layer_of(k, "MaxPooling2D", 2)(nhwc(x)))),
        },
    ),
    "max_pool with ties": (["max_pool"], layers.max_pool, (TIES,), pools),
    "batch_norm, train": (
        ["batch_norm"],
        norm(train=True),
        (draw(2, 3, 4, 5), draw(3), draw(3, seed=1)),
        {
            "torch batch_norm": ("torch", torch_norm(train=True)),
            "linen BatchNorm": ("jax", linen_norm(train=True)),
            "keras BatchNormalization": ("keras", keras_norm(train=True)),
        },
    ),
    "batch_norm, eval": (
        ["batch_norm"],
        norm(train=False),
        (draw(2, 3, 4, 5), draw(3), draw(3, seed=1)),
        {
            "torch batch_norm": ("torch", torch_norm(train=False)),
            "linen BatchNorm": ("jax", linen_norm(train=False)),
            "keras BatchNormalization": ("keras", keras_norm(train=False)),
        },
    ),
    "skip connection": (
        ["push_skip", "concat_skip"],
        skip_round_trip,
        (draw(2, 3, 7, 9),),
        {"keras CenterCrop, Concatenate": ("keras", keras_skip)},
    ),
    "sum_squared_error": (
        ["sum_squared_error"],
        lambda x: layers.sum_squared_error(x, target=TARGET),
        (draw(4, 5),),
        {
            "torch mse_loss": ("torch", lambda F, x: F.mse_loss(x, x.new_tensor(TARGET), reduction="sum")),
            "optax squared_error": ("jax", lambda x: optax_loss("squared_error")(x, TARGET).sum()),
        },
    ),
    "mean_squared_error": (
        ["mean_squared_error"],
        lambda x: layers.mean_squared_error(x, target=TARGET),
        (draw(4, 5),),
        {
            "torch mse_loss": ("torch", lambda F, x: F.mse_loss(x, x.new_tensor(TARGET))),
            "optax squared_error": ("jax", lambda x: optax_loss("squared_error")(x, TARGET).mean()),
            "keras MeanSquaredError": (
                "keras",
                lambda k, x: k.losses.MeanSquaredError(dtype="float64")(TARGET, x),
            ),
        },
    ),
    "binary_cross_entropy": (
        ["binary_cross_entropy_on_logits"],
        lambda x: layers.binary_cross_entropy_on_logits(x, target=LABELS),
        (3 * draw(4, 5),),
        {
            "torch binary_cross_entropy_with_logits": (
                "torch",
                lambda F, x: F.binary_cross_entropy_with_logits(x, x.new_tensor(LABELS)),
            ),
            "optax sigmoid_binary_cross_entropy": (
                "jax",
                lambda x: optax_loss("sigmoid_binary_cross_entropy")(x, LABELS).mean(),
            ),
            "keras BinaryCrossentropy": (
                "keras",
                lambda k, x: k.losses.BinaryCrossentropy(from_logits=True, dtype="float64")(LABELS, x),
            ),
        },
    ),
}

DROPOUTS = {
    "torch dropout": ("torch", lambda F, x: F.dropout(x, 0.25)),
    "linen Dropout": ("jax", lambda x: linen_dropout(x, 0.25)),
    "keras Dropout": ("keras", lambda k, x: layer_of(k, "Dropout", 0.25, seed=0)(x, training=True)),
}


def linen_dropout(x, rate):
    import jax

    return linen_function("Dropout")(rate, deterministic=False).apply({}, x, rngs={"dropout": jax.random.key(0)})


def linen_conv_transpose(x, kernel, transpose_kernel):
    options = {"strides": (2, 2), "padding": "VALID", "use_bias": False, "transpose_kernel": transpose_kernel}
    return nchw(linen("ConvTranspose", 2, (2, 2), **options)({"kernel": kernel}, nhwc(x)))


@pytest.mark.parametrize(
    ("row", "witness"), [(row, witness) for row, (*_, witnesses) in ROWS.items() for witness in witnesses]
)
def test_a_layer_and_its_gradients_agree_with(row, witness, request):
    _, layer, arrays, witnesses = ROWS[row]
    library, function = witnesses[witness]
    differentiate = request.getfixturevalue(library).differentiate
    y, backward = layer(*(array.copy() for array in arrays))
    weights = np.asarray(draw(*np.shape(y), seed=2))
    witness_y, witness_grads = differentiate(function, arrays, weights)
    agree(witness_y, np.asarray(y))
    for witness_grad, grad in zip(witness_grads, backward(weights), strict=True):
        agree(witness_grad, grad)


@pytest.mark.parametrize("witness", DROPOUTS)
def test_dropout_agrees_with_a_library_that_draws_its_own_mask(witness, request):
    library, function = DROPOUTS[witness]
    x = 1 + np.abs(draw(20, 30))
    weights = draw(20, 30, seed=2)
    witness_y, (witness_grad,) = request.getfixturevalue(library).differentiate(function, (x,), weights)
    mask = (witness_y != 0).astype(float)
    assert 0.65 < mask.mean() < 0.85
    y, backward = layers.dropout(x, mask=mask, rate=0.25)
    agree(witness_y, y)
    agree(witness_grad, *backward(weights))


# ---------------------------------------------------------------- the recurrent net, whose sequences end by other means

SEQUENCES = specs.get("recurrent", "tiny")
LENGTH = np.array([2, 5, 1, 3])
READ = draw(*SEQUENCES.inputs["x"])
CLASS = (draw(*SEQUENCES.inputs["y"]) > 1).astype(float)


def torch_packed(F, w_x, w_h, b_h, w, b):
    """Sequences packed one after the other: there is no padding."""
    import torch

    rnn = torch.nn.RNN(*w_x.shape, batch_first=True, dtype=torch.float64)
    weights = {"weight_ih_l0": w_x.T, "weight_hh_l0": w_h.T, "bias_ih_l0": b_h, "bias_hh_l0": torch.zeros_like(b_h)}
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(READ), torch.tensor(LENGTH), batch_first=True, enforce_sorted=False
    )
    _, h = torch.func.functional_call(rnn, weights, (packed,))
    return F.binary_cross_entropy_with_logits(h[0] @ w + b, torch.tensor(CLASS))


def linen_carry(w_x, w_h, b_h, w, b):
    """Every state kept, and that after the last step taken."""
    from flax import linen

    layer = linen.RNN(linen.SimpleCell(len(b_h), param_dtype="float64"), return_carry=True)
    params = {"cell": {"i": {"kernel": w_x, "bias": b_h}, "h": {"kernel": w_h}}}
    h, _ = layer.apply({"params": params}, READ, seq_lengths=LENGTH)
    return optax_loss("sigmoid_binary_cross_entropy")(h @ w + b, CLASS).mean()


@pytest.mark.parametrize(("library", "function"), [("torch", torch_packed), ("jax", linen_carry)])
def test_the_recurrent_net_agrees_with(library, function, request):
    params = SEQUENCES.initial(0)
    params |= {name: draw(*array.shape) for name, array in params.items() if array.ndim == 1}
    value, grads = recurrent.gradients(
        recurrent.build(SEQUENCES, params), {"x": READ, "length": LENGTH.astype(float), "y": CLASS}
    )
    differentiate = request.getfixturevalue(library).differentiate
    witness_value, witness_grads = differentiate(function, list(params.values()), np.ones(()))
    agree(witness_value, np.asarray(value))
    for name, witness_grad in zip(params, witness_grads, strict=True):
        agree(witness_grad, grads[name])


def test_every_layer_has_a_witness():
    public = {
        name
        for name, function in inspect.getmembers(layers, inspect.isfunction)
        if function.__module__ == layers.__name__ and not name.startswith("_")
    }
    assert public == {name for covered, *_ in ROWS.values() for name in covered} | {"dropout"}


# ---------------------------------------------------------------- what differs by definition


def moments_after(x):
    statistics = dict(STATISTICS)
    layers.batch_norm(x, np.ones(3), np.zeros(3), statistics=statistics, name="bn", train=True)
    return statistics["bn.mean"], statistics["bn.var"]


@pytest.mark.parametrize("library", ["jax", "keras"])
def test_running_statistics_agree_with_flax_and_keras(library, request):
    x = 5 + 3 * draw(2, 3, 4, 5)
    if library == "jax":
        with request.getfixturevalue("jax").library.enable_x64(True):
            found = linen_batch_norm(x, np.ones(3), np.zeros(3), train=True)[1]
            found = found["mean"], found["var"]
    else:
        keras = request.getfixturevalue("keras").library
        found = keras_batch_norm(keras, x, np.ones(3), np.zeros(3), train=True)[1]
    for measured, expected in zip(found, moments_after(x), strict=True):
        agree(np.asarray(measured), expected)


def test_the_running_variance_of_torch_is_corrected_and_ours_is_not(torch):
    x = 5 + 3 * draw(2, 3, 4, 5)
    mean, var = (torch.library.tensor(STATISTICS[name]) for name in ("bn.mean", "bn.var"))
    torch.library.nn.functional.batch_norm(torch.library.tensor(x), mean, var, training=True, momentum=0.1)
    ours_mean, ours_var = moments_after(x)
    agree(mean.numpy(), ours_mean)
    kept = 0.9 * STATISTICS["bn.var"]
    agree(var.numpy(), kept + (ours_var - kept) * 40 / 39)  # n / (n - 1), at 2 · 4 · 5 values a channel
    assert np.abs(var.numpy() / ours_var - 1).min() > 1e-3


def test_the_transposed_convolution_of_flax_turns_the_kernel_unless_told(jax):
    x, w = draw(2, 3, 4, 5), draw(3, 2, 2, 2)
    with jax.library.enable_x64(True):
        found = np.asarray(linen_conv_transpose(x, w.transpose(2, 3, 0, 1), transpose_kernel=False))
    agree(found, layers.conv2d_transpose(x, w[:, :, ::-1, ::-1])[0])
    assert np.abs(found - layers.conv2d_transpose(x, w)[0]).max() > 0.1


# ---------------------------------------------------------------- optimizers

# Every hyperparameter is exact in float32, which Keras on TensorFlow casts some of them through on the way to float64.
RATE = 2.0**-4
EPS = 2.0**-10  # large, so that its place matters
NEGLIGIBLE = 2.0**-100
START = draw(3, 4)
GRADS = [draw(3, 4, seed=step) for step in range(1, 7)]


def trajectory(name, grads=GRADS, eps=EPS):
    """The reference's parameter after each step."""
    spec = OptimizerSpec(name, RATE, momentum=0.75, beta1=0.75, beta2=0.875, rho=0.625, eps=eps, weight_decay=0.25)
    net = SimpleNamespace(optimizer=spec, params={"p": START.copy()}, num_steps=0)
    net.slots = {f"{slot}/p": np.zeros_like(START) for slot in spec.slots}
    found = []
    for grad in grads:
        optimizers.update(net, {"p": grad})
        found.append(net.params["p"].copy())
    return found


def torch_trajectory(torch, name, grads=GRADS, **options):
    param = torch.nn.Parameter(torch.tensor(START))
    optimizer = getattr(torch.optim, name)([param], lr=RATE, **options)
    found = []
    for grad in grads:
        param.grad = torch.tensor(grad)
        optimizer.step()
        found.append(param.detach().numpy().copy())
    return found


def jax_trajectory(jax, name, grads=GRADS, **options):
    import optax

    found = []
    with jax.enable_x64(True):
        optimizer = getattr(optax, name)(RATE, **options)
        param = jax.numpy.asarray(START)
        state = optimizer.init(param)
        for grad in grads:
            updates, state = optimizer.update(jax.numpy.asarray(grad), state, param)
            param = optax.apply_updates(param, updates)
            found.append(np.asarray(param))
    return found


def keras_trajectory(keras, name, grads=GRADS, **options):
    param = keras.Variable(START, dtype="float64")
    optimizer = getattr(keras.optimizers, name)(RATE, **options)
    found = []
    for grad in grads:
        optimizer.apply([keras.ops.convert_to_tensor(grad)], [param])
        found.append(param.value.numpy().copy())
    return found


TRAJECTORIES = {"torch": torch_trajectory, "jax": jax_trajectory, "keras": keras_trajectory}
ADAM_BETAS = {"betas": (0.75, 0.875)}
OPTAX_BETAS = {"b1": 0.75, "b2": 0.875}
KERAS_BETAS = {"beta_1": 0.75, "beta_2": 0.875}

# (optimizer, library, its name there, its options, epsilon)
OPTIMIZERS = [
    ("sgd", "torch", "SGD", {}, EPS),
    ("sgd", "jax", "sgd", {}, EPS),
    ("sgd", "keras", "SGD", {}, EPS),
    ("momentum", "torch", "SGD", {"momentum": 0.75}, EPS),
    ("momentum", "jax", "sgd", {"momentum": 0.75}, EPS),
    ("momentum", "keras", "SGD", {"momentum": 0.75}, EPS),
    ("nesterov", "torch", "SGD", {"momentum": 0.75, "nesterov": True}, EPS),
    ("nesterov", "jax", "sgd", {"momentum": 0.75, "nesterov": True}, EPS),
    ("nesterov", "keras", "SGD", {"momentum": 0.75, "nesterov": True}, EPS),
    ("adam", "torch", "Adam", {**ADAM_BETAS, "eps": EPS}, EPS),
    ("adam", "jax", "adam", {**OPTAX_BETAS, "eps": EPS}, EPS),
    ("adam", "keras", "Adam", {**KERAS_BETAS, "epsilon": NEGLIGIBLE}, NEGLIGIBLE),  # its place differs: see below
    ("adamw", "torch", "AdamW", {**ADAM_BETAS, "eps": EPS, "weight_decay": 0.25}, EPS),
    ("adamw", "jax", "adamw", {**OPTAX_BETAS, "eps": EPS, "weight_decay": 0.25}, EPS),
    ("adamw", "keras", "AdamW", {**KERAS_BETAS, "epsilon": NEGLIGIBLE, "weight_decay": 0.25}, NEGLIGIBLE),
    ("rmsprop", "torch", "RMSprop", {"alpha": 0.625, "eps": NEGLIGIBLE}, NEGLIGIBLE),  # its place differs: see below
    ("rmsprop", "jax", "rmsprop", {"decay": 0.625, "eps": EPS}, EPS),
    ("rmsprop", "keras", "RMSprop", {"rho": 0.625, "epsilon": EPS}, EPS),
]


@pytest.mark.parametrize(
    ("optimizer", "library", "name", "options", "eps"),
    OPTIMIZERS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_optimizer_agrees_with(optimizer, library, name, options, eps, request):
    found = TRAJECTORIES[library](request.getfixturevalue(library).library, name, **options)
    for measured, expected in zip(found, trajectory(optimizer, eps=eps), strict=True):
        agree(measured, expected)


def test_every_optimizer_has_a_witness_in_each_library():
    assert set(optimizers.STEPS) == set(specs.OPTIMIZERS)
    rows = {(optimizer, library) for optimizer, library, *_ in OPTIMIZERS}
    assert rows == {(optimizer, library) for optimizer in specs.OPTIMIZERS for library in TRAJECTORIES}


def test_keras_adds_the_epsilon_of_adam_before_the_bias_correction(keras):
    # After one step m̂ = g and v̂ = g². Epsilon before the correction is epsilon / √(1 - β2) after it.
    grad = np.full((3, 4), EPS)
    (found,) = keras_trajectory(keras.library, "Adam", [grad], **KERAS_BETAS, epsilon=EPS)
    agree(found, START - RATE / (1 + 1 / np.sqrt(1 - 0.875)))
    (ours,) = trajectory("adam", [grad])
    agree(ours, START - RATE / 2)


def test_torch_adds_the_epsilon_of_rmsprop_outside_the_root(torch):
    grad = np.full((3, 4), EPS)
    (found,) = torch_trajectory(torch.library, "RMSprop", [grad], alpha=0.625, eps=EPS)
    agree(found, START - RATE * EPS / (np.sqrt(0.375) * EPS + EPS))
    (ours,) = trajectory("rmsprop", [grad])
    agree(ours, START - RATE * EPS / np.sqrt(0.375 * EPS**2 + EPS))
