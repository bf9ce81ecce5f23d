"""The batches have the spec's shapes, come from real pictures, repeat for a seed; bad files get an error that helps."""

import base64
import io
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from harness import data
from impls import specs

HEADER = ",".join(["label", *(f"pixel{i}" for i in range(1, 785))])
ALL_SIZES = [(model, size) for model in specs.MODELS for size in specs.sizes(model)]


def sign_mnist_text(num_images=6):
    rng = np.random.default_rng(0)
    rows = [",".join(map(str, [i % 26, *rng.integers(0, 256, 784)])) for i in range(num_images)]
    return [HEADER, *rows]


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("model", "size"), ALL_SIZES)
def test_batches_have_exactly_the_spec_s_entries(model, size):
    spec = specs.get(model, size)
    for batch in data.batches(spec, seed=0, num_batches=2):
        assert {name: array.shape for name, array in batch.items()} == spec.inputs
        for array in batch.values():
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            assert np.isfinite(array).all()


@pytest.mark.parametrize(
    ("model", "batch_size"), [("two_layer", 3), ("autoencoder", 700), ("recurrent", 700), ("unet", 2)]
)
def test_batches_repeat_for_a_seed_and_differ_otherwise(model, batch_size):
    """Batch i depends on seed and i alone, also when the list is longer (700 images a batch pass an epoch's end)."""
    spec = specs.get(model, "tiny", batch_size=batch_size)
    three, five = data.batches(spec, 7, 3), data.batches(spec, 7, 5)
    for first, second in zip(three, five, strict=False):
        for name in spec.inputs:
            np.testing.assert_array_equal(first[name], second[name])
    assert len({batch["x"].tobytes() for batch in five}) == 5
    last_of_another_seed = data.batches(spec, 8, 5)[-1]
    assert not np.array_equal(five[-1]["x"], last_of_another_seed["x"])


def test_no_batch_is_an_empty_list():
    for model in specs.MODELS:
        assert data.batches(specs.get(model, "tiny"), 0, 0) == []


def test_autoencoder_gets_clean_images_plus_noise_of_stddev_0_1():
    spec = specs.get("autoencoder")
    batch = data.batches(spec, 0, 1)[0]
    assert batch["y"].min() >= 0
    assert batch["y"].max() <= 1
    noise = batch["x"] - batch["y"]
    assert abs(noise.mean()) < 0.002
    assert abs(noise.std() - 0.1) < 0.001
    assert batch["x"].min() < -0.2  # not clipped
    assert abs(data.psnr_db(batch["x"], batch["y"]) - 20) < 0.1


def test_one_epoch_shows_each_training_digit_once_and_no_held_out_one():
    spec = specs.get("autoencoder", "tiny", batch_size=500)
    shown = np.concatenate([batch["y"] for batch in data.batches(spec, 3, 6)])
    first, second = ({image.tobytes() for image in half} for half in (shown[:1500], shown[1500:]))
    kept = {image.tobytes() for image in data.held_out(spec, 3, 297)["y"]}
    assert first == second
    assert len(first) == 1500
    assert len(kept) == 297
    assert not first & kept


def test_recurrent_net_reads_the_first_rows_of_a_digit_and_zeros_below():
    spec = specs.get("recurrent", batch_size=1500)
    (batch,) = data.batches(spec, 3, 1)
    length, T = batch["length"], spec.sizes["T"]
    assert set(length) == set(range(1, T + 1))
    is_read = np.arange(T) < length[:, None]
    assert (batch["x"][~is_read] == 0).all()
    images, labels = data._digits(T, spec.sizes["D_in"])
    digits = {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)}
    whole = length == T
    assert {(x.tobytes(), y.argmax()) for x, y in zip(batch["x"][whole], batch["y"][whole], strict=True)} <= digits
    assert set(np.unique(batch["y"])) == {0.0, 1.0}
    assert (batch["y"].sum(axis=1) == 1).all()


def test_recurrent_net_gets_batches_that_are_padded_to_their_longest_example():
    for T in (1, 5, 40):
        spec = specs.get("recurrent", "tiny", T=T)
        assert [batch["length"].max() for batch in data.batches(spec, 0, 20)] == [T] * 20


def test_held_out_is_the_same_set_for_every_seed_with_other_noise():
    spec = specs.get("autoencoder", "tiny")
    one, two = data.held_out(spec, 1, 8), data.held_out(spec, 2, 8)
    np.testing.assert_array_equal(one["y"], two["y"])
    assert not np.array_equal(one["x"], two["x"])
    assert one["x"].dtype == one["y"].dtype == np.float32
    with pytest.raises(ValueError, match="choose 1 to 297"):
        data.held_out(spec, 1, 298)
    with pytest.raises(ValueError, match="autoencoder only"):
        data.held_out(specs.get("unet", "tiny"), 1, 1)


def test_enlarged_digits_keep_each_pixel_in_its_place():
    """Averaged back to 8×8, the digits are nearly the originals: nothing is shifted or stretched."""
    from sklearn.datasets import load_digits

    # 28 = 3.5 · 8: take 56×56 by repeating, then average squares of 7
    doubled = data._digits(28, 28)[0].repeat(2, axis=1).repeat(2, axis=2)
    shrunk = doubled.reshape(-1, 8, 7, 8, 7).mean((2, 4))
    original = load_digits().images / 16
    assert np.corrcoef(shrunk.ravel(), original.ravel())[0, 1] > 0.99
    rows = np.arange(8)
    for axis in (1, 2):
        centre, true_centre = (
            (images.sum(3 - axis) * rows).sum(1) / images.sum((1, 2)) for images in (shrunk, original)
        )
        assert abs(np.mean(centre - true_centre)) < 0.02


@pytest.mark.parametrize("size", ["small", "original"])
def test_first_unet_sample_is_the_photograph_s_centre_with_its_mask(size):
    spec = specs.get("unet", size)
    batch = data.batches(spec, 5, 1)[0]
    pixels, out = spec.inputs["x"][-1], spec.inputs["y"][-1]
    picture = data.photograph(pixels)
    assert picture.shape == (3, pixels, pixels)
    assert picture.min() >= 0
    assert picture.max() <= 1
    for channel in range(3):  # standardised: an affine map of the photograph
        assert np.corrcoef(picture[channel].ravel(), batch["x"][0, channel].ravel())[0, 1] > 0.9999
    assert abs(batch["x"].mean()) < 0.2
    assert 0.8 < batch["x"].std() < 1.2
    margin = (pixels - out) // 2
    expected = data.photograph_mask(picture)[margin : margin + out, margin : margin + out]
    np.testing.assert_array_equal(batch["y"][0, 0], expected)


@pytest.mark.parametrize("size", ["small", "original"])
def test_unet_mask_is_a_task(size):
    """Neither answer is right more than three times in four in any batch, and the mask has few edges."""
    for batch in data.batches(specs.get("unet", size), 0, 4):
        mask = batch["y"]
        assert set(np.unique(mask)) == {0.0, 1.0}
        assert 1 / 4 < mask.mean() < 3 / 4
        assert np.abs(np.diff(mask, axis=3)).mean() < 0.06


def test_unet_mask_moves_with_its_picture():
    """In every shifted or mirrored sample the rule, applied to the sample's own blue, gives the sample's mask."""
    spec = specs.get("unet", "small", batch_size=12)
    batch = data.batches(spec, 0, 1)[0]
    margin = (252 - 68) // 2
    blue = batch["x"][:, 2, margin:-margin, margin:-margin]
    for x, y in zip(blue, batch["y"][:, 0], strict=True):
        assert x[y == 0].mean() - x[y == 1].mean() > 1
        assert np.mean((x < 0.6) == (y == 1)) > 0.85


def test_dropout_mask_keeps_half_of_the_units():
    spec = specs.get("unet", "original")
    one, two = (batch["dropout"] for batch in data.batches(spec, 0, 2))
    assert set(np.unique(one)) == {0.0, 1.0}
    assert abs(one.mean() - (1 - specs.DROPOUT_RATE)) < 0.005
    assert not np.array_equal(one, two)


def test_sign_mnist_is_read_and_feeds_the_autoencoder(tmp_path):
    lines = sign_mnist_text(12)
    path = write(tmp_path / "sign.csv", lines)
    labels, images = data.load_sign_mnist(path)
    assert labels.dtype == np.int64
    assert images.dtype == np.float32
    table = np.array([line.split(",") for line in lines[1:]], dtype=np.int64)
    np.testing.assert_array_equal(labels, table[:, 0])
    np.testing.assert_allclose(images, table[:, 1:].reshape(-1, 28, 28) / 255, rtol=1e-7)

    spec = specs.get("autoencoder", "tiny")
    shown = {y.tobytes() for batch in data.batches(spec, 0, 5, csv=path) for y in batch["y"]}
    kept = {y.tobytes() for y in data.held_out(spec, 0, 2, csv=str(path))["y"]}
    assert shown | kept == {image.tobytes() for image in images}
    assert not shown & kept


def replaced(line, index, value):
    values = line.split(",")
    values[index] = value
    return ",".join(values)


@pytest.mark.parametrize(
    ("spoil", "row", "column", "what"),
    [
        (lambda _: [], 1, "label", "empty"),
        (lambda lines: [lines[0]], 2, "label", "no image"),
        (lambda lines: lines[1:], 1, "label", "expected the column name 'label'"),
        (lambda lines: [replaced(lines[0], 7, "pixle7"), *lines[1:]], 1, "pixel7", "found 'pixle7'"),
        (lambda lines: [line.rsplit(",", 1)[0] for line in lines], 1, "pixel784", "missing from the header"),
        (lambda lines: [line + ",1" for line in lines], 1, "1", "goes on after pixel784"),
        (lambda lines: [*lines[:3], replaced(lines[3], 17, "abc"), *lines[4:]], 4, "pixel17", "found 'abc'"),
        (lambda lines: [*lines[:3], replaced(lines[3], 17, ""), *lines[4:]], 4, "pixel17", "found ''"),
        (lambda lines: [*lines[:3], replaced(lines[3], 17, "nan"), *lines[4:]], 4, "pixel17", "found 'nan'"),
        (lambda lines: [*lines[:3], replaced(lines[3], 17, "1.5"), *lines[4:]], 4, "pixel17", "found '1.5'"),
        (lambda lines: [*lines[:3], replaced(lines[3], 17, "256"), *lines[4:]], 4, "pixel17", "from 0 to 255"),
        (lambda lines: [*lines[:3], replaced(lines[3], 17, "-1"), *lines[4:]], 4, "pixel17", "from 0 to 255"),
        (lambda lines: [*lines[:3], replaced(lines[3], 17, "9" * 30), *lines[4:]], 4, "pixel17", "from 0 to 255"),
        (lambda lines: [*lines[:3], replaced(lines[3], 0, "x"), *lines[4:]], 4, "label", "found 'x'"),
        (lambda lines: [*lines[:2], lines[2].rsplit(",", 4)[0], *lines[3:]], 3, "pixel781", "ends after 781 of 785"),
        (lambda lines: [*lines[:2], lines[2] + ",0", *lines[3:]], 3, "786", "786 values for 785 columns"),
        (lambda lines: [lines[0], *(line + ",0" for line in lines[1:])], 2, "786", "786 values for 785 columns"),
        (lambda lines: [lines[0], *(line + "," for line in lines[1:])], 2, "786", "786 values for 785 columns"),
        (lambda lines: [*lines[:2], "", "", replaced(lines[2], 1, "x")], 5, "pixel1", "found 'x'"),
    ],
)
def test_malformed_sign_mnist_names_file_row_and_column(tmp_path, spoil, row, column, what):
    path = write(tmp_path / "spoilt.csv", spoil(sign_mnist_text()))
    with pytest.raises(ValueError, match="spoilt") as caught:
        data.load_sign_mnist(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, row {row}, column {column}: ")
    assert what in message
    assert "\n" not in message


def test_unreadable_sign_mnist_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"^cannot read .*absent\.csv: No such file or directory$"):
        data.load_sign_mnist(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match=r"^cannot read "):
        data.load_sign_mnist(tmp_path)
    picture = tmp_path / "picture.csv"
    picture.write_bytes(bytes(range(256)) * 50)
    with pytest.raises(ValueError, match=r"picture\.csv"):
        data.load_sign_mnist(picture)
    one = write(tmp_path / "one.csv", sign_mnist_text(1))
    with pytest.raises(ValueError, match="at least 2"):
        data.batches(specs.get("autoencoder", "tiny"), 0, 1, csv=one)


def test_psnr_of_a_known_error():
    clean = np.zeros((4, 4))
    assert data.psnr_db(clean + 0.1, clean) == pytest.approx(20)
    assert data.psnr_db(clean, clean) == math.inf
    with pytest.raises(ValueError, match="shapes"):
        data.psnr_db(clean, clean[0])


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (5, 7, 3), (3, 5, 7)])
def test_png_gives_the_pixels_back(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    text = data.png_base64(image)
    assert text == data.png_base64(image / 255) == data.png_base64((image / 255).astype(np.float32))
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
    expected = image[0] if shape[0] == 1 else image.transpose(1, 2, 0) if shape[0] == 3 else image
    np.testing.assert_array_equal(shown, expected)


@pytest.mark.parametrize("image", [np.zeros((2, 5, 7)), np.zeros(4), np.full((4, 4), np.nan), np.zeros((4, 4), int)])
def test_png_refuses_what_is_no_picture(image):
    with pytest.raises(ValueError, match=r"expected|NaN"):
        data.png_base64(image)


def test_strip_lays_images_in_a_row():
    images = np.arange(3)[:, None, None] / 4 + np.zeros((3, 28, 28))
    row = data.strip(images)
    assert row.shape == (28, 3 * 30 - 2)
    np.testing.assert_array_equal(row, data.strip(images.reshape(3, 784)))
    for index in range(3):
        assert (row[:, 30 * index : 30 * index + 28] == index / 4).all()
    assert (row[:, 28:30] == 1).all()
    with pytest.raises(ValueError, match="square"):
        data.strip(np.zeros((2, 5, 7)))


def test_unknown_model_is_refused():
    spec = specs.get("two_layer", "tiny")
    other = replace(spec, request={"model": "other", "size": "tiny"})
    with pytest.raises(ValueError, match="no data for model 'other'"):
        data.batches(other, 0, 1)


def test_importing_data_imports_nothing_slow():
    """`python -m harness --help` may import this module: scikit-learn, SciPy and pandas wait until they are needed."""
    program = "import sys, harness.data; print([m for m in ('sklearn', 'scipy', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
