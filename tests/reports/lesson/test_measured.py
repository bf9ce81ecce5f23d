"""Estimates and their comparison, the modes that names tell, and the slider's and the table's arithmetic."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from reports.breakeven import seconds
from reports.lesson import amortisation
from reports.lesson.measured import Estimate, Lesson, Measurement, mode_of

Record = dict[str, Any]


def test_interval_of_few_samples_is_their_range_and_of_many_narrower() -> None:
    few, many = Estimate.of([3.0, 1.0, 2.0]), Estimate.of([float(value) for value in range(1, 13)])
    assert few == Estimate(2.0, 1.0, 3.0)
    assert (many.value, many.low, many.high) == (6.5, 3.0, 10.0)


def test_a_ratio_is_as_wide_as_both_intervals() -> None:
    ratio = Estimate(4.0, 3.0, 6.0).over(Estimate(2.0, 1.0, 3.0))
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 1.0, 6.0)
    assert Estimate(4.0, 3.5, 6.0).exceeds(Estimate(2.0, 1.0, 3.0))
    assert not Estimate(4.0, 3.0, 6.0).exceeds(Estimate(2.0, 1.0, 3.0))


@pytest.mark.parametrize(
    ("way", "mode"),
    [
        ("eager", "eager"),
        ("eager, one masked batch", "eager"),
        ("NumPy, one by one", "eager"),
        ("keras.ops", "eager"),
        ("tf.function", "graph"),
        ("Session", "graph"),
        ("fit", "graph"),
        ("tf.function, XLA", "compiled"),
        ("torch.compile, dynamic=True", "compiled"),
        ("jit, lax.scan padded", "compiled"),
    ],
)
def test_the_name_of_a_way_tells_its_mode(way: str, mode: str) -> None:
    assert mode_of(way) == mode


def test_a_way_without_data_has_no_values() -> None:
    record = {"experiment": "loops", "framework": "JAX", "way": None, "status": "crashed", "reason": "signal 9"}
    one = Measurement.of({**record, "data": None, "source": None})
    assert one.name == "JAX every way"
    with pytest.raises(ValueError, match="crashed"):
        one.values  # noqa: B018


def test_the_slider_has_what_the_table_is_made_of(whole: Record, lesson_page: str) -> None:
    """So that both say the same: the first step, the second, and every later one."""
    embedded = re.search(r'id="amortisation-data">(.*?)</script>', lesson_page)
    assert embedded is not None
    records = json.loads(embedded[1])
    cells = {cell["variant"]: cell for cell in amortisation.started(Lesson(whole["likeforlike"]))}
    assert {record["variant"] for record in records} == set(cells)
    for record in records:
        for num_steps in (1, 2, 500):
            later = record["second"] + (num_steps - 2) * record["step"] if num_steps > 1 else 0.0
            total = record["import"] + record["first"] + later
            assert total == pytest.approx(seconds(cells[record["variant"]], num_steps))


def test_only_variants_of_the_same_packages_are_paired(with_data: Callable[..., Lesson]) -> None:
    """Keras on one engine is not compared with Keras on another."""
    pairs = amortisation.pairs(with_data("none", {}))
    assert {(eager["variant"], static["variant"]) for eager, static in pairs} >= {("jax-eager", "jax-jit")}
    assert not [pair for pair in pairs if pair[0]["backend"] == "keras"]
