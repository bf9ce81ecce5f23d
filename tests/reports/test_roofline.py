"""The roofline chart: marks stand where their numbers say, under roofs from the ceiling, and no share is clipped."""

import base64
import re
from typing import Any

import pytest

from reports.canvas import Rendering
from reports.palette import DARK, LIGHT
from reports.roofline import COLOURS, SHAPES, Mark, roofline_chart

MEBIBYTE = 2**20
CEILING: dict[str, Any] = {
    "matmul": {"backend": "a", "size": 1024, "per_s": 200e9},
    "copies": [
        {"backend": "a", "size": 1 * MEBIBYTE, "per_s": 80e9},
        {"backend": "b", "size": 8 * MEBIBYTE, "per_s": 30e9},
        {"backend": "b", "size": 64 * MEBIBYTE, "per_s": 10e9},
        {"backend": "a", "size": 512 * MEBIBYTE, "per_s": 10e9},
    ],
}


def mark(label: str, flops_per_s: float, **changes: Any) -> Mark:
    """Return a mark at 10 FLOP per byte in the smallest footprint: the roof over it is flat."""
    return Mark(
        **{"framework": label.split("-")[0], "intensity": 10.0, "bytes_per_s": 80e9} | changes,
        label=label,
        flops_per_s=flops_per_s,
    )


def text_of(rendering: Rendering, scheme: str = "light") -> str:
    return base64.b64decode(getattr(rendering, scheme).split(",")[1]).decode()


def words(rendering: Rendering) -> list[str]:
    return [word.replace("\u00a0", " ") for word in re.findall(r"<text[^>]*>([^<]*)</text>", text_of(rendering))]


def wide(*marks: Mark) -> Rendering:
    chart = roofline_chart({"Training step": marks}, CEILING)
    assert chart is not None
    return chart.wide


def test_nothing_timed_is_no_chart() -> None:
    assert roofline_chart({"Training step": [], "Forward pass": []}, CEILING) is None


@pytest.mark.parametrize(
    ("intensity", "bytes_per_s", "attainable"),
    [(10.0, 80e9, 200e9), (2.0, 80e9, 160e9), (2.0, 10e9, 20e9)],
    ids=["under the flat roof", "under a cache's slope", "under the memory's slope"],
)
def test_the_share_is_of_the_roof_over_the_mark(intensity: float, bytes_per_s: float, attainable: float) -> None:
    shown = wide(mark("one-eager", attainable / 4, intensity=intensity, bytes_per_s=bytes_per_s))
    assert "one-eager 25 %" in words(shown)


def test_more_than_the_roof_is_a_finding_and_is_shown() -> None:
    chart = roofline_chart({"Training step": [mark("one-eager", 300e9)]}, CEILING)
    assert chart is not None
    assert "one-eager 150 %" in words(chart.wide)
    assert "one-eager 150" in chart.alt


def test_roofs_are_labelled_and_only_those_that_matter_drawn() -> None:
    """The one over the marks, and the memory's; equal rates are one line, named by the smallest footprint."""
    found = words(wide(mark("one-eager", 50e9)))
    assert [word for word in found if "B/s" in word] == ["1 MiB: 80.0 GB/s", "64 MiB: 10.0 GB/s"]
    assert "matrix products: 200" in found


def test_a_faster_step_stands_higher_and_alt_names_it_first() -> None:
    chart = roofline_chart({"Training step": [mark("slow-eager", 5e9), mark("fast-jit", 50e9)]}, CEILING)
    assert chart is not None
    heights = {
        word: float(y)
        for y, word in re.findall(r'<text [^>]*?(?:translate\([\d.]+ |y=")([\d.]+)[^>]*>([^<]*)<', text_of(chart.wide))
    }
    slow, fast = (next(y for word, y in heights.items() if word.startswith(name)) for name in ("slow", "fast"))
    assert fast < slow, "in SVG the upper one has the smaller y"
    assert chart.alt.index("fast-jit") < chart.alt.index("slow-eager")


def test_frameworks_differ_in_colour_and_shape() -> None:
    names = [f"framework{index}" for index in range(5)]
    marks = [mark(f"{name}-eager", 10e9 * (index + 1)) for index, name in enumerate(names)]
    drawn = text_of(wide(*marks))
    assert all(LIGHT[colour] in drawn for colour in COLOURS)
    assert len(set(SHAPES)) >= len(set(COLOURS)) == 5
    one_framework = text_of(wide(*(mark(f"one-{index}", 10e9 * (index + 1)) for index in range(5))))
    assert sum(LIGHT[colour] in one_framework for colour in COLOURS) == 1


def test_the_dark_rendering_has_no_light_colour() -> None:
    dark = text_of(wide(mark("one-eager", 50e9), mark("two-eager", 40e9)), "dark")
    assert DARK["ink"] in dark
    assert not [name for name, colour in LIGHT.items() if colour in dark and colour not in DARK.values()]


@pytest.mark.parametrize("num_marks", [1, 13])
def test_everything_is_on_the_sheet(num_marks: int) -> None:
    """Clipping is taken out of the SVG, so nothing may be drawn outside: not even slopes, and marks far below."""
    marks = [mark(f"one-{index}", 150e9 / 4**index) for index in range(num_marks)]
    chart = roofline_chart({"Training step": marks, "Forward pass": marks[:1]}, CEILING)
    assert chart is not None
    for rendering in (chart.wide, chart.narrow):
        spots = re.findall(r'<use [^>]*?x="([-\d.]+)" y="([-\d.]+)"', text_of(rendering))
        assert len(spots) >= num_marks
        assert all(0 <= float(x) <= rendering.width and 0 <= float(y) <= rendering.height for x, y in spots)
