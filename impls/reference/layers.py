"""Layers with their gradients, in NumPy, for float32 and float64 alike.

A layer is a function that returns its output and `backward`, the function that turns the gradient of the loss with
respect to that output into a tuple: the gradient with respect to the input, then one for each parameter, in order.
(JAX calls this a vector-Jacobian product.) Constants are Python numbers throughout: those take the dtype of the array
that they meet, where a NumPy float64 scalar would silently promote a float32 array.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from impls.contract import Arrays
from impls.specs import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, ModelSpec

Backward = Callable[[Any], tuple]
Layer = tuple[np.ndarray, Backward]

COLUMN_BYTES = 2**20
"""Size of the buffer that a convolution unfolds its input into: small enough for a core's cache, measured fastest."""


class Net:
    """A model's state: parameters, BatchNorm statistics, optimizer slots, and the number of steps taken."""

    def __init__(self, spec: ModelSpec, params: Arrays) -> None:
        """Copy the canonical `params` (parameters and statistics), because training updates them in place."""
        self.optimizer = spec.optimizer
        self.params = {tensor.name: np.array(params[tensor.name], order="C") for tensor in spec.params}
        self.statistics = {tensor.name: np.array(params[tensor.name]) for tensor in spec.statistics}
        self.slots = {
            f"{slot}/{name}": np.zeros_like(param)
            for slot in spec.optimizer.slots
            for name, param in self.params.items()
        }
        self.num_steps = 0


class Tape:
    """Runs layers forward and, when training, remembers how to go back.

    The idea is the tape (Wengert list) of reverse-mode differentiation: going back is calling the layers' `backward`
    in reverse order. `statistics` starts as the net's and receives the updates that a training step will keep. `skips`
    carries activations from `push_skip` to `concat_skip`, and then their gradients the other way. If `outputs` is made
    a dictionary, it receives the output of each layer that has parameters.
    """

    def __init__(self, net: Net, train: bool) -> None:
        """Take parameters from `net`; in eval mode nothing is remembered, so that memory is freed at once."""
        self.params = net.params
        self.statistics = dict(net.statistics)
        self.skips: list[np.ndarray] = []
        self.train = train
        self.outputs: dict[str, np.ndarray] | None = None
        self._entries: list[tuple[Backward, tuple[str, ...]]] = []

    def __call__(self, layer: Callable[..., Layer], x: np.ndarray, *names: str, **options: Any) -> np.ndarray:
        """Return the output of `layer` on `x` with the parameters called `names`."""
        y, backward = layer(x, *(self.params[name] for name in names), **options)
        if self.train:
            self._entries.append((backward, names))
        if names and self.outputs is not None:
            self.outputs[names[0].rpartition(".")[0]] = y
        return y

    def backward(self) -> dict[str, np.ndarray]:
        """Return the gradient of the last output, a scalar loss, with respect to every parameter, by name."""
        grad: Any = 1.0
        grads: dict[str, np.ndarray] = {}
        while self._entries:
            backward, names = self._entries.pop()  # popped, so that what the layer kept is freed on the way
            grad, *param_grads = backward(grad)
            grads.update(zip(names, param_grads, strict=True))
        return grads


# ---------------------------------------------------------------- fully connected, activations


def dense(x: np.ndarray, w: np.ndarray, b: np.ndarray, input_grad: bool = True) -> Layer:
    """Return x·w + b for x (N, in), w (in, out), b (out,); without `input_grad` the gradient of x is None."""

    def backward(grad_y: np.ndarray) -> tuple:
        return (grad_y @ w.T if input_grad else None), x.T @ grad_y, grad_y.sum(axis=0)

    return x @ w + b, backward


def relu(x: np.ndarray) -> Layer:
    """Return max(x, 0); the gradient at exactly 0 is 0, as in every framework."""
    y = np.maximum(x, 0)
    return y, lambda grad_y: (grad_y * (y > 0),)


def logistic(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) without overflow: exp only ever sees arguments that are not positive."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def sigmoid(x: np.ndarray) -> Layer:
    """Return 1 / (1 + exp(-x))."""
    y = logistic(x)
    return y, lambda grad_y: (grad_y * y * (1 - y),)


# ---------------------------------------------------------------- convolutions


def _unfold(x: np.ndarray, w: np.ndarray) -> Iterator[tuple[int, slice, np.ndarray]]:
    """Yield image index, output pixels, and columns: a matrix (C·h·w, pixels) of the windows that w (O, C, h, w) sees.

    This is im2col, a band of output rows at a time, always into the same buffer, which must be used before the next
    one is asked for: all columns of a 3x3 convolution would take nine times the memory of its input. A band has at
    least O pixels, if the image has, so that reading the kernel costs no more than reading the columns.
    """
    num_filters, _, height, width = w.shape
    # (N, C, H', W', height, width), a view
    windows = sliding_window_view(x, (height, width), axis=(2, 3), subok=True)
    num_images, _, out_height, out_width = windows.shape[:4]
    band_pixels = max(COLUMN_BYTES // (w[0].size * x.itemsize), num_filters)
    band = min(out_height, -(-band_pixels // out_width))
    buffer = np.empty_like(x, order="C", shape=w[0].size * band * out_width)
    for image in range(num_images):
        for start in range(0, out_height, band):
            rows = windows[image, :, start : start + band].transpose(0, 3, 4, 1, 2)  # (C, height, width, rows, W')
            columns = buffer[: rows.size].reshape(rows.shape)
            columns[...] = rows
            pixels = slice(start * out_width, start * out_width + rows.shape[3] * out_width)
            yield image, pixels, columns.reshape(w[0].size, -1)


def _correlate(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the valid cross-correlation of x (N, C, H, W) with w (O, C, h, w): (N, O, H - h + 1, W - w + 1)."""
    num_filters, _, height, width = w.shape
    shape = len(x), num_filters, x.shape[2] - height + 1, x.shape[3] - width + 1
    y = np.empty_like(x, order="C", shape=shape)
    y_flat = y.reshape(len(x), num_filters, -1)
    w_matrix = w.reshape(num_filters, -1)
    for image, pixels, columns in _unfold(x, w):
        np.matmul(w_matrix, columns, out=y_flat[image, :, pixels])
    return y


def conv2d(x: np.ndarray, w: np.ndarray, input_grad: bool = True) -> Layer:
    """Convolve x (N, C, H, W) with w (O, C, h, w), "valid", stride 1; without `input_grad` the gradient of x is None.

    Convolution as a matrix product is from Chellapilla, Puri and Simard (2006). The columns are not kept for the
    backward pass but unfolded again, for they are nine times as large as the input.
    """

    def backward(grad_y: np.ndarray) -> tuple:
        num_filters, _, height, width = w.shape
        grad_y_flat = grad_y.reshape(len(x), num_filters, -1)
        grad_w = np.zeros_like(w, order="C", shape=(num_filters, w[0].size))
        for image, pixels, columns in _unfold(x, w):
            grad_w += grad_y_flat[image, :, pixels] @ columns.T
        if not input_grad:
            return None, grad_w.reshape(w.shape)
        # Each input pixel collects from the outputs whose windows hold it: a "full" correlation with the kernel turned
        # by 180 degrees, its input and output channels swapped.
        turned = np.ascontiguousarray(w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1])
        return _correlate(_pad(grad_y, height - 1, width - 1), turned), grad_w.reshape(w.shape)

    return _correlate(x, w), backward


def conv2d_bias(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> Layer:
    """Return `conv2d` of x and w, plus b (O,)."""
    y, conv2d_backward = conv2d(x, w)
    y += b[:, None, None]
    return y, lambda grad_y: (*conv2d_backward(grad_y), grad_y.sum(axis=(0, 2, 3)))


def conv2d_transpose(x: np.ndarray, w: np.ndarray) -> Layer:
    """Double the size of x (N, C, H, W) with w (C, O, 2, 2) and stride 2: (N, O, 2H, 2W).

    Stride and kernel are equal, so no two input pixels write to the same output pixel: one matrix product gives the
    2x2 patch of every pixel, and what is left is to put the patches in place.
    """
    num_images, channels, height, width = x.shape
    num_filters = w.shape[1]
    x_flat = x.reshape(num_images, channels, height * width)
    w_matrix = w.reshape(channels, num_filters * 4)
    patches = (w_matrix.T @ x_flat).reshape(num_images, num_filters, 2, 2, height, width)
    y = patches.transpose(0, 1, 4, 2, 5, 3).reshape(num_images, num_filters, 2 * height, 2 * width)

    def backward(grad_y: np.ndarray) -> tuple:
        grad_patches = grad_y.reshape(num_images, num_filters, height, 2, width, 2).transpose(0, 1, 3, 5, 2, 4)
        columns = grad_patches.reshape(num_images, num_filters * 4, height * width)
        grad_w = sum(image @ image_columns.T for image, image_columns in zip(x_flat, columns, strict=True))
        return (w_matrix @ columns).reshape(x.shape), grad_w.reshape(w.shape)

    return y, backward


def _pad(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return x (N, C, H, W) with a border of zeros, `height` rows and `width` columns on each side."""
    shape = *x.shape[:2], x.shape[2] + 2 * height, x.shape[3] + 2 * width
    padded = np.zeros_like(x, order="C", shape=shape)
    padded[:, :, height : height + x.shape[2], width : width + x.shape[3]] = x
    return padded


def max_pool(x: np.ndarray) -> Layer:
    """Return the maximum of each 2x2 window of x (N, C, H, W): (N, C, H // 2, W // 2).

    Where a window holds its maximum more than once, the first in row order gets the gradient, as in every framework.
    """
    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2  # an odd last row or column belongs to no window
    corners = [(slice(None), slice(None), slice(i, height, 2), slice(j, width, 2)) for i in (0, 1) for j in (0, 1)]
    y = np.maximum(np.maximum(x[corners[0]], x[corners[1]]), np.maximum(x[corners[2]], x[corners[3]]))

    def backward(grad_y: np.ndarray) -> tuple:
        grad_x = np.zeros_like(x)
        free = np.ones(y.shape, bool)
        for corner in corners:
            winner = free & (x[corner] == y)
            grad_x[corner] = grad_y * winner
            free &= ~winner
        return (grad_x,)

    return y, backward


# ---------------------------------------------------------------- normalisation, dropout


def batch_norm(
    x: np.ndarray, scale: np.ndarray, offset: np.ndarray, statistics: dict[str, np.ndarray], name: str, train: bool
) -> Layer:
    """Normalise each channel of x (N, C, H, W), then apply scale (C,) and offset (C,): Ioffe and Szegedy (2015).

    In train mode the moments are the batch's, and `statistics[name.mean]`, `statistics[name.var]` are replaced by new
    arrays that have moved towards them; in eval mode the moments are those statistics. The variance is the biased one.
    """
    if train:
        mean = x.mean(axis=(0, 2, 3))
        centred = x - mean[:, None, None]
        var = np.square(centred).mean(axis=(0, 2, 3))
        for key, moment in ((f"{name}.mean", mean), (f"{name}.var", var)):
            statistics[key] = (1 - BATCH_NORM_MOMENTUM) * statistics[key] + BATCH_NORM_MOMENTUM * moment
    else:
        mean, var = statistics[f"{name}.mean"], statistics[f"{name}.var"]
        centred = x - mean[:, None, None]
    inv_std = 1 / np.sqrt(var + BATCH_NORM_EPS)
    normalised = centred
    normalised *= inv_std[:, None, None]
    num_values = x.size // x.shape[1]  # here, because `backward` would keep x alive to ask for it
    y = normalised * scale[:, None, None]
    y += offset[:, None, None]

    def backward(grad_y: np.ndarray) -> tuple:
        grad_offset = grad_y.sum(axis=(0, 2, 3))
        grad_scale = np.einsum("nchw,nchw->c", grad_y, normalised)
        grad_x = grad_y * (scale * inv_std)[:, None, None]
        if train:  # the batch's mean and variance depend on x too; they take away what they contribute
            grad_x -= normalised * (scale * inv_std * grad_scale / num_values)[:, None, None]
            grad_x -= (scale * inv_std * grad_offset / num_values)[:, None, None]
        return grad_x, grad_scale, grad_offset

    return y, backward


def dropout(x: np.ndarray, mask: np.ndarray, rate: float) -> Layer:
    """Keep the units where `mask` is 1 and scale them by 1 / (1 - rate), so that the expectation does not change."""
    kept = mask / (1 - rate)
    return x * kept, lambda grad_y: (grad_y * kept,)


# ---------------------------------------------------------------- skip connections


def push_skip(x: np.ndarray, skips: list[np.ndarray]) -> Layer:
    """Return x, and push it on `skips`; on the way back, add the gradient that `concat_skip` left there."""
    skips.append(x)
    return x, lambda grad_y: (grad_y + skips.pop(),)


def concat_skip(x: np.ndarray, skips: list[np.ndarray]) -> Layer:
    """Pop a skip, crop its centre to the size of x, and put it before x on the channel axis.

    On the way back the stack works the other way round: the gradient of the skip is pushed.
    """
    skip_shape = skips[-1].shape
    rows, columns = (skip_shape[axis] - x.shape[axis] for axis in (2, 3))
    top, left = rows // 2, columns // 2
    centre = (slice(None), slice(None), slice(top, top + x.shape[2]), slice(left, left + x.shape[3]))
    y = np.concatenate((skips.pop()[centre], x), axis=1)

    def backward(grad_y: np.ndarray) -> tuple:
        grad_skip = np.zeros_like(grad_y, order="C", shape=skip_shape)
        grad_skip[centre] = grad_y[:, : skip_shape[1]]
        skips.append(grad_skip)
        return (grad_y[:, skip_shape[1] :],)

    return y, backward


# ---------------------------------------------------------------- losses: scalars, so that grad_y is a scalar too


def sum_squared_error(prediction: np.ndarray, target: np.ndarray) -> Layer:
    """Return Σ (prediction - target)²."""
    error = prediction - target
    return np.square(error).sum(), lambda grad_y: (2 * grad_y * error,)


def mean_squared_error(prediction: np.ndarray, target: np.ndarray) -> Layer:
    """Return the mean of (prediction - target)² over all elements."""
    error = prediction - target
    return np.square(error).mean(), lambda grad_y: (2 * grad_y / error.size * error,)


def binary_cross_entropy_on_logits(logits: np.ndarray, target: np.ndarray) -> Layer:
    """Return the mean of -y·log p - (1-y)·log(1-p) with p = sigmoid(logits), without overflow at large logits.

    The stable form max(z, 0) - z·y + log(1 + exp(-|z|)) is the one that TensorFlow documents.
    """
    terms = np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
    return terms.mean(), lambda grad_y: (grad_y / logits.size * (logistic(logits) - target),)
