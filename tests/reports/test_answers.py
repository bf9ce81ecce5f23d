"""The answer, for runs made to have one clear winner, and for runs that allow none."""

import re
from types import ModuleType
from typing import Any

import pytest

from reports import answers
from reports.sections import sections


def told(document: dict[str, Any], index: int = 0) -> str:
    """Return the answer of one net as plain text, with ordinary spaces."""
    return plain(" ".join(answers.answer(sections(document["likeforlike"])[index])))


def plain(markup: str) -> str:
    return re.sub("<[^>]*>", "", markup).replace("\u00a0", " ").replace("&lt;", "<")


@pytest.fixture
def make(sample: ModuleType) -> Any:
    def make(variant: str, ratio: float, spread: float = 0.01, **changes: Any) -> dict[str, Any]:
        return sample.timed("autoencoder", variant, "train_step", 0.01 * ratio, ratio, spread, **changes)

    return make


def test_clear_winner_and_lanes_apart(sample: ModuleType, make: Any) -> None:
    text = told(
        sample.training(make("torch-eager", 1.0), make("jax-jit", 2.0), make("tf-xla", 0.5), make("torch-compile", 0.8))
    )
    assert "torch-eager is the fastest of the 2 as-written variants, at 10.0 ms (9.95 to 10.10 ms)" in text
    assert "at 10.0 ms (9.95 to 10.10 ms); jax-jit takes 1.98 to 2.02 times as long as torch-eager." in text
    assert "In the tuned lane, ranked apart, the fastest is tf-xla, which takes 0.495 to 0.505 times" in text
    assert text.index("tuned lane") > text.index("jax-jit"), "a tuned variant stands in the as-written ranking"


def test_tie(sample: ModuleType, make: Any) -> None:
    text = told(sample.training(make("torch-eager", 1.0), make("jax-jit", 1.001), make("tf-graph", 3.0)))
    assert "no single winner is shown: of the 3 as-written variants, torch-eager and jax-jit lead" in text
    assert "Between jax-jit and torch-eager no difference is shown." in text
    assert "tf-graph takes 2.97 to 3.03 times as long" in text


def test_nothing_is_claimed_below_the_noise(sample: ModuleType, make: Any) -> None:
    cells = make("torch-eager", 1.0), make("jax-jit", 1.05)
    assert "jax-jit takes 1.03 to 1.07 times as long" in told(sample.training(*cells, noise=0.004))
    text = told(sample.training(*cells, noise=0.08))
    assert "no winner is shown: this run does not set torch-eager and jax-jit apart (10.0 ms to 10.5 ms)" in text
    assert "cannot resolve differences below 8 %" in text
    assert "times as long" not in text
    (section,) = sections(sample.training(*cells, noise=0.08)["likeforlike"])
    comparison = section.comparisons["train_step"]
    assert comparison.cells[1]["verdict"] == "slower"
    assert comparison.claim(comparison.cells[1]) == "too wide to say"
    assert "This run cannot tell jax-jit from torch-eager." in text


def test_the_undecided_are_named_as_such(sample: ModuleType, make: Any) -> None:
    text = told(sample.training(make("torch-eager", 1.0), make("jax-jit", 1.1, 0.3, verdict="too wide to say")))
    assert "no winner is shown: this run does not set torch-eager and jax-jit apart" in text
    assert "This run cannot tell jax-jit from torch-eager." in text
    text = told(sample.training(make("torch-eager", 1.0), make("jax-jit", 2.0), noise=None))
    assert "no usable A/A control" in text


def test_one_variant_or_no_baseline(sample: ModuleType, make: Any) -> None:
    text = told(sample.training(make("torch-eager", 1.0)))
    assert text == (
        "For a training step only torch-eager was timed, at 10.0 ms (9.95 to 10.10 ms); "
        "there is nothing to compare it with."
    )
    refused = sample.cell("autoencoder", "torch-eager", "train_step", status="refused")
    text = told(sample.training(refused, make("jax-jit", 2.0), make("tf-graph", 3.0)))
    assert "the baseline has no time, so nothing is ranked; the times are jax-jit 20.0 ms and tf-graph 30.0 ms" in text
    assert "fastest" not in text


def test_nothing_was_timed(sample: ModuleType) -> None:
    missing = sample.cell("autoencoder", "torch-eager", "train_step", status="not installed")
    assert told(sample.training(missing)) == "For a training step no variant was timed."


def test_the_answer_is_one_sentence_and_then_what_it_rests_on(sample: ModuleType, make: Any) -> None:
    document = sample.training(make("torch-eager", 1.0), make("jax-jit", 2.0), make("tf-graph", 3.0))
    first, rest = map(plain, answers.answer(sections(document["likeforlike"])[0]))
    assert len(re.findall(r"[.](?= |$)", first)) == 1
    assert "jax-jit takes 1.98 to 2.02 times as long as torch-eager and tf-graph takes 2.97 to 3.03 times." in first
    assert rest == "With a single launch, differences below 2 % are not claimed."
