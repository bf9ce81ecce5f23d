"""The oracle's nets: gradients against central differences, forward passes against SciPy, steps against the spec."""

import importlib
import tracemalloc
from collections import defaultdict

import numpy as np
import pytest
from scipy import signal, special
from threadpoolctl import threadpool_limits

from impls import specs
from impls.reference import BACKEND, layers, runtime

DTYPES = ["float32", "float64"]
NETS = {
    "two_layer": specs.get("two_layer", "tiny"),
    "autoencoder": specs.get("autoencoder", "tiny"),
    "recurrent": specs.get("recurrent", "tiny"),
    "unet": specs.get("unet", "tiny"),
    "unet-batch-of-2": specs.get("unet", "tiny", batch_size=2),
}
each_net = pytest.mark.parametrize("spec", NETS.values(), ids=NETS)
each_model = pytest.mark.parametrize("spec", [NETS[model] for model in specs.MODELS], ids=specs.MODELS)


def draw_batch(spec, dtype="float64"):
    """A batch of the spec's shapes: noise, for the U-Net labels and a mask of zeros and ones, lengths of 1 to T."""
    rng = np.random.default_rng(1)
    batch = {name: rng.normal(size=shape) for name, shape in spec.inputs.items()}
    if spec.model == "recurrent":
        batch["length"] = np.resize([2, spec.sizes["T"], 1, 3], spec.batch_size)
    if spec.model == "unet":
        batch["y"] = batch["y"] > 0
        batch["dropout"] = batch["dropout"] > 0
    return {name: array.astype(dtype) for name, array in batch.items()}


def implementation(spec):
    return importlib.import_module(f"impls.reference.{spec.model}")


def build(spec, dtype="float64"):
    """The net with every parameter and statistic off its initial constant, so that scale and offset matter."""
    params = spec.initial(seed=0, dtype=dtype)
    rng = np.random.default_rng(2)
    for tensor in (*spec.params, *spec.statistics):
        if tensor.kind == "vector":
            params[tensor.name] += 0.1 * rng.normal(size=tensor.shape).astype(dtype)
    return implementation(spec).build(spec, params)


def state(net):
    return {name: array.copy() for name, array in {**net.params, **net.statistics, **net.slots}.items()}


def program(spec, dtype="float64"):
    return runtime.Program(implementation(spec), spec, spec.initial(0, dtype), BACKEND.variants[0])


# ---------------------------------------------------------------- gradients


def directional_difference(spec, net, batch, name, direction, step=1e-6):
    """The derivative of the loss along `direction` in the parameter `name`, from two losses."""
    origin = net.params[name]
    losses = []
    for sign in (1, -1):
        net.params[name] = origin + sign * step * direction
        losses.append(implementation(spec).loss(net, batch))
    net.params[name] = origin
    return (losses[0] - losses[1]) / (2 * step)


@each_model
def test_every_gradient_agrees_with_a_central_difference(spec):
    """Per parameter, along a drawn direction and along the gradient itself, where the difference is its norm.

    The step is so small that none of these draws moves a ReLU or a maximum to its other side, which would add an error
    of 1e-5; what is left is rounding, about 1e-8 of the gradient's norm.
    """
    net, batch = build(spec), draw_batch(spec)
    _, grads = implementation(spec).gradients(net, batch)
    assert set(grads) == {tensor.name for tensor in spec.params}
    rng = np.random.default_rng(3)
    for tensor in spec.params:
        grad = grads[tensor.name]
        assert grad.shape == tensor.shape
        norm = np.linalg.norm(grad)
        assert norm > 0, tensor.name
        drawn = rng.normal(size=tensor.shape)
        for direction in (drawn / np.linalg.norm(drawn), grad / norm):
            numeric = directional_difference(spec, net, batch, tensor.name, direction)
            assert numeric == pytest.approx(np.vdot(grad, direction), abs=1e-7 * norm), tensor.name


@pytest.mark.parametrize("name", ["two_layer", "autoencoder", "recurrent", "unet-batch-of-2"])
def test_single_entries_of_the_gradients_agree_with_central_differences(name):
    """Two drawn entries of each parameter; of every fifth one for the U-Net, to save time."""
    spec = NETS[name]
    net, batch = build(spec), draw_batch(spec)
    _, grads = implementation(spec).gradients(net, batch)
    rng = np.random.default_rng(4)
    for tensor in spec.params[:: 5 if spec.model == "unet" else 1]:
        grad = grads[tensor.name]
        for _ in range(2):
            index = tuple(rng.integers(tensor.shape))
            direction = np.zeros(tensor.shape)
            direction[index] = 1
            numeric = directional_difference(spec, net, batch, tensor.name, direction)
            assert numeric == pytest.approx(grad[index], abs=1e-7 * np.linalg.norm(grad)), (tensor.name, index)


@each_net
def test_gradients_changes_nothing_and_repeats(spec):
    net, batch = build(spec), draw_batch(spec)
    before = state(net)
    value, grads = implementation(spec).gradients(net, batch)
    again_value, again = implementation(spec).gradients(net, batch)
    assert value == again_value == implementation(spec).loss(net, batch)
    for name, array in state(net).items():
        np.testing.assert_array_equal(array, before[name])
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, again[name])


# ---------------------------------------------------------------- forward passes, by other means


def test_two_layer_agrees_with_sums_over_indices():
    spec = NETS["two_layer"]
    net, batch = build(spec), draw_batch(spec)
    h = np.einsum("nd,dh->nh", batch["x"], net.params["w1"])
    y_pred = np.einsum("nh,ho->no", np.where(h > 0, h, 0), net.params["w2"])
    np.testing.assert_allclose(implementation(spec).forward(net, batch), y_pred, rtol=1e-12)
    assert implementation(spec).loss(net, batch) == pytest.approx(((y_pred - batch["y"]) ** 2).sum(), rel=1e-12)


def test_autoencoder_agrees_with_scipy():
    spec = NETS["autoencoder"]
    net, batch = build(spec), draw_batch(spec)
    h = batch["x"]
    for layer in ("encoder1", "encoder2", "decoder1", "decoder2"):
        h = np.einsum("nd,dh->nh", h, net.params[f"{layer}.w"]) + net.params[f"{layer}.b"]
        h = special.expit(h) if layer == "decoder2" else np.where(h > 0, h, 0)
    np.testing.assert_allclose(implementation(spec).forward(net, batch), h, rtol=1e-12)
    assert implementation(spec).loss(net, batch) == pytest.approx(((h - batch["y"]) ** 2).sum() / h.size, rel=1e-12)


def test_recurrent_reads_each_example_alone_to_its_end():
    """The definition without a mask, example by example; what stands in the padding does not matter."""
    spec = NETS["recurrent"]
    net, batch = build(spec), draw_batch(spec)
    p, logits = net.params, []
    for x, length in zip(batch["x"], batch["length"], strict=True):
        h = np.zeros(spec.sizes["H"])
        for x_t in x[: int(length)]:
            h = np.tanh(np.einsum("d,dh->h", x_t, p["rnn.w_x"]) + np.einsum("g,gh->h", h, p["rnn.w_h"]) + p["rnn.b_h"])
        logits.append(np.einsum("h,ho->o", h, p["head.w"]) + p["head.b"])
    np.testing.assert_allclose(implementation(spec).forward(net, batch), logits, rtol=1e-12)
    probability = special.expit(np.array(logits))
    expected = -special.xlogy(batch["y"], probability) - special.xlog1py(1 - batch["y"], -probability)
    assert implementation(spec).loss(net, batch) == pytest.approx(expected.mean(), rel=1e-12)
    padding = np.arange(spec.sizes["T"]) >= batch["length"][:, None]
    assert padding.any()
    padded = {**batch, "x": np.where(padding[:, :, None], 1e6, batch["x"])}
    np.testing.assert_array_equal(implementation(spec).forward(net, padded), implementation(spec).forward(net, batch))
    for name, grad in implementation(spec).gradients(net, batch)[1].items():
        np.testing.assert_array_equal(implementation(spec).gradients(net, padded)[1][name], grad)


def scipy_unet(net, image):
    """Logits (H, W) of one image (3, H, W) in eval mode, channel by channel, by SciPy's correlation and convolution."""

    def double_conv(block, x):
        for index in (1, 2):
            x = [sum(map(valid, x, kernels)) for kernels in net.params[f"{block}.conv{index}.w"]]
            norm = f"{block}.bn{index}"
            mean, var = net.statistics[f"{norm}.mean"], net.statistics[f"{norm}.var"]
            scale, offset = net.params[f"{norm}.scale"], net.params[f"{norm}.offset"]
            x = [(c - m) / np.sqrt(v + 1e-5) * s + o for c, m, v, s, o in zip(x, mean, var, scale, offset, strict=True)]
            x = [np.where(channel > 0, channel, 0) for channel in x]
        return x

    def valid(channel, kernel):
        return signal.correlate(channel, kernel, "valid", "direct")

    def spread(channel):
        return np.kron(channel, [[1, 0], [0, 0]])

    x, skips = list(image), []
    for level in (1, 2, 3, 4):
        skips.append(double_conv(f"down{level}", x))
        x = [c.reshape(len(c) // 2, 2, len(c) // 2, 2).max(axis=(1, 3)) for c in skips[-1]]
    x = double_conv("bottleneck", x)
    for level in (4, 3, 2, 1):
        kernels = net.params[f"up{level}.up.w"].swapaxes(0, 1)
        size = 2 * len(x[0])
        x = [sum(signal.convolve(spread(c), k, "full", "direct") for c, k in zip(x, w, strict=True)) for w in kernels]
        x = [c[:size, :size] for c in x]
        skip = skips.pop()
        start = (len(skip[0]) - size) // 2
        x = double_conv(f"up{level}", [c[start : start + size, start : start + size] for c in skip] + x)
    return sum(c * w for c, w in zip(x, net.params["head.w"][0, :, 0, 0], strict=True)) + net.params["head.b"]


@pytest.mark.parametrize("spec", [NETS["unet"], NETS["unet-batch-of-2"]], ids=["batch-of-1", "batch-of-2"])
def test_unet_in_eval_mode_agrees_with_scipy_image_by_image(spec):
    net, batch = build(spec), draw_batch(spec)
    logits = implementation(spec).forward(net, batch)
    assert logits.shape == spec.output_shape
    for image, image_logits in zip(batch["x"], logits, strict=True):
        np.testing.assert_allclose(image_logits[0], scipy_unet(net, image), rtol=1e-11, atol=1e-11)


def test_unet_in_train_mode_uses_the_mask_and_in_eval_mode_does_not():
    spec = NETS["unet"]
    net, batch = build(spec), draw_batch(spec)
    turned = {**batch, "dropout": 1 - batch["dropout"]}
    assert implementation(spec).loss(net, batch) != implementation(spec).loss(net, turned)
    without = {"x": batch["x"]}
    logits = implementation(spec).forward(net, without)
    np.testing.assert_array_equal(logits, implementation(spec).forward(net, batch))


# ---------------------------------------------------------------- training steps


@each_net
def test_train_step_applies_the_optimizer_of_the_spec(spec):
    """Two steps; what the second adds is known from the gradients at its start."""
    net, batch = build(spec), draw_batch(spec)
    net_implementation, optimizer = implementation(spec), spec.optimizer
    seen = []
    for _ in range(2):
        before, (value, grads) = state(net), net_implementation.gradients(net, batch)
        seen.append(grads)
        assert net_implementation.train_step(net, batch) == value
        for tensor in spec.params:
            first, grad = seen[0][tensor.name], grads[tensor.name]
            second = len(seen) == 2
            if optimizer.name == "sgd":
                update = grad
            elif optimizer.name == "momentum":
                update = 0.9 * first + grad if second else grad
            else:
                m_hat = (0.9 * 0.1 * first + 0.1 * grad) / (1 - 0.9**2) if second else grad
                v_hat = (0.999 * 0.001 * first**2 + 0.001 * grad**2) / (1 - 0.999**2) if second else grad**2
                update = m_hat / (np.sqrt(v_hat) + 1e-8)
            expected = before[tensor.name] - optimizer.learning_rate * update
            np.testing.assert_allclose(net.params[tensor.name], expected, rtol=1e-11, atol=1e-13)


def test_unet_train_step_moves_the_running_statistics_towards_the_batch():
    spec = NETS["unet-batch-of-2"]
    net, batch = build(spec), draw_batch(spec)
    before = state(net)
    implementation(spec).train_step(net, batch)
    weights = before["down1.conv1.w"]
    for index, kernels in enumerate(weights):
        maps = [
            sum(signal.correlate(c, k, "valid", "direct") for c, k in zip(x, kernels, strict=True)) for x in batch["x"]
        ]
        for moment, value in (("mean", np.mean(maps)), ("var", np.var(maps))):
            name = f"down1.bn1.{moment}"
            assert net.statistics[name][index] == pytest.approx(0.9 * before[name][index] + 0.1 * value, rel=1e-12)
    for tensor in spec.statistics:
        assert (net.statistics[tensor.name] != before[tensor.name]).all(), tensor.name


@each_net
def test_training_lowers_the_loss(spec):
    net, batch = build(spec), draw_batch(spec)
    losses = [float(implementation(spec).train_step(net, batch)) for _ in range(8)]
    assert losses[-1] < losses[0]


def test_what_the_unet_keeps_for_its_backward_pass_is_what_the_backward_pass_needs(monkeypatch):
    """The inputs of convolutions and what BatchNorm normalised, but neither columns nor a convolution's output."""
    spec = NETS["unet"]
    net, batch = build(spec), draw_batch(spec)
    num_bytes = defaultdict(int)
    plain_call = layers.Tape.__call__

    def counting_call(tape, layer, x, *names, **options):
        y = plain_call(tape, layer, x, *names, **options)
        num_bytes[layer.__name__] += y.nbytes
        return y

    monkeypatch.setattr(layers.Tape, "__call__", counting_call)
    tape = layers.Tape(net, train=True)
    tracemalloc.start()
    implementation(spec).recorded_loss(tape, batch)
    kept = tracemalloc.get_traced_memory()[0]
    tape.backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    needed = sum(num_bytes[layer] for layer in ("batch_norm", "relu", "max_pool", "concat_skip"))
    assert kept < 1.1 * needed
    assert peak < 1.1 * needed + 4 * layers.COLUMN_BYTES
    assert not tape.skips


# ---------------------------------------------------------------- through the contract


@each_net
@pytest.mark.parametrize("dtype", DTYPES)
def test_program_stays_in_the_precision_of_its_parameters(spec, dtype):
    net = program(spec, dtype)
    batch = net.prepare(draw_batch(spec))
    value, grads = net.gradients(batch)
    arrays = {"loss": value, "output": net.forward(batch), "step": net.train_step(batch), **batch, **grads}
    assert {name: str(array.dtype) for name, array in arrays.items()} == dict.fromkeys(arrays, dtype)
    assert {name: str(array.dtype) for name, array in net.state().items()} == dict.fromkeys(net.state(), dtype)


@each_net
def test_float32_and_float64_differ_by_rounding_only(spec):
    outputs, losses = [], []
    for dtype in DTYPES:
        net = program(spec, dtype)
        batch = net.prepare(draw_batch(spec, "float32"))
        outputs.append(net.forward(batch).astype("float64"))
        losses.append(float(net.train_step(batch)))
    error = np.linalg.norm(outputs[0] - outputs[1]) / np.linalg.norm(outputs[1])
    assert 1e-9 < error < 1e-5  # zero would mean that both ran in one precision
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@each_model
def test_program_state_is_a_copy_with_every_canonical_name_and_shape(spec):
    net = program(spec)
    names = {tensor.name: tensor.shape for tensor in (*spec.params, *spec.statistics)}
    names |= {f"{slot}/{tensor.name}": tensor.shape for slot in spec.optimizer.slots for tensor in spec.params}
    before = net.state()
    assert {name: array.shape for name, array in before.items()} == names
    kept = {name: array.copy() for name, array in before.items()}
    net.train_step(net.prepare(draw_batch(spec)))
    for name, array in before.items():
        np.testing.assert_array_equal(array, kept[name])
        assert (net.state()[name] != array).any(), name


def test_configure_sets_and_reports_the_threads_of_the_blas_library():
    with threadpool_limits():  # puts back what the other tests run with
        facts = runtime.configure(BACKEND.variants[0], num_threads=1, device="cpu")
    assert facts["device"] == "cpu"
    assert facts["versions"] == {"numpy": np.__version__}
    assert all(text.endswith(" 1 threads") for text in facts["flags"].values())


def test_configure_refuses_a_gpu_in_one_clear_sentence():
    with pytest.raises(RuntimeError, match="NumPy computes on the CPU only: choose --device cpu"):
        runtime.configure(BACKEND.variants[0], num_threads=1, device="gpu")
