"""The page of two runs compared: all of it there, safe, the same every time, and like the report to look at."""

import base64
import copy
import dataclasses
import re
from types import ModuleType
from typing import Any

import pytest

from harness.compare import Condition, compare
from reports.comparison import chart, render
from reports.palette import DARK, LIGHT

CONDITIONS = [Condition("slower:5%", "slower", 0.05), Condition("refused", "refused", 0.0)]


@pytest.fixture(scope="module")
def runs(sample: ModuleType) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two whole runs; in the new one the two-layer net is 1.5 times as slow in jax-jit, and refused in numpy.

    A test must not change them.
    """
    old = sample.full()["likeforlike"]
    new = copy.deepcopy(old)
    new["run"]["id"] = "another"
    new["environment"]["packages"]["numpy"] = "2.5.0"
    for cell in new["cells"]:
        if cell["model"] == "two_layer" and cell["variant"] == "jax-jit":
            cell["rounds_s"] = [[1.5 * time_s for time_s in samples] for samples in cell["rounds_s"]]
        if cell["model"] == "two_layer" and cell["variant"] == "numpy":
            cell |= {"status": "refused", "reason": "loss@0 differs", "rounds_s": []}
    return old, new


@pytest.fixture(scope="module")
def comparison(runs: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    return dataclasses.asdict(compare(*runs, CONDITIONS))


@pytest.fixture(scope="module")
def page(comparison: dict[str, Any]) -> str:
    return render(comparison)


def test_everything_is_said(comparison: dict[str, Any], page: str) -> None:
    text = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert comparison["answer"] in text
    assert "numpy 2.4.6 → 2.5.0" in text
    assert "slower:5% two_layer (original, batch 64) train_step jax-jit" in text
    assert "numpy Two-layer net, forward pass timed → refused loss@0 differs" in text
    for group in comparison["groups"]:
        for change in group["changes"]:
            assert f">{change['variant']}</th>" in page
    assert text.count("▲ slower") == 2


def test_it_is_whole_and_loads_nothing(comparison: dict[str, Any], page: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:aria-labelledby="|href="#)([^"]*)"', page)) <= set(ids)
    assert all(source.startswith("data:") for source in re.findall(r'\b(?:src|srcset|href)="([^"#]*)"', page))
    assert page.count("<picture>") == page.count('alt="') == len(comparison["groups"])


def test_the_same_comparison_gives_the_same_bytes(comparison: dict[str, Any]) -> None:
    one_net = comparison | {"groups": comparison["groups"][:1]}
    assert render(one_net) == render(copy.deepcopy(one_net))


def test_hostile_names_stay_text(runs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    evil = "<script>alert(1)</script>"
    renamed = copy.deepcopy(runs)
    for run in renamed:
        run["run"]["id"] = evil
        run["groups"] = run["groups"][:1]
        for cell in run["cells"]:
            cell |= {"variant": cell["variant"].replace("jax-jit", evil), "reason": evil}
    page = render(dataclasses.asdict(compare(*renamed, CONDITIONS)))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_chart_has_both_schemes_and_the_noise_floor(comparison: dict[str, Any]) -> None:
    drawn = chart(comparison["groups"][0])
    assert drawn is not None
    for rendering in (drawn.wide, drawn.narrow):
        light, dark = (base64.b64decode(one.split(",")[1]).decode() for one in (rendering.light, rendering.dark))
        assert LIGHT["band"] in light
        assert DARK["band"] in dark
        assert "jax-jit" in light
    assert drawn.narrow.width <= 360
    assert "jax-jit 1.4" in drawn.alt


def test_without_intervals_there_is_no_chart_and_nothing_breaks(
    runs: tuple[dict[str, Any], dict[str, Any]], comparison: dict[str, Any]
) -> None:
    old, new = copy.deepcopy(runs)
    for cell in old["cells"]:
        cell["rounds_s"] = cell["rounds_s"][:3]
    short = dataclasses.asdict(compare(old, new))
    assert chart(short["groups"][0]) is None
    assert "<picture>" not in render(short)
    baseless = comparison["groups"][0] | {"baseline": None, "baseline_time_s": None, "changes": []}
    assert "No baseline was timed in both runs" in render(comparison | {"groups": [baseless], "statuses": []})
