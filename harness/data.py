"""The batches that every framework trains on: real pictures that ship with scikit-learn, as NumPy arrays from a seed.

Nothing here knows a framework; a `ModelSpec` says which entries a batch has and which shapes. scikit-learn, SciPy and
pandas are imported inside functions, because importing them takes longer than most commands that only list things.
"""

import base64
import csv as csv_module
import io
import itertools
import math
import re
import warnings
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image

from impls.specs import DROPOUT_RATE, MODELS, NUM_DIGITS, ModelSpec

NOISE_STDDEV = 0.1
"""Of the Gaussian noise on the autoencoder's input; the noisy picture is not clipped."""
NUM_TRAIN_DIGITS = 1500
TRAIN_FRACTION_OF_CSV = 5 / 6
"""About the same share as 1500 of scikit-learn's 1797 digits."""
SPLIT_SEED = 0
"""Splits training from held-out images alike in every run, whatever the run's own seed."""
MASK_BLUE_BELOW = 0.6
MAX_SHIFT_FRACTION = 1 / 16

_DIGIT_PIXELS = 28
_SIGN_MNIST_COLUMNS = ["label", *(f"pixel{number}" for number in range(1, _DIGIT_PIXELS**2 + 1))]


def batches(spec: ModelSpec, seed: int, num_batches: int, csv: str | Path | None = None) -> list[dict[str, np.ndarray]]:
    """Return `num_batches` batches: float32, C-contiguous, names and shapes as in `spec.inputs`.

    A batch depends on the seed and its own number alone, so a longer list begins with the shorter one.

    - two_layer: x and y standard normal, as in the lecture code.
    - autoencoder: y = training images in [0, 1], shuffled anew in every epoch; x = y + N(0, 0.1).
    - recurrent: x = the rows of a training image, enlarged to T rows of D_in pixels, from the top down to a row that is
      drawn, zeros below; length = how many rows, from 1 to T, and T in one example at least: a batch is padded to its
      longest. y = 1 for the digit that it shows, else 0.
    - unet: x = the photograph, standardised per channel; y = its mask (see `photograph_mask`), cut to the output's
      pixels. The first sample is the photograph's centre; the others are shifted sideways, and half of them flipped.
      dropout = 1 for each unit that is kept, else 0.

    Args:
        spec: the net that will be fed.
        seed: of everything random.
        num_batches: how many.
        csv: a sign-language MNIST file for the autoencoder to use in place of the digits; other nets ignore it.

    Raises:
        ValueError: no batches for this model, or a malformed CSV file.
    """
    if spec.model == "two_layer":
        made = _two_layer_batches(spec, seed, num_batches)
    elif spec.model == "autoencoder":
        made = _autoencoder_batches(spec, seed, num_batches, _split_images(csv)[0])
    elif spec.model == "recurrent":
        made = _recurrent_batches(spec, seed, num_batches)
    elif spec.model == "unet":
        made = _unet_batches(spec, seed, num_batches)
    else:
        raise ValueError(f"no data for model {spec.model!r}; there is data for {', '.join(MODELS)}")
    return [{name: np.ascontiguousarray(batch[name], dtype=np.float32) for name in spec.inputs} for batch in made]


def held_out(spec: ModelSpec, seed: int, num_images: int, csv: str | Path | None = None) -> dict[str, np.ndarray]:
    """Return {"x", "y"}, each (num_images, 784) float32, of images that `batches` never trains the autoencoder on.

    Raises:
        ValueError: not the autoencoder, fewer held-out images than asked for, or a malformed CSV file.
    """
    if spec.model != "autoencoder":
        raise ValueError(f"images are held out for the autoencoder only, not for {spec.model!r}")
    _, images = _split_images(csv)
    if not 1 <= num_images <= len(images):
        raise ValueError(f"cannot give {num_images} held-out images: choose 1 to {len(images)}")
    y = images[:num_images].copy()
    return {"x": _with_noise(y, _rng("held-out noise", seed)), "y": y}


def _rng(purpose: str, *numbers: int) -> np.random.Generator:
    """Return a stream of its own for each purpose, so that drawing more of one thing leaves the others as they were."""
    return np.random.default_rng([zlib.crc32(purpose.encode()), *numbers])


# ---------------------------------------------------------------- the nets


def _two_layer_batches(spec: ModelSpec, seed: int, num_batches: int) -> Iterator[dict[str, np.ndarray]]:
    for index in range(num_batches):
        rng = _rng("two_layer", seed, index)
        yield {name: rng.standard_normal(shape) for name, shape in spec.inputs.items()}


def _autoencoder_batches(
    spec: ModelSpec, seed: int, num_batches: int, images: np.ndarray
) -> Iterator[dict[str, np.ndarray]]:
    for index, chosen in enumerate(_shuffled(spec, seed, num_batches, len(images))):
        y = images[chosen]
        yield {"x": _with_noise(y, _rng("autoencoder noise", seed, index)), "y": y}


def _recurrent_batches(spec: ModelSpec, seed: int, num_batches: int) -> Iterator[dict[str, np.ndarray]]:
    N, T, D_in = spec.inputs["x"]
    images, labels = _digits(T, D_in)
    train = _train_first(len(images))[:NUM_TRAIN_DIGITS]
    for index, chosen in enumerate(_shuffled(spec, seed, num_batches, len(train))):
        rng = _rng("recurrent length", seed, index)
        length = rng.integers(1, T, size=N, endpoint=True)
        length[rng.integers(N)] = T
        is_read = np.arange(T) < length[:, None]
        x = np.where(is_read[:, :, None], images[train[chosen]], 0)
        yield {"x": x, "length": length, "y": np.eye(NUM_DIGITS)[labels[train[chosen]]]}


def _shuffled(spec: ModelSpec, seed: int, num_batches: int, num_images: int) -> Iterator[np.ndarray]:
    """Yield the positions of each batch's images, shuffled anew in every epoch."""
    num_epochs = math.ceil(num_batches * spec.batch_size / num_images)
    order = [_rng(f"{spec.model} order", seed, epoch).permutation(num_images) for epoch in range(num_epochs)]
    positions = np.concatenate([np.empty(0, dtype=np.int64), *order])
    for index in range(num_batches):
        yield positions[index * spec.batch_size : (index + 1) * spec.batch_size]


def _unet_batches(spec: ModelSpec, seed: int, num_batches: int) -> Iterator[dict[str, np.ndarray]]:
    in_pixels, out_pixels = spec.inputs["x"][-1], spec.inputs["y"][-1]
    picture = _resized_photograph(in_pixels)  # (3, in_pixels, wider)
    mask = photograph_mask(picture)
    standardised = (picture - picture.mean((1, 2), keepdims=True)) / picture.std((1, 2), keepdims=True)
    places = _places(picture.shape[2], in_pixels, seed)
    margin = (in_pixels - out_pixels) // 2
    inside = slice(margin, margin + out_pixels)
    for index in range(num_batches):
        xs, ys = [], []
        for sample in range(index * spec.batch_size, (index + 1) * spec.batch_size):
            left, step = places[sample % len(places)]
            xs.append(standardised[:, :, left : left + in_pixels][:, :, ::step])
            ys.append(mask[:, left : left + in_pixels][:, ::step][None, inside, inside])
        keep = _rng("dropout", seed, index).random(spec.inputs["dropout"]) >= DROPOUT_RATE
        yield {"x": np.stack(xs), "y": np.stack(ys), "dropout": keep}


def _places(width: int, pixels: int, seed: int) -> list[tuple[int, int]]:
    """Return each (left edge, 1 or -1 for mirrored) once, shuffled, but the unmirrored centre always first."""
    centre = (width - pixels) // 2
    reach = min(int(pixels * MAX_SHIFT_FRACTION), centre)
    others = [(centre + shift, step) for shift in range(-reach, reach + 1) for step in (1, -1)]
    others.remove((centre, 1))
    return [(centre, 1), *(others[i] for i in _rng("unet places", seed).permutation(len(others)))]


def _with_noise(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (images + rng.normal(0.0, NOISE_STDDEV, images.shape)).astype(np.float32)


# ---------------------------------------------------------------- the photograph


def photograph(pixels: int) -> np.ndarray:
    """Return the centre of the photograph, (3, pixels, pixels) float32 in [0, 1], as batch 0 of the U-Net shows it."""
    picture = _resized_photograph(pixels)
    left = (picture.shape[2] - pixels) // 2
    return picture[:, :, left : left + pixels].copy()


def photograph_mask(picture: np.ndarray) -> np.ndarray:
    """Return 1 where the pagoda and the trees are, 0 for the sky and the lake behind them, (H, W) float32.

    The rule: the haze over sky and water is bright in every channel, walls, roofs and leaves are not, so a pixel is
    foreground when its blue is below 0.6; then each pixel takes the majority of its square neighbourhood (one 64th of
    the height, at least 3 pixels), which fills in white window frames and glints. About half of the photograph is
    foreground, also of the central part that the smaller nets see, so that neither answer is right everywhere.

    Args:
        picture: (3, H, W) in [0, 1].
    """
    from scipy import ndimage

    foreground = (picture[2] < MASK_BLUE_BELOW).astype(np.float64)
    size = max(3, picture.shape[1] // 64 | 1)  # odd, so that there is never a tie
    return (ndimage.uniform_filter(foreground, size, mode="nearest") > 0.5).astype(np.float32)


@lru_cache(maxsize=4)
def _resized_photograph(pixels: int) -> np.ndarray:
    """Return scikit-learn's china.jpg with its shorter side, the height, at `pixels`: (3, pixels, W), read-only."""
    from sklearn.datasets import load_sample_image

    image = Image.fromarray(load_sample_image("china.jpg"))
    scale = pixels / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    resized = image.resize(size, Image.Resampling.LANCZOS)  # Pillow widens the kernel when it shrinks: antialiased
    picture = np.ascontiguousarray(np.asarray(resized, dtype=np.float32).transpose(2, 0, 1) / np.float32(255))
    picture.setflags(write=False)
    return picture


# ---------------------------------------------------------------- 28×28 grey images


def _split_images(csv: str | Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Return (training, held-out) images, each (n, 784) float32 in [0, 1]."""
    images = _digits(_DIGIT_PIXELS, _DIGIT_PIXELS)[0] if csv is None else load_sign_mnist(csv)[1]
    num_train = NUM_TRAIN_DIGITS if csv is None else int(len(images) * TRAIN_FRACTION_OF_CSV)
    if num_train < 1:
        raise ValueError(f"{csv} holds {len(images)} image; at least 2 are needed: one to train on, one held out")
    shuffled = images[_train_first(len(images))].reshape(len(images), -1)
    return shuffled[:num_train], shuffled[num_train:]


def _train_first(num_images: int) -> np.ndarray:
    """Return positions of images in the order in which the first are for training, the others held out."""
    return np.random.default_rng(SPLIT_SEED).permutation(num_images)


@lru_cache(maxsize=2)
def _digits(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's 1797 digits, and which they are, from 0 to 9.

    The images are brought from 8×8 to another size by cubic splines: (1797, height, width) float32, read-only.
    """
    from scipy import ndimage
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Zooming is linear and the same for every image, so zoom the unit columns once: (28, 8). grid_mode keeps each pixel
    # a square area; without it the outermost pixels' centres would be pinned to the corners.
    unit = np.eye(digits.images.shape[1])
    rows, columns = (
        ndimage.zoom(unit, (pixels / len(unit), 1), order=3, mode="nearest", grid_mode=True)
        for pixels in (height, width)
    )
    images = np.clip(rows @ (digits.images / 16.0) @ columns.T, 0.0, 1.0).astype(np.float32)
    images.setflags(write=False)
    return images, digits.target


def load_sign_mnist(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a sign-language MNIST file: a header `label,pixel1,…,pixel784`, then one image a row, 0 to 255.

    Returns:
        Labels, (n,) int64, and images, (n, 28, 28) float32 in [0, 1].

    Raises:
        ValueError: the file cannot be read or is malformed; the message names the file, the row (the line's number in
            the file, from 1) and the column.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas cuts rows that are too long, and warns
            frame = pd.read_csv(Path(path), dtype=np.int64, index_col=False)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, OverflowError, pd.errors.ParserWarning) as error:
        _raise_for_fault(path, error)
    table = frame.to_numpy()
    if list(frame.columns) != _SIGN_MNIST_COLUMNS or len(table) == 0 or table.min() < 0 or table.max() > 255:
        _raise_for_fault(path, None)
    images = (table[:, 1:].astype(np.float32) / np.float32(255)).reshape(-1, _DIGIT_PIXELS, _DIGIT_PIXELS)
    return table[:, 0].copy(), images


def _raise_for_fault(path: str | Path, error: Exception | None) -> NoReturn:
    """Read a file that pandas refused again, line by line, and raise an error that names its first fault.

    pandas' own messages name at most one of row and column.
    """
    fault = None
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            fault = _first_fault(file)
    except csv_module.Error as csv_error:
        error = csv_error
    if fault is None:
        raise ValueError(f"{path} is not a sign-language MNIST file: {error}") from error
    row, column, what = fault
    raise ValueError(f"{path}, row {row}, column {column}: {what}") from error


Fault = tuple[int, str, str]
"""Row, column, and what is wrong there."""


def _first_fault(file: io.TextIOBase) -> Fault | None:
    reader = csv_module.reader(file)
    header = next((row for row in reader if row), None)
    if header is None:
        return 1, "label", "the file is empty; expected the header label,pixel1,…,pixel784"
    fault = _header_fault(reader.line_num, header)
    if fault:
        return fault
    num_images = 0
    for values in reader:
        if values:  # pandas skips blank lines too
            num_images += 1
            fault = _row_fault(reader.line_num, values)
            if fault:
                return fault
    return None if num_images else (reader.line_num + 1, "label", "no image follows the header")


def _header_fault(row: int, header: list[str]) -> Fault | None:
    for column, found in itertools.zip_longest(_SIGN_MNIST_COLUMNS, header):
        if found is None:
            return row, column, "this column is missing from the header"
        if column is None:
            return row, found[:40], f"the header goes on after {_SIGN_MNIST_COLUMNS[-1]}"
        if found != column:
            return row, column, f"expected the column name {column!r} in the header, found {found[:40]!r}"
    return None


def _row_fault(row: int, values: list[str]) -> Fault | None:
    num_columns = len(_SIGN_MNIST_COLUMNS)
    for column, value in zip(_SIGN_MNIST_COLUMNS, values, strict=False):
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,9}\s*", value) or not 0 <= int(value) <= 255:
            return row, column, f"expected a whole number from 0 to 255, found {value[:40]!r}"
    if len(values) < num_columns:
        return row, _SIGN_MNIST_COLUMNS[len(values)], f"the row ends after {len(values)} of {num_columns} values"
    if len(values) > num_columns:
        return row, str(num_columns + 1), f"the row has {len(values)} values for {num_columns} columns"
    return None


# ---------------------------------------------------------------- pictures to show


def psnr_db(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB of images whose peak is 1; infinite when both are equal.

    Raises:
        ValueError: the shapes differ.
    """
    if image.shape != reference.shape:
        raise ValueError(f"cannot compare images of shapes {image.shape} and {reference.shape}")
    mean_squared_error = float(np.mean((image.astype(np.float64) - reference.astype(np.float64)) ** 2))
    return -10.0 * math.log10(mean_squared_error) if mean_squared_error > 0 else math.inf


def strip(images: np.ndarray) -> np.ndarray:
    """Lay square grey images, (n, H, H) or (n, H·H), in a row, 2 white pixels apart: (H, n·(H + 2) − 2) in [0, 1].

    Raises:
        ValueError: there is no image, or the images are not square.
    """
    side = images.shape[-1] if images.ndim == 3 else math.isqrt(images.shape[-1])
    if images.ndim not in (2, 3) or len(images) == 0 or images[0].size != side**2:
        raise ValueError(f"expected square images (n, H, H) or (n, H·H), got {images.shape}")
    squares = np.clip(images.reshape(-1, side, side), 0.0, 1.0)
    padded = np.pad(squares, ((0, 0), (0, 0), (0, 2)), constant_values=1.0)
    return padded.transpose(1, 0, 2).reshape(side, -1)[:, :-2]


def png_base64(image: np.ndarray) -> str:
    """Return a PNG file in base64: the same text for the same pixels and the same Pillow.

    Args:
        image: uint8, or floats in [0, 1], which are clipped; grey (H, W) or (1, H, W), or RGB (H, W, 3) or (3, H, W).

    Raises:
        ValueError: another shape or dtype, or a NaN.
    """
    if image.ndim == 3 and image.shape[2] != 3 and image.shape[0] in (1, 3):
        image = image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0)
    if image.ndim != 2 and not (image.ndim == 3 and image.shape[2] == 3):
        raise ValueError(f"expected a grey or RGB image, got shape {image.shape}")
    if np.issubdtype(image.dtype, np.floating):
        if np.isnan(image).any():
            raise ValueError("the image holds NaN")
        image = np.round(np.clip(image, 0.0, 1.0) * 255).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ValueError(f"expected uint8 or floats in [0, 1], got {image.dtype}")
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
