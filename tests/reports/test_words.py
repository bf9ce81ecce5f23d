"""The sentences, for runs made to have one clear answer, and for runs that allow none."""

import re
from types import ModuleType
from typing import Any

import pytest

from reports import numbers, words
from reports.sections import sections


def told(document: dict[str, Any], index: int = 0) -> str:
    """Return the answer of one net as plain text, with ordinary spaces."""
    return plain(" ".join(words.answer(sections(document["likeforlike"])[index])))


def plain(markup: str) -> str:
    return re.sub("<[^>]*>", "", markup).replace("\u00a0", " ").replace("&lt;", "<")


def run(sample: ModuleType, *cells: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a run of the autoencoder's training step, every cell certified."""
    group = sample.group("autoencoder", "train_step", **changes)
    proofs = [entry for cell in cells for entry in sample.certificates("autoencoder", cell["variant"])]
    return sample.document(run={"models": ["autoencoder"]}, groups=[group], cells=list(cells), certificates=proofs)


@pytest.fixture
def make(sample: ModuleType) -> Any:
    def make(variant: str, ratio: float, spread: float = 0.01, **changes: Any) -> dict[str, Any]:
        return sample.timed("autoencoder", variant, "train_step", 0.01 * ratio, ratio, spread, **changes)

    return make


def test_clear_winner_and_lanes_apart(sample: ModuleType, make: Any) -> None:
    text = told(
        run(sample, make("torch-eager", 1.0), make("jax-jit", 2.0), make("tf-xla", 0.5), make("torch-compile", 0.8))
    )
    assert "torch-eager is the fastest of the 2 as-written variants, at 10.0 ms (9.95 to 10.10 ms)" in text
    assert "at 10.0 ms (9.95 to 10.10 ms); jax-jit takes 1.98 to 2.02 times as long as torch-eager." in text
    assert "In the tuned lane, ranked apart, the fastest is tf-xla, which takes 0.495 to 0.505 times" in text
    assert text.index("tuned lane") > text.index("jax-jit"), "a tuned variant stands in the as-written ranking"


def test_tie(sample: ModuleType, make: Any) -> None:
    text = told(run(sample, make("torch-eager", 1.0), make("jax-jit", 1.001), make("tf-graph", 3.0)))
    assert "no single winner is shown: of the 3 as-written variants, torch-eager and jax-jit lead" in text
    assert "Between jax-jit and torch-eager no difference is shown." in text
    assert "tf-graph takes 2.97 to 3.03 times as long" in text


def test_nothing_is_claimed_below_the_noise(sample: ModuleType, make: Any) -> None:
    cells = make("torch-eager", 1.0), make("jax-jit", 1.05)
    assert "jax-jit takes 1.03 to 1.07 times as long" in told(run(sample, *cells, noise=0.004))
    text = told(run(sample, *cells, noise=0.08))
    assert "no winner is shown: this run does not set torch-eager and jax-jit apart (10.0 ms to 10.5 ms)" in text
    assert "cannot resolve differences below 8 %" in text
    assert "times as long" not in text
    (section,) = sections(run(sample, *cells, noise=0.08)["likeforlike"])
    comparison = section.comparisons["train_step"]
    assert comparison.cells[1]["verdict"] == "slower"
    assert comparison.claim(comparison.cells[1]) == "too wide to say"
    assert "Against torch-eager the interval of jax-jit is too wide to say." in text


def test_the_undecided_are_named_as_such(sample: ModuleType, make: Any) -> None:
    text = told(run(sample, make("torch-eager", 1.0), make("jax-jit", 1.1, 0.3, verdict="too wide to say")))
    assert "no winner is shown: this run does not set torch-eager and jax-jit apart" in text
    assert "Against torch-eager the interval of jax-jit is too wide to say." in text
    text = told(run(sample, make("torch-eager", 1.0), make("jax-jit", 2.0), noise=None))
    assert "no usable A/A control" in text


def test_one_variant_or_no_baseline(sample: ModuleType, make: Any) -> None:
    text = told(run(sample, make("torch-eager", 1.0)))
    assert text == (
        "For a training step only torch-eager was timed, at 10.0 ms (9.95 to 10.10 ms); "
        "there is nothing to compare it with."
    )
    refused = sample.cell("autoencoder", "torch-eager", "train_step", status="refused")
    text = told(run(sample, refused, make("jax-jit", 2.0), make("tf-graph", 3.0)))
    assert "the baseline has no time, so nothing is ranked; the times are jax-jit 20.0 ms and tf-graph 30.0 ms" in text
    assert "fastest" not in text


def test_nothing_was_timed(sample: ModuleType) -> None:
    missing = sample.cell("autoencoder", "torch-eager", "train_step", status="not installed")
    document = run(sample, missing)
    assert told(document) == "For a training step no variant was timed."
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
    document = run(sample, make("torch-eager", 1.0), waiting, left_out, stopped_by="interrupted")
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
