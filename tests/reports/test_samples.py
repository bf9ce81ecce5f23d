"""The samples in the page: all of them, as exact as is said, in little room."""

import base64
import json
import math
import statistics
import zlib
from types import ModuleType
from typing import Any

from reports import charts, samples


def unpacked(text: str) -> dict[str, Any]:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def test_every_sample_of_every_cell_with_a_bar(full: dict[str, Any]) -> None:
    block = full["likeforlike"]
    found = unpacked(samples.packed(block))
    shown = [cell for cell in block["cells"] if cell["status"] == "timed"]
    assert found["run"]["id"] == block["run"]["id"]
    assert samples.count(block) == sum(len(one) for cell in shown for one in cell["rounds_s"])
    kept = {(cell["model"], cell["phase"], cell["variant"]): cell for cell in found["cells"]}
    assert len(kept) == len(shown)
    for cell in shown:
        one = kept[cell["model"], cell["phase"], cell["variant"]]
        assert one["ratio"] == cell["ratio"]
        assert one["rounds_of_launches"] == [20, 20, 20]
        for packed, measured in zip(one["rounds"], cell["rounds_s"], strict=True):
            assert [abs(a * one["unit_s"] - b) <= 0.501 * one["unit_s"] for a, b in zip(packed, measured, strict=True)]


def test_the_unit_leaves_four_digits_to_the_median_sample(full: dict[str, Any]) -> None:
    for one in unpacked(samples.packed(full["likeforlike"]))["cells"]:
        middle = statistics.median(sample for samples_ in one["rounds"] for sample in samples_)
        assert len(str(round(middle))) == samples.DIGITS
        assert math.log10(one["unit_s"]) == round(math.log10(one["unit_s"]))


def test_no_certificate_no_sample(sample: ModuleType) -> None:
    cells = [sample.timed("unet", "torch-eager", "train_step", 0.07, 1.0)]
    block = sample.document(groups=[sample.group("unet", "train_step")], cells=cells)["likeforlike"]
    assert unpacked(samples.packed(block))["cells"] == []


def test_thinning_keeps_the_extremes_and_what_is_few() -> None:
    few = [(float(place), 0.0) for place in range(charts.MOST_DOTS)]
    assert charts.thinned(few) == few
    many = [(float((7 * place) % 1009), float(place)) for place in range(1009)]
    kept = charts.thinned(many)
    assert len(kept) <= charts.MOST_DOTS + 2
    assert {min(many), max(many)} <= set(kept)
    assert kept[:-2] == many[::5]
