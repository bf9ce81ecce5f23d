"""Each layer and optimizer of the oracle: gradients against central differences, values against outside witnesses."""

import tracemalloc

import numpy as np
import pytest
from scipy import signal, special

from impls import specs
from impls.reference import layers, optimizers

DTYPES = ["float32", "float64"]


def draw(*shape, seed=0, dtype="float64"):
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def apart(*shape):
    """Values at least 0.01 from each other and from zero: no step of 1e-5 crosses a kink of ReLU or max-pool."""
    size = int(np.prod(shape))
    return (0.01 * np.random.default_rng(0).permutation(np.arange(size) - size // 2) + 0.005).reshape(shape)


def central_difference(function, array, step=1e-5):
    """The gradient of the scalar `function()` with respect to `array`, every entry of it moved in place."""
    grad = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + step
        above = function()
        array[index] = value - step
        below = function()
        array[index] = value
        grad[index] = (above - below) / (2 * step)
    return grad


def running(channels, dtype="float64"):
    return {"bn.mean": draw(channels, seed=7, dtype=dtype), "bn.var": np.abs(draw(channels, seed=8, dtype=dtype)) + 0.5}


def norm(x, scale, offset, train):
    return layers.batch_norm(x, scale, offset, statistics=running(x.shape[1], x.dtype), name="bn", train=train)


def joined(x, skip):
    """The layer `concat_skip` with its skip as a second input, so that both gradients can be checked."""
    stack = [skip]
    y, backward = layers.concat_skip(x, skips=stack)
    assert not stack
    return y, lambda grad_y: (*backward(grad_y), stack.pop())


def branched(x):
    """The layer `push_skip`, its branch closed: y = x + 3·(what was pushed)."""
    stack = []
    y, backward = layers.push_skip(x, skips=stack)
    pushed = stack.pop()

    def branched_backward(grad_y):
        stack.append(3 * grad_y)
        return backward(grad_y)

    return y + 3 * pushed, branched_backward


MASK = (draw(2, 3, 4, 5, seed=9) > 0).astype(float)

# name: (layer, its input, its parameters)
LAYERS = {
    "dense": (layers.dense, draw(4, 5), (draw(5, 3), draw(3))),
    "relu": (layers.relu, apart(4, 5), ()),
    "sigmoid": (layers.sigmoid, 3 * draw(4, 5), ()),
    "conv2d-3x3": (layers.conv2d, draw(2, 3, 7, 6), (draw(4, 3, 3, 3),)),
    "conv2d-1x1": (layers.conv2d, draw(2, 3, 4, 5), (draw(2, 3, 1, 1),)),
    "conv2d-2x3": (layers.conv2d, draw(1, 2, 4, 6), (draw(3, 2, 2, 3),)),
    "conv2d-bias": (layers.conv2d_bias, draw(2, 3, 4, 5), (draw(2, 3, 1, 1), draw(2))),
    "conv2d-transpose": (layers.conv2d_transpose, draw(2, 3, 4, 5), (draw(3, 2, 2, 2),)),
    "max-pool": (layers.max_pool, apart(2, 3, 4, 6), ()),
    "max-pool-odd": (layers.max_pool, apart(2, 3, 5, 7), ()),
    "batch-norm-train": (lambda *a: norm(*a, train=True), draw(2, 3, 4, 5), (draw(3), draw(3, seed=1))),
    "batch-norm-eval": (lambda *a: norm(*a, train=False), draw(2, 3, 4, 5), (draw(3), draw(3, seed=1))),
    "dropout": (lambda x: layers.dropout(x, mask=MASK, rate=0.5), draw(2, 3, 4, 5), ()),
    "push-skip": (branched, draw(2, 3, 4, 5), ()),
    "concat-skip": (joined, draw(2, 3, 4, 5), (draw(2, 2, 8, 7),)),
    "sum-squared-error": (lambda x: layers.sum_squared_error(x, target=draw(4, 5, seed=1)), draw(4, 5), ()),
    "mean-squared-error": (lambda x: layers.mean_squared_error(x, target=draw(4, 5, seed=1)), draw(4, 5), ()),
    "binary-cross-entropy": (
        lambda x: layers.binary_cross_entropy_on_logits(x, target=(draw(4, 5, seed=1) > 0).astype(x.dtype)),
        3 * draw(4, 5),
        (),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_backward_agrees_with_central_differences(name):
    layer, x, params = LAYERS[name]
    arrays = [x.copy(), *(param.copy() for param in params)]
    y, backward = layer(*arrays)
    weights = np.asarray(draw(*np.shape(y), seed=2))  # the scalar Σ weights·y has the gradient `weights` at y
    grads = backward(weights)
    assert len(grads) == len(arrays)
    for array, grad in zip(arrays, grads, strict=True):
        numeric = central_difference(lambda: np.sum(weights * layer(*arrays)[0]), array)
        assert grad.shape == array.shape
        np.testing.assert_allclose(grad, numeric, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_no_layer_changes_the_dtype(name, dtype):
    layer, x, params = LAYERS[name]
    if name == "dropout":
        layer = lambda x: layers.dropout(x, mask=MASK.astype(dtype), rate=0.5)  # noqa: E731
    elif name.endswith("squared-error"):
        loss = getattr(layers, name.replace("-", "_"))
        layer = lambda x: loss(x, target=draw(4, 5, seed=1, dtype=dtype))  # noqa: E731
    y, backward = layer(x.astype(dtype), *(param.astype(dtype) for param in params))
    grads = backward(1.0 if np.ndim(y) == 0 else np.ones_like(y))
    assert [str(array.dtype) for array in (y, *grads)] == [dtype] * (1 + len(grads))


@pytest.mark.parametrize("name", LAYERS)
def test_no_layer_changes_its_input(name):
    layer, x, params = LAYERS[name]
    arrays = [x.copy(), *(param.copy() for param in params)]
    y, backward = layer(*arrays)
    grad_y = np.asarray(draw(*np.shape(y), seed=2))
    kept = grad_y.copy()
    backward(grad_y)
    np.testing.assert_array_equal(grad_y, kept)
    for array, original in zip(arrays, (x, *params), strict=True):
        np.testing.assert_array_equal(array, original)


@pytest.mark.parametrize("name", ["dense", "conv2d-3x3"])
def test_input_gradient_can_be_left_out_without_changing_the_others(name):
    layer, x, params = LAYERS[name]
    y, backward = layer(x, *params)
    nothing, *grads = layer(x, *params, input_grad=False)[1](np.ones_like(y))
    assert nothing is None
    for grad, expected in zip(grads, backward(np.ones_like(y))[1:], strict=True):
        np.testing.assert_array_equal(grad, expected)


# ---------------------------------------------------------------- convolutions


def correlate(x, w):
    """`conv2d` by SciPy, one pair of channels at a time."""
    return np.array(
        [[sum(signal.correlate(c, k, "valid", "direct") for c, k in zip(i, f, strict=True)) for f in w] for i in x]
    )


@pytest.mark.parametrize(
    "column_bytes", [1, 1500, layers.COLUMN_BYTES], ids=["narrow-bands", "uneven-bands", "one-band"]
)
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 3)], ids=lambda kernel: "{}x{}".format(*kernel))
def test_conv2d_agrees_with_scipy_however_the_input_is_cut(kernel, column_bytes, monkeypatch):
    monkeypatch.setattr(layers, "COLUMN_BYTES", column_bytes)
    x, w = draw(2, 3, 11, 8), draw(4, 3, *kernel)
    y, backward = layers.conv2d(x, w)
    np.testing.assert_allclose(y, correlate(x, w), rtol=1e-13, atol=1e-13)
    grad_y = draw(*y.shape, seed=1)
    grad_x, grad_w = backward(grad_y)
    # SciPy's own full convolution carries each output's gradient back to the pixels that it saw.
    for image in range(2):
        for channel in range(3):
            full = sum(
                signal.convolve(g, k, "full", "direct") for g, k in zip(grad_y[image], w[:, channel], strict=True)
            )
            np.testing.assert_allclose(grad_x[image, channel], full, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(grad_w, correlate(x.swapaxes(0, 1), grad_y.swapaxes(0, 1)).swapaxes(0, 1), rtol=1e-12)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_conv2d_unfolds_less_than_all_columns(direction):
    x, w = draw(1, 8, 130, 130), draw(8, 8, 3, 3)
    y, backward = layers.conv2d(x, w)
    tracemalloc.start()
    if direction == "forward":
        layers.conv2d(x, w)
    else:
        backward(y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # An output (or a padded gradient and the input's gradient), the buffer, small change; all columns take 9 times x.
    assert peak < 2.2 * x.nbytes + 2 * layers.COLUMN_BYTES < 5 * x.nbytes


def test_conv2d_transpose_is_the_adjoint_of_a_convolution_with_stride_2():
    x, w = draw(2, 3, 4, 5), draw(3, 2, 2, 2)
    image = draw(2, 2, 8, 10, seed=1)
    strided = correlate(image, w)[:, :, ::2, ::2]  # the convolution with the kernel (out 3, in 2, 2, 2)
    y, _ = layers.conv2d_transpose(x, w)
    assert np.vdot(strided, x) == pytest.approx(np.vdot(image, y), rel=1e-12)


def test_conv2d_transpose_agrees_with_scipy_on_an_image_with_zeros_between():
    x, w = draw(1, 3, 4, 5), draw(3, 2, 2, 2)
    spread = np.zeros((3, 8, 10))
    spread[:, ::2, ::2] = x[0]
    y, _ = layers.conv2d_transpose(x, w)
    for filter_index in range(2):
        full = sum(signal.convolve(spread[c], w[c, filter_index], "full", "direct") for c in range(3))
        np.testing.assert_allclose(y[0, filter_index], full[:8, :10], rtol=1e-13, atol=1e-13)


# ---------------------------------------------------------------- pooling, skips


def test_max_pool_takes_each_window_maximum():
    x = draw(2, 3, 6, 9)
    y, _ = layers.max_pool(x)
    expected = [[[[image[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max() for j in range(4)] for i in range(3)]
                 for c in range(3)] for image in x]  # fmt: skip
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    ("window", "winner"),
    [([1, 1, 1, 1], 0), ([0, 1, 1, 1], 1), ([0, 0, 1, 1], 2), ([0, 0, 0, 1], 3), ([0, 1, 1, 0], 1)],
    ids=["all", "last-three", "last-two", "none", "diagonal"],
)
def test_max_pool_gives_a_tie_to_the_first_in_row_order(window, winner):
    _, backward = layers.max_pool(np.array(window, float).reshape(1, 1, 2, 2))
    (grad,) = backward(np.full((1, 1, 1, 1), 5.0))
    np.testing.assert_array_equal(grad.ravel(), 5.0 * np.eye(4)[winner])


@pytest.mark.parametrize("layer", [layers.relu, layers.max_pool], ids=lambda layer: layer.__name__)
def test_nan_is_not_hidden(layer):
    x = np.ones((1, 1, 2, 2))
    x[0, 0, 1, 0] = np.nan
    assert np.isnan(layer(x)[0]).any()


def test_relu_has_no_gradient_at_zero():
    _, backward = layers.relu(np.array([-1.0, -0.0, 0.0, 1.0]))
    np.testing.assert_array_equal(backward(np.ones(4))[0], [0, 0, 0, 1])


def test_concat_skip_crops_the_centre_and_puts_the_skip_first():
    skip = np.arange(36.0).reshape(1, 1, 6, 6)
    y, _ = layers.concat_skip(-np.ones((1, 2, 2, 4)), skips=[skip])
    np.testing.assert_array_equal(y[0, 0], skip[0, 0, 2:4, 1:5])
    np.testing.assert_array_equal(y[0, 1:], -np.ones((2, 2, 4)))


# ---------------------------------------------------------------- BatchNorm, dropout


def test_batch_norm_normalises_with_the_biased_moments_of_the_batch():
    x = 5 + 3 * draw(2, 3, 4, 5)
    y, _ = norm(x, np.ones(3), np.zeros(3), train=True)
    biased = x.var(axis=(0, 2, 3), ddof=0)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-14)
    np.testing.assert_allclose(y.var(axis=(0, 2, 3)), biased / (biased + 1e-5), rtol=1e-12)


def test_batch_norm_moves_the_running_statistics_a_tenth_of_the_way():
    x, old = 5 + 3 * draw(2, 3, 4, 5), running(3)
    new = dict(old)
    layers.batch_norm(x, np.ones(3), np.zeros(3), statistics=new, name="bn", train=True)
    np.testing.assert_allclose(new["bn.mean"], 0.9 * old["bn.mean"] + 0.1 * np.mean(x, axis=(0, 2, 3)), rtol=1e-14)
    np.testing.assert_allclose(new["bn.var"], 0.9 * old["bn.var"] + 0.1 * np.var(x, axis=(0, 2, 3)), rtol=1e-14)
    for name, array in running(3).items():
        np.testing.assert_array_equal(old[name], array, err_msg="the old arrays belong to the net until it steps")


def test_batch_norm_in_eval_mode_uses_the_running_statistics_and_leaves_them():
    x, scale, offset, statistics = draw(2, 3, 4, 5), draw(3), draw(3, seed=1), running(3)
    y, _ = layers.batch_norm(x, scale, offset, statistics=statistics, name="bn", train=False)
    mean, var = running(3).values()
    expected = [(x[:, c] - mean[c]) / np.sqrt(var[c] + 1e-5) * scale[c] + offset[c] for c in range(3)]
    np.testing.assert_allclose(y, np.stack(expected, axis=1), rtol=1e-12, atol=1e-13)
    for name, array in running(3).items():
        np.testing.assert_array_equal(statistics[name], array)


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5])
def test_dropout_scales_what_it_keeps_by_one_over_the_kept_fraction(rate):
    x = draw(2, 3, 4, 5)
    y, _ = layers.dropout(x, mask=MASK, rate=rate)
    np.testing.assert_allclose(y[MASK == 1], x[MASK == 1] / (1 - rate), rtol=1e-15)
    assert not y[MASK == 0].any()


# ---------------------------------------------------------------- sigmoid and losses


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_agrees_with_scipy_and_does_not_overflow(dtype):
    x = np.array([-1e4, -200, -90, -20, -1, 0, 1, 20, 90, 1e4], dtype)
    y, backward = layers.sigmoid(x)
    expected = special.expit(x.astype("float64"))
    np.testing.assert_allclose(y, expected, rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)
    assert np.isfinite(backward(np.ones_like(x))[0]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy_agrees_with_scipy_up_to_huge_logits(dtype):
    logits = np.array([-1e4, -200, -5, 0, 5, 200, 1e4] * 2, dtype)
    target = np.repeat(np.array([0, 1], dtype), 7)
    value, backward = layers.binary_cross_entropy_on_logits(logits, target=target)
    exact = logits.astype("float64")
    expected = np.mean(-target * special.log_expit(exact) - (1 - target) * special.log_expit(-exact))
    eps = float(np.finfo(dtype).eps)
    assert value == pytest.approx(expected, rel=4 * eps)
    np.testing.assert_allclose(backward(1.0)[0], (special.expit(exact) - target) / 14, rtol=8 * eps, atol=eps)


def test_binary_cross_entropy_keeps_the_digits_of_a_tiny_loss():
    value, _ = layers.binary_cross_entropy_on_logits(np.array([40.0]), target=np.array([1.0]))
    assert value == pytest.approx(np.exp(-40.0), rel=1e-12)


@pytest.mark.parametrize(("name", "expected"), [("sum_squared_error", 14.0), ("mean_squared_error", 3.5)])
def test_squared_errors_reduce_over_all_elements(name, expected):
    value, _ = getattr(layers, name)(np.array([[1.0, 2.0], [3.0, 4.0]]), target=np.array([[0.0, 0.0], [0.0, 4.0]]))
    assert value == expected


# ---------------------------------------------------------------- optimizers

START = np.array([1.0, -2.0, 3.0])
GRAD = np.array([0.5, -1e-8, 0.0])


def net_with(optimizer, dtype="float64"):
    """A net that is one vector `p`."""
    spec = specs.ModelSpec(
        request={"model": "vector", "size": "tiny"},
        batch_size=1,
        inputs={},
        output_shape=(),
        params=(specs.TensorSpec("p", (3,), "vector"),),
        statistics=(),
        sizes={},
        loss="sum_squared_error",
        optimizer=optimizer,
        products=(),
        num_certified_steps=1,
    )
    return layers.Net(spec, {"p": START.astype(dtype)})


def after(num_steps, optimizer, dtype="float64"):
    """The net after steps along the same gradient."""
    net = net_with(optimizer, dtype)
    for _ in range(num_steps):
        optimizers.update(net, {"p": GRAD.astype(dtype)})
    return net


@pytest.mark.parametrize("num_steps", [1, 5])
def test_sgd_under_a_constant_gradient(num_steps):
    net = after(num_steps, specs.OptimizerSpec("sgd", learning_rate=0.1))
    np.testing.assert_allclose(net.params["p"], START - 0.1 * num_steps * GRAD, rtol=1e-14)
    assert net.slots == {}


@pytest.mark.parametrize("num_steps", [1, 2, 20])
def test_momentum_under_a_constant_gradient_is_a_geometric_series(num_steps):
    net = after(num_steps, specs.OptimizerSpec("momentum", learning_rate=0.1, momentum=0.8))
    velocities = [(1 - 0.8**t) / (1 - 0.8) * GRAD for t in range(1, num_steps + 1)]
    np.testing.assert_allclose(net.slots["velocity/p"], velocities[-1], rtol=1e-14)
    np.testing.assert_allclose(net.params["p"], START - 0.1 * sum(velocities), rtol=1e-14)


@pytest.mark.parametrize("num_steps", [1, 2, 20])
def test_adam_under_a_constant_gradient_takes_equal_steps(num_steps):
    # Bias correction makes m̂ = g and v̂ = g² at every step, so each step is lr·g / (|g| + eps): half the rate where
    # |g| = eps. With eps before the correction the first step there would be 1/(1 + 31.6) of the rate.
    net = after(num_steps, specs.OptimizerSpec("adam", learning_rate=0.1, eps=1e-8))
    np.testing.assert_allclose(net.params["p"], START - 0.1 * num_steps * GRAD / (np.abs(GRAD) + 1e-8), rtol=1e-12)
    np.testing.assert_allclose(net.slots["m/p"], (1 - 0.9**num_steps) * GRAD, rtol=1e-12)
    np.testing.assert_allclose(net.slots["v/p"], (1 - 0.999**num_steps) * GRAD**2, rtol=1e-10)


def test_adam_follows_a_changing_gradient():
    # Algorithm 1 of Kingma and Ba, written out for one number and two steps.
    net = net_with(specs.OptimizerSpec("adam", learning_rate=0.1, beta1=0.5, beta2=0.75, eps=0.5))
    optimizers.update(net, {"p": np.full(3, 2.0)})  # m = 1, v = 1, m̂ = 2, v̂ = 4
    np.testing.assert_allclose(net.params["p"], START - 0.1 * 2 / 2.5, rtol=1e-14)
    optimizers.update(net, {"p": np.full(3, -4.0)})  # m = -1.5, v = 4.75, m̂ = -2, v̂ = 4.75 / 0.4375
    expected = START - 0.1 * 2 / 2.5 + 0.1 * 2 / (np.sqrt(4.75 / 0.4375) + 0.5)
    np.testing.assert_allclose(net.params["p"], expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_no_optimizer_changes_the_dtype(name, dtype):
    net = after(2, specs.OptimizerSpec(name, learning_rate=0.1), dtype)
    assert {str(array.dtype) for array in (*net.params.values(), *net.slots.values())} == {dtype}


def test_a_net_keeps_its_own_copy_of_the_parameters():
    start = START.copy()
    net = layers.Net(specs.get("two_layer", "tiny"), {"w1": start, "w2": start})
    net.params["w1"] += 1
    np.testing.assert_array_equal(start, START)
    np.testing.assert_array_equal(net.params["w2"], START)
