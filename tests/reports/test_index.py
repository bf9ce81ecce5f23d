"""The index: newest first, every ratio of every run, histories with their changes, and safe with hostile names."""

import copy
import json
import re
from typing import Any

import pytest

from harness import index as harness_index
from harness import stats
from reports import index
from reports.index import Figure, Run


@pytest.fixture(scope="module")
def page(runs: list[Run]) -> str:
    return index.render(runs, [("20260101T000000Z-cpu", "it has schema version 1")], harness_index.change)


def figure(run: Run, variant: str = "jax-jit") -> Figure:
    return next(one for one in run.figures if one.variant == variant)


def test_newest_first_each_with_its_headline_ratios(runs: list[Run], page: str) -> None:
    table = page.partition("</table>")[0]
    assert re.findall(r'<tr data-row="([^"]*)"', table) == [run.id for run in reversed(runs)]
    assert re.findall(r'<th scope="row"><a href="([^"]*)">', table) == [f"{place}/index.html" for place in (2, 1, 0)]
    assert "0.775<span" in table, "jax-jit of the two-layer net in the newest run"
    assert "0.517<span" in table, "and in those before"
    assert "it has schema version 1" in page


def test_a_figure_is_what_the_report_shows(full: dict[str, Any]) -> None:
    document = copy.deepcopy(full)
    refused = {"model": "two_layer", "variant": "numpy"}
    for entry in document["likeforlike"]["certificates"]:
        if entry.items() >= refused.items():
            entry["passed"] = False
    found = index.summary(document, None).figures
    assert not [one for one in found if (one.model, one.variant) == ("two_layer", "numpy")], "no certificate, no bar"
    assert not [one for one in found if one.variant == one.baseline]


def test_a_history_marks_where_the_ratio_changed(runs: list[Run]) -> None:
    found = index.histories(runs, harness_index.change)
    charts = [chart for one in found for chart in one["charts"] if chart["variant"] == "jax-jit"]
    assert charts
    for chart in charts:
        assert [point["change"] for point in chart["points"]] == ["", "", "slower"]
        low, middle, high = ([point[name] for point in chart["points"]] for name in ("bottom", "y", "top"))
        assert all(up < at < down for up, at, down in zip(high, middle, low, strict=True))
        assert middle[2] < middle[0], "slower is higher up"
        assert chart["told"].endswith("became slower 1 times, faster 0 times")
    other = next(chart for one in found for chart in one["charts"] if chart["variant"] == "keras-tf")
    assert {point["change"] for point in other["points"]} == {""}


def test_only_one_machine_shares_a_history(runs: list[Run], full: dict[str, Any]) -> None:
    document = copy.deepcopy(full)
    document["likeforlike"]["run"]["num_threads"] = 1
    alone = index.summary(document, None)
    assert alone.machine != runs[0].machine
    assert index.histories([runs[0], alone], harness_index.change) == []


def test_what_is_embedded_is_what_the_table_of_two_runs_needs(runs: list[Run], page: str) -> None:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    data = json.loads(text)
    assert data["margin"] == stats.MARGIN
    assert [run["id"] for run in data["runs"]] == [run.id for run in reversed(runs)]
    one = figure(runs[-1])
    cells = data["runs"][0]["cells"]
    assert cells[f"{one.place}|jax-jit"] == [one.ratio, one.low, one.high, one.floor, "torch-eager"]
    control = stats.Ratio(1.0, *(one.control or (None, None)), (), None)
    assert one.floor == stats.noise_floor(control), "the same floor as the harness's"


def test_hostile_names_stay_text(full: dict[str, Any]) -> None:
    evil = "</script><script>alert(1)</script>"
    document = copy.deepcopy(full)
    block = document["likeforlike"]
    block["run"] |= {"id": evil, "preset": evil}
    block["environment"]["cpu"] = evil
    run = index.summary(document, None)
    page = index.render([run, run], [(evil, evil)], harness_index.change)
    assert page.count("<script") == 2


def test_nothing_to_show_is_said() -> None:
    page = index.render([], [], harness_index.change)
    assert "There is no run yet" in page
    assert "Histories" not in page
