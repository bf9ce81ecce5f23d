"""The sentences on what was proven and what is missing, and the numbers in them."""

import re
from types import ModuleType
from typing import Any

import pytest

from reports import numbers, words


def plain(markup: str) -> str:
    return re.sub("<[^>]*>", "", markup).replace("\u00a0", " ").replace("&lt;", "<")


@pytest.fixture
def make(sample: ModuleType) -> Any:
    def make(variant: str, ratio: float, spread: float = 0.01, **changes: Any) -> dict[str, Any]:
        return sample.timed("autoencoder", variant, "train_step", 0.01 * ratio, ratio, spread, **changes)

    return make


def test_without_a_certificate_no_time_is_promised(sample: ModuleType) -> None:
    missing = sample.cell("autoencoder", "torch-eager", "train_step", status="not installed")
    document = sample.training(missing)
    document["likeforlike"]["certificates"] = []
    text = plain(words.proven(document["likeforlike"]))
    assert text.startswith("No certificate was issued in this run, so no time may be shown. Left out: torch-eager")


def test_what_was_proven_and_what_was_left_out(full: dict[str, Any]) -> None:
    text = plain(words.proven(full["likeforlike"]))
    assert "5,478 quantities for 33 pairs of net and variant; 32 passed, 1 failed" in text
    assert re.search(r"worst float64 error among those that passed is \d\.\d × 10⁻¹⁵ \(.* of .*\), where 10⁻¹⁰", text)
    assert "keras-torch (U-Net), refused by a certificate" in text
    assert "torch-compile (Autoencoder), not installed" in text


def test_interrupted_run_says_what_is_missing(sample: ModuleType, make: Any) -> None:
    waiting = sample.cell("autoencoder", "jax-jit", "train_step")
    left_out = sample.cell("autoencoder", "tf-xla", "train_step") | {"reason": "left to --preset full"}
    document = sample.training(make("torch-eager", 1.0), waiting, left_out, stopped_by="interrupted")
    document["likeforlike"]["run"] |= {"status": "interrupted", "models": ["autoencoder", "unet"]}
    missing = [plain(item) for item in words.missing(document["likeforlike"])]
    assert missing == ["Autoencoder, training step: no time for jax-jit", "U-Net: not begun"]
    document["likeforlike"]["run"]["finished"] = [{"model": "autoencoder", "size": waiting["size"]}]
    assert [plain(item) for item in words.missing(document["likeforlike"])] == ["U-Net: not begun"]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (1.913, 1.934, "1.91 to 1.94"),
        (1.88, 2.09, "1.8 to 2.1"),
        (1.004, 1.03, "1.004 to 1.030"),
        (0.97, 0.9996, "0.96 to 1.00"),
        (12.3, 15.2, "12 to 16"),
        (2.0, 2.0, "2.0000"),
        (0.0123, 128.11, "0.012 to 130"),
    ],
)
def test_intervals_are_rounded_outwards(low: float, high: float, text: str) -> None:
    shown = numbers.interval_text(low, high)
    ends = [float(end) for end in shown.split(" to ")]
    assert ends[0] <= low
    assert ends[-1] >= high
    assert (low > 1) == (ends[0] > 1)
    assert (high < 1) == (ends[-1] < 1)
    if text != "0.96 to 1.00":
        assert shown == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.5e-8, "25.0 ns"), (3.1e-4, "310 µs"), (0.9999, "1.00 s"), (0.0681, "68.1 ms"), (1234, "1,230 s")],
)
def test_a_duration_gets_the_unit_that_fits(seconds: float, text: str) -> None:
    assert numbers.time_text(seconds).replace("\u00a0", " ") == text
