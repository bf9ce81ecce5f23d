"""The lesson's charts: both layouts say everything, panels share a scale, and nothing makes no chart."""

import base64
import re
from typing import Any

import pytest

from reports.lesson import plots
from reports.lesson.measured import Estimate
from reports.lesson.plots import Course, Row, Strip


def texts(address: str) -> list[str]:
    """Return what is written in a chart."""
    chart = base64.b64decode(address.split(",")[1]).decode()
    return re.findall(r"<text[^>]*>([^<]*)</text>", chart)


@pytest.mark.parametrize("is_log", [True, False], ids=["logarithmic", "from zero"])
def test_dots_name_every_way_and_its_figure_in_both_layouts(is_log: bool) -> None:
    rows = [
        Row("Alpha", "eager", "eager", (Estimate(0.2, 0.1, 0.3),), "200 ms"),
        Row(
            "Alpha",
            "jit, padded to powers of two",
            "compiled",
            (Estimate(1.0, 0.9, 1.1), Estimate(3.0, 2.9, 3.1)),
            "3 s",
        ),
    ]
    chart = plots.dots(rows, "time", "in words", is_log=is_log)
    assert chart is not None
    for rendering in (chart.wide, chart.narrow):
        assert {"Alpha", "eager", "200 ms", "jit, padded to powers of two", "3 s", "time"} <= set(
            texts(rendering.light)
        )
    assert chart.narrow.width < 360
    assert chart.narrow.height > chart.wide.height, "labels stand above their marks"


def test_strips_share_one_scale() -> None:
    panels = [
        Strip("Alpha", (Course("eager", "eager", (1e-5, 1e-4)),)),
        Strip("Beta", (Course("jit", "compiled", (1.0,)),)),
    ]
    chart = plots.strips(panels, "call", "in words")
    assert chart is not None
    written = texts(chart.wide.light)
    ticks = [text for text in written if text.endswith(("s", "µs", "ms")) and text[0].isdigit()]
    assert ticks
    assert all(ticks.count(tick) == len(panels) for tick in ticks)


@pytest.mark.parametrize("chart", [plots.dots([], "x", "a"), plots.strips([Strip("Alpha", ())], "x", "a")])
def test_nothing_makes_no_chart(chart: Any) -> None:
    assert chart is None


@pytest.mark.parametrize(
    ("label", "lines"),
    [("jit", 1), ("tf.function, XLA", 1), ("tf.function, tf.while_loop", 2), ("torch.compile(dynamic=True)", 2)],
)
def test_a_long_label_is_wrapped_once(label: str, lines: int) -> None:
    assert plots.wrapped(label).count("\n") + 1 == lines
