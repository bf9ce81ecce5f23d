"""The figures beside the ratios: cold stages, break-even, tuning, modes, limits, ledger, the doctor, and scaling."""

import base64
import copy
import random
import re
from types import ModuleType
from typing import Any

import pytest

from harness import breakeven as courses
from harness import stats
from harness.breakeven import Course
from reports import (
    advice,
    breakeven,
    charts,
    cold,
    drift,
    gpu,
    lanes,
    ledger,
    limits,
    modes,
    numbers,
    proof,
    scaling,
    sections,
    tables,
)
from reports.canvas import Chart
from reports.render import render
from reports.sections import Comparison, Section


def plain(text: str) -> str:
    return re.sub("<[^>]*>", "", text).replace("\u00a0", " ")


def words_of(chart: Chart | None) -> list[str]:
    """Return the texts of a chart's wide rendering."""
    assert chart is not None
    svg = base64.b64decode(chart.wide.light.split(",")[1]).decode()
    return [plain(word) for word in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


@pytest.fixture
def block(full: dict[str, Any]) -> dict[str, Any]:
    """The block of the whole run, free to be changed."""
    return copy.deepcopy(full["likeforlike"])


def net(block: dict[str, Any], model: str = "two_layer") -> Section:
    return next(section for section in sections.sections(block) if section.model == model)


def training(block: dict[str, Any], model: str = "two_layer") -> Comparison:
    return net(block, model).comparisons["train_step"]


def cell(block: dict[str, Any], variant: str, model: str = "two_layer") -> dict[str, Any]:
    return next(one for one in training(block, model).cells if one["variant"] == variant)


# ---------------------------------------------------------------- cold stages


def test_cold_stages_stand_beside_the_warm_start_and_span_the_launches(block: dict[str, Any]) -> None:
    rows = [row for row in cold.table(net(block)) if row["variant"] == "jax-jit" and row["phase"] == "Training step"]
    assert [row["start"] for row in rows] == ["cold", "warm cache"]
    compile_cold, compile_warm = (row["figures"][cold.COLUMNS.index("compile")] for row in rows)
    stages = [launch["stages"]["compile_s"] for launch in cell(block, "jax-jit")["launches"]]
    assert plain(compile_cold[1]) == f"{1e3 * min(stages):.0f} – {1e3 * max(stages):.0f} ms"
    assert plain(compile_warm[0]) == "70.8 ms"
    assert rows[1]["figures"][cold.COLUMNS.index("teardown")][0] == numbers.NOT_KNOWN
    assert "with a filled compile cache" in str(getattr(cold.stage_chart(net(block)), "alt", ""))


def test_one_launch_has_no_range(sample: ModuleType) -> None:
    cells = [sample.timed("unet", "torch-eager", "train_step", 0.07, 1.0)]
    proofs = sample.certificates("unet", "torch-eager")
    document = sample.document(groups=[sample.group("unet", "train_step")], cells=cells, certificates=proofs)
    (row,) = cold.table(net(document["likeforlike"], "unet"))
    assert {text for _, text in row["figures"]} == {""}


# ---------------------------------------------------------------- break-even


def test_the_curves_are_those_of_the_harness(block: dict[str, Any]) -> None:
    one = cell(block, "jax-jit")
    course = Course.of(one["stages"], one["step_time_s"])
    for num_steps in (1, 2, 3, 1000):
        assert breakeven.seconds(one, num_steps) == pytest.approx(course.seconds(num_steps))


def test_break_even_in_words_and_as_a_table(block: dict[str, Any]) -> None:
    pair = {"early": "torch-eager", "late": "jax-jit", "num_steps": 13_400, "low": 12_100, "high": 15_300}
    maybe = {"early": "torch-eager", "late": "tf-graph", "num_steps": None, "low": 90_000, "high": None}
    for group in block["groups"]:
        group["break_even"] = [pair, maybe]
    table = breakeven.tables(net(block))[0]
    told = plain(" ".join(table["told"]))
    assert "jax-jit starts 362 ms later than torch-eager and overtakes it after 12,100 to 15,300 steps." in told
    assert "tf-graph starts 1.97 s later than torch-eager and overtakes it after 90,000 steps or more" in told
    assert "torch-eager is never overtaken by keras-tf, which starts later." in told
    rows = {(row["early"], row["late"]): (row["step"], row["interval"]) for row in table["rows"]}
    assert rows["torch-eager", "jax-jit"] == ("13,400", "12,100 to 15,300")
    assert rows["torch-eager", "tf-graph"] == ("never, by the medians", "90,000 or later, perhaps never")
    assert rows["torch-eager", "keras-tf"] == ("never", "")
    assert len(rows) == 6, "every two headline variants"


def test_within_the_noise_neither_a_break_even_nor_its_absence_is_certain(block: dict[str, Any]) -> None:
    pair = {"early": "torch-eager", "late": "jax-jit", "num_steps": 13_400, "low": 12_100, "high": 15_300}
    for group in block["groups"]:
        group["break_even"] = [pair]
        group["control"] |= {"ratio_low": 0.1, "ratio_high": 10.0}
    table = breakeven.tables(net(block))[0]
    rows = {(row["early"], row["late"]): (row["step"], row["interval"]) for row in table["rows"]}
    assert rows["torch-eager", "jax-jit"] == ("13,400", "12,100 or later, perhaps never")
    assert rows["torch-eager", "keras-tf"] == ("none shown", "")
    assert "never overtaken" not in plain(" ".join(table["told"]))


def test_a_break_even_after_few_steps_is_a_whole_number_of_them(block: dict[str, Any]) -> None:
    pair = {"early": "torch-eager", "late": "jax-jit", "num_steps": 61.5, "low": 60.0, "high": 64.2}
    for group in block["groups"]:
        group["break_even"] = [pair]
    (row, *_) = [row for row in breakeven.tables(net(block))[0]["rows"] if row["late"] == "jax-jit"]
    assert (row["step"], row["interval"]) == ("62", "60 to 65")


def test_without_intervals_nothing_is_said_to_never_pay_off(block: dict[str, Any]) -> None:
    for group in block["groups"]:
        group["break_even"] = []
    cell(block, "keras-tf")["ratio_low"] = None
    table = breakeven.tables(net(block))[0]
    assert {row["step"] for row in table["rows"] if "keras-tf" in row.values()} == {"not known"}


def test_the_chart_ends_a_decade_beyond_the_last_break_even(block: dict[str, Any]) -> None:
    chart, everyone = breakeven.charts(net(block))
    shown = words_of(chart)
    assert {"torch-eager", "jax-jit", "tf-graph", "keras-tf", "1", "10,000"} <= set(shown)
    assert "numpy" not in shown
    assert "numpy" in words_of(everyone)


def test_the_sample_is_what_the_harness_would_write(block: dict[str, Any]) -> None:
    group = training(block).group
    assert group is not None
    pair = next(one for one in group["break_even"] if (one["early"], one["late"]) == ("torch-eager", "jax-jit"))
    one, two = (
        [Course.of(launch["stages"], cell(block, name)["step_time_s"]) for launch in cell(block, name)["launches"]]
        for name in ("torch-eager", "jax-jit")
    )
    assert pair["num_steps"] == courses.overtaking_step(one[1], two[1])


# ---------------------------------------------------------------- lanes


@pytest.mark.parametrize("num_values", [*range(1, 14), 36, 60])
def test_the_interval_is_that_of_the_harness(num_values: int) -> None:
    draw = random.Random(num_values)
    values = [draw.gauss(0, 1) for _ in range(num_values)]
    assert lanes.sign_test_interval(values) == stats.sign_test_interval(values)


@pytest.mark.parametrize("agree", [True, False])
def test_what_tuning_gained_is_what_the_harness_would_find(block: dict[str, Any], agree: bool) -> None:
    comparison = training(block)
    tuned, written = cell(block, "torch-channels-last"), cell(block, "torch-eager")
    third = len(tuned["rounds_s"]) // 3
    tuned["launches_agree"] = agree
    if not agree:
        tuned["rounds_s"] = [[1.1 * sample for sample in one] for one in tuned["rounds_s"][:third]] + tuned["rounds_s"][
            third:
        ]
    cuts = [slice(third * index, third * (index + 1)) for index in range(3)]
    launches = [(tuned["rounds_s"][cut], written["rounds_s"][cut]) for cut in cuts]
    expected = stats.over_launches(launches, "min")
    ratio, low, high = lanes.ratio_between(comparison, tuned, written)
    assert expected.agree is agree
    assert (ratio, low, high) == pytest.approx((expected.ratio, expected.low, expected.high))


def test_each_tuned_variant_is_set_against_its_own_framework(block: dict[str, Any]) -> None:
    pairs = {(row["tuned"], row["written"]) for row in lanes.table(net(block))}
    assert pairs == {("tf-xla", "tf-graph"), ("torch-compile", "torch-eager"), ("torch-channels-last", "torch-eager")}
    cell(block, "tf-xla")["rounds_s"].pop()
    row = next(row for row in lanes.table(net(block)) if row["tuned"] == "tf-xla")
    assert (row["interval"], row["gain"]) == (numbers.NOT_KNOWN, "too few rounds to say")


# ---------------------------------------------------------------- the noise floor


@pytest.mark.parametrize("num_launches", [1, 3])
@pytest.mark.parametrize("noise", [None, 0.004, 0.08])
def test_the_noise_floor_is_that_of_the_harness(sample: ModuleType, noise: float | None, num_launches: int) -> None:
    launches = [{"num_rounds": 12, "stopped_by": "rounds"}] * num_launches
    group = sample.group("unet", "train_step", noise=noise, launches=launches)
    control = None
    if noise is not None:
        ends = group["control"]["ratio_low"], group["control"]["ratio_high"]
        agree = True if num_launches > 1 else None
        control = stats.LaunchedRatio(1.0, *ends, (), None, agree, ())
    found = Comparison("train_step", group, (), frozenset()).noise_floor
    assert found == pytest.approx(stats.noise_floor(control))


# ---------------------------------------------------------------- modes


def test_modes_say_what_the_host_does_only_where_intervals_lie_apart(block: dict[str, Any]) -> None:
    told = {row["variant"]: row["told"] for _, rows in modes.tables(net(block))[0]["lanes"] for row in rows}
    assert plain(told["tf-graph"]) == "the host computes or waits, waiting adds 12 %, feeding adds 12 %"
    assert told["jax-jit"].startswith("the work goes on after the call")
    assert told["torch-eager"].startswith("waiting adds")
    cell(block, "tf-graph")["latency_s"] = {"median": 1.0, "low": None, "high": None}
    told = {row["variant"]: row["told"] for _, rows in modes.tables(net(block))[0]["lanes"] for row in rows}
    assert "waiting" not in told["tf-graph"]


def test_no_modes_no_table(block: dict[str, Any]) -> None:
    for one in block["cells"]:
        one |= dict.fromkeys(modes.COLUMNS)
    assert modes.tables(net(block)) == []
    assert "Throughput, latency and dispatch" not in render(block)


# ---------------------------------------------------------------- on a GPU


def test_kernels_are_shown_where_they_were_recorded(block: dict[str, Any]) -> None:
    assert gpu.activity(net(block)) == []
    assert "<h3>What the GPU did</h3>" not in render(block)
    one = cell(block, "torch-eager")
    one["activity"] = {"num_kernels": 42.0, "busy_s": 0.25 * one["step_time_s"], "idle_s": 0.5 * one["step_time_s"]}
    ((row,),) = (table["rows"] for table in gpu.activity(net(block)))
    assert row["variant"] == "torch-eager"
    assert [plain(share) for _, share in row["figures"]] == ["", "", "25 %", "50 %"]
    assert row["figures"][1][0] == "42.0"
    assert "<h3>What the GPU did</h3>" in render(block)


def drawn(step_energy_j: float, *slowdowns: str) -> dict[str, Any]:
    return {
        "window_s": 2.0,
        "power_w": 412.5,
        "step_energy_j": step_energy_j,
        "clock_hz": [1.7e9, 1.95e9, 1.98e9],
        "temperature_c": 61.0,
        "slowdowns": list(slowdowns),
    }


def test_energy_is_shown_where_it_was_read_the_thriftiest_first(block: dict[str, Any]) -> None:
    assert gpu.energy(net(block)) == []
    assert "<h3>Energy</h3>" not in render(block)
    cell(block, "tf-graph")["energy"] = drawn(0.045)
    cell(block, "torch-eager")["energy"] = drawn(0.0123, "its power limit")
    ((first, second),) = (table["rows"] for table in gpu.energy(net(block)))
    assert (first["variant"], second["variant"]) == ("torch-eager", "tf-graph")
    assert [plain(figure) for figure, _ in first["figures"]] == ["12.3 mJ", "412 W", "1.95 GHz", "61 °C"]
    assert plain(first["figures"][2][1]) == "1.70 GHz – 1.98 GHz"
    assert first["slowdowns"] == "its power limit"
    assert "<h3>Energy</h3>" in render(block)


# ---------------------------------------------------------------- limits, ledger, doctor


def test_the_share_is_of_the_roof(block: dict[str, Any]) -> None:
    one, comparison = cell(block, "numpy"), training(block)
    assert comparison.group is not None
    intensity = comparison.group["flops"] / comparison.group["bytes"]
    roof = min(block["roof"]["matmul"]["per_s"], intensity * comparison.group["bytes_per_s"])
    share = 100 * comparison.group["flops"] / one["step_time_s"] / roof
    assert plain(limits.share_text(comparison, one, block["roof"])) == f"{share:.0f} %"
    assert limits.share_text(comparison, one, None) == numbers.NOT_KNOWN
    assert limits.table(None) == []
    assert [row["backend"] for row in limits.table(block["roof"])] == ["torch", "torch", "jax", "jax", "torch"]


def test_the_ledger_says_once_what_all_share_and_who_differs(block: dict[str, Any]) -> None:
    found = ledger.table(net(block))
    assert found is not None
    assert dict(found["common"])["caches"] == "none"
    donation = dict(found["differing"])["donation"]
    assert [(value["text"], value["is_usual"]) for value in donation] == [
        ("none; variables are updated in place", True),
        ("the net's state", False),
    ]
    assert donation[1]["variants"] == ["jax-jit", "jax-eager"]
    forward = net(block).comparisons["forward"]
    next(one for one in forward.cells if one["variant"] == "jax-jit")["ledger"]["donation"] = "none"
    found = ledger.table(net(block))
    assert found is not None
    texts = {value["text"]: value["variants"] for value in dict(found["differing"])["donation"]}
    assert texts["training step: the net's state; forward pass: none"] == ["jax-jit"]


def test_a_warning_stands_beside_the_figures_that_it_blurs(block: dict[str, Any], page: str) -> None:
    assert advice.by_figure(block)["memory"] == ["swap"]
    assert advice.by_figure(block)["times"] == ["load", "swap"]
    told = re.findall(r'<p class="blurred">(.*?)</p>', page)
    assert any(re.search(r"Peak memory .*#doctor-swap", one) and "load" not in one for one in told)
    (table,) = re.findall(r'id="doctor".*?</table>', page, flags=re.DOTALL)
    assert all(finding["found"] in table for finding in block["doctor"])
    assert table.count("Remedy:") == 2
    assert "<code>kill PID</code>" in table
    assert page.count(block["doctor"][0]["found"]) == 2, "once in the answer, once in the list"


def test_launches_that_disagree_are_noted_beside_the_cell(page: str) -> None:
    assert "launches disagree: " in page
    assert "60 interleaved rounds in 3 launches" in page


# ---------------------------------------------------------------- sweeps


@pytest.fixture(scope="module")
def swept(sample: ModuleType) -> dict[str, Any]:
    return sample.sweep()["likeforlike"]


def test_a_sweep_is_one_net_with_its_sizes_in_order(swept: dict[str, Any]) -> None:
    (found,) = sections.nets(swept)
    assert [scaling.value(found, size) for size in found.sizes] == [1, 4, 16, 64]
    assert found.parameter == "batch"


def test_costs_are_per_sample_and_lanes_stay_apart(swept: dict[str, Any]) -> None:
    (table,) = scaling.tables(sections.nets(swept)[0])
    assert table["columns"] == ["batch 1", "batch 4", "batch 16", "batch 64"]
    by_lane = {lane: [row["variant"] for row in rows] for lane, rows in table["lanes"]}
    assert by_lane == {"as-written": ["torch-eager", "jax-jit", "tf-graph", "numpy"], "tuned": ["torch-compile"]}
    first = dict(table["lanes"])["as-written"][0]
    assert [plain(text) for text, _ in first["figures"]] == ["25.0 µs", "10.0 µs", "6.25 µs", "5.31 µs"]
    assert first["growth"] == ("13.6 ×", "13.3 – 13.9")


def test_the_guide_grows_as_the_work_does(swept: dict[str, Any]) -> None:
    (found,) = sections.nets(swept)
    at = scaling.points(found, "train_step")
    guide = scaling._guide(at, scaling._lines(at, lambda _: 1.0))
    assert guide[-1][1] == pytest.approx(340e-6), "it meets the fastest at the largest size"
    assert guide[0][1] / guide[-1][1] == pytest.approx(at[0].flops / at[-1].flops)
    assert {"∝ the work", "torch-eager", "1", "4", "16", "64"} <= set(words_of(scaling.chart(found)))


def test_the_answer_of_a_sweep(swept: dict[str, Any]) -> None:
    (told,) = scaling.told(sections.nets(swept)[0])
    assert plain(told) == (
        "For a training step, torch-eager leads at batch 1, 4, 16 and 64. "
        "From batch 1 to 64 the work of a step grows 64.0 times, its time 4.63 to 4.78 times (numpy) to "
        "13.3 to 13.9 times (torch-eager)."
    )


def test_a_swept_page_has_every_size_once_each_with_its_own_error_curves(swept: dict[str, Any]) -> None:
    page = render(swept)
    assert page.count('<details class="size">') == 4
    assert len(re.findall(r'id="([^"]*)"', page)) == len(set(re.findall(r'id="([^"]*)"', page)))
    lines = [proof._curves(swept, "two_layer", entry["size"], "sgd", "float32") for entry in swept["groups"]]
    assert [len(of_size) for of_size in lines] == [len(swept["run"]["variants"])] * 4


def test_a_size_without_a_time_is_left_out_of_the_curves(swept: dict[str, Any]) -> None:
    block = copy.deepcopy(swept)
    for one in block["cells"]:
        if one["batch_size"] == 4:
            one |= {"status": "crashed", "reason": "the worker ended with signal 9", "step_time_s": None}
    (found,) = sections.nets(block)
    assert [point.value for point in scaling.points(found, "train_step")] == [1, 16, 64]
    assert "signal 9" in render(block)


# ---------------------------------------------------------------- drift


def test_drift_is_each_round_over_its_own_median(block: dict[str, Any]) -> None:
    comparison = training(block)
    one = cell(block, "jax-jit")
    one["rounds_s"] = [[value * 1e-3, 9.0] for value in (1, 2, 4)]
    assert drift.by_round(comparison, one) == [0.5, 1.0, 2.0], "the group is summed up by minima"
    chart = drift.chart(net(block))
    assert chart is not None
    assert "jax-jit 0.50 to 2.0 (second half 4.00 times the first)" in plain(chart.alt)
    assert {"torch-eager", "its median"} <= set(words_of(chart))
    assert "numpy" not in words_of(chart), "the headline variants alone"


def test_neighbouring_rounds_are_taken_together_where_there_are_too_many() -> None:
    assert drift._points([3.0, 1.0, 2.0]) == ((1, 3.0), (2, 1.0), (3, 2.0))
    points = drift._points([float(value) for value in range(1, 3 * drift.MOST_POINTS + 1)])
    assert len(points) == drift.MOST_POINTS
    assert points[:2] == ((2, 2.0), (5, 5.0))


def test_too_few_rounds_do_not_drift(block: dict[str, Any]) -> None:
    for one in block["cells"]:
        one["rounds_s"] = one["rounds_s"][:2]
    assert drift.chart(net(block)) is None


def test_what_the_preset_leaves_out_is_said_once(block: dict[str, Any]) -> None:
    for name in ("tf-xla", "jax-eager"):
        reason = "left to --preset full, or --variants NAME"
        for one in block["cells"]:
            if (one["model"], one["variant"]) == ("two_layer", name):
                one |= {"status": "not timed", "reason": reason, "step_time_s": None}
    rows = [row for row in tables.absent(net(block)) if row["status"] == "not timed"]
    assert [(row["variants"], row["phases"], row["reason"]) for row in rows] == [
        (["jax-eager", "tf-xla"], "both phases", "left to --preset full, or --variants NAME")
    ]


# ---------------------------------------------------------------- the overview


def test_the_overview_has_a_panel_a_net_and_the_headline_variants_alone(block: dict[str, Any]) -> None:
    found = sections.sections(block)
    chart = charts.overview(found)
    shown = set(words_of(chart))
    assert {f"{one.title}, training step" for one in found} <= shown
    assert {"torch-eager", "jax-jit", "tf-graph", "keras-tf", "baseline"} <= shown
    assert "numpy" not in shown
    assert charts.overview(found[:1]) is None, "its own chart says the same"


def test_of_many_sizes_the_ends_have_charts() -> None:
    assert sections.have_charts(4) == [True] * 4
    assert sections.have_charts(5) == [True, False, False, False, True]
