"""The evidence: error against step, the tables of certificates, and what each framework takes for granted."""

import base64
import itertools
import re
from types import ModuleType
from typing import Any

import pytest

from harness import oracle
from reports import canvas, curves, proof
from reports.canvas import Chart
from reports.curves import Line
from reports.render import render


def svg_of(chart: Chart | None) -> str:
    """Return the text of a chart's wide, light rendering."""
    assert chart is not None
    return base64.b64decode(chart.wide.light.split(",")[1]).decode()


def plain(markup: str) -> str:
    return re.sub("<[^>]*>", "", markup).replace("\u00a0", " ")


def line(variant: str, values: list[float], *, mode: str = "eager", is_refused: bool = False) -> Line:
    """Return a line of a float32 chart, with the same values in both panels."""
    return Line(variant, mode, False, is_refused, list(range(1, len(values) + 1)), (values, values))


@pytest.fixture(scope="module")
def tables(full: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The evidence of the whole run, by net."""
    return {table["title"]: table for table in proof.tables(full["likeforlike"])}


def pair(sample: ModuleType, *variants: str, refused: str = "") -> dict[str, Any]:
    """Return the block of a run in which the U-Net was certified, and `refused` refused."""
    block = sample.document(
        cells=[sample.cell("unet", variant, "train_step") for variant in variants],
        certificates=[
            entry
            for variant in variants
            for entry in sample.certificates("unet", variant, "grad@0/layer0.w1" if variant == refused else None)
        ],
        trajectories=[entry for variant in variants for entry in sample.trajectories("unet", variant)],
    )
    return block["likeforlike"]


def set_end(block: dict[str, Any], variant: str, precision: str, share: float) -> None:
    """Set a variant's error after the last step, and of all its states; as a share of the limit."""
    for entry in block["trajectories"]:
        if (entry["variant"], entry["precision"]) == (variant, precision):
            entry["state_error"][-1], entry["state_share"][-1] = share * 1e-10, share
    for entry in block["certificates"]:
        if (entry["variant"], entry["precision"]) == (variant, precision) and entry["quantity"].startswith("state@"):
            entry |= {"rel_error": share * entry["limit"], "step": 10}


# ---------------------------------------------------------------- error against step


def test_the_unit_is_the_harness_own() -> None:
    assert curves.FLOAT32_FACTOR == oracle.FLOAT32_FACTOR


def test_a_sentence_a_net_says_how_far_the_certified_are_off(sample: ModuleType) -> None:
    block = pair(sample, "torch-eager", "jax-jit", "keras-torch", refused="keras-torch")
    for variant, share in (("torch-eager", 2.1 / 8), ("jax-jit", 1.3 / 8), ("keras-torch", 1e5)):
        set_end(block, variant, "float32", share)
    for variant, share in (("torch-eager", 1e-5), ("jax-jit", 3.4e-4), ("keras-torch", 1e10)):
        set_end(block, variant, "float64", share)
    (table,) = proof.tables(block)
    told = "After 10 training steps in float32 the worst certified variant, torch-eager, is off by 2.1 times the "
    told += "reference’s own error{}. 8 times is allowed. In float64 the largest error at any step is 3.4 × 10⁻¹⁴ "
    told += "(jax-jit, step 10), where 10⁻¹⁰ is allowed."
    assert plain(table["drift"]) == told.format("")
    peak = next(entry for entry in block["certificates"] if entry["quantity"] == "state@1..10/layer3.w1")
    peak |= {"variant": "jax-jit", "precision": "float32", "rel_error": 5.5, "limit": 8.0, "step": 4}
    (table,) = proof.tables(block)
    assert plain(table["drift"]) == told.format("; the most on the way was 5.5 times (jax-jit, step 4)")


def test_a_sentence_without_anything_certified_is_left_out(sample: ModuleType) -> None:
    (table,) = proof.tables(pair(sample, "torch-eager", refused="torch-eager"))
    assert table["drift"] == ""


def test_variants_stand_in_the_order_of_the_run(sample: ModuleType) -> None:
    """Certificates come in the order in which the lanes finish, which is another one in each run."""
    (table,) = proof.tables(pair(sample, "jax-jit", "numpy", "tf-graph", "torch-eager"))
    order = ["tf-graph", "torch-eager", "jax-jit", "numpy"]
    assert [row["variant"] for row in table["lines"]] == order
    assert [matrix["variants"] for matrix in table["matrices"]] == [order, order]
    assert table["modes"] == ["eager", "graph", "compiled"]


def test_charts_show_every_variant_and_the_limits(tables: dict[str, dict[str, Any]]) -> None:
    float32, float64 = (svg_of(tables["U-Net"][f"{name}_chart"]) for name in ("float32", "float64"))
    for text in ("limit: 8", "NumPy: 1", "State, in units of NumPy’s own error", "Loss, in units", "torch-compile"):
        assert text in float32
    assert "keras-torch ✗" in float32, "the refused variant is not marked"
    assert "torch-eager ✗" not in float32
    assert "limit: 10⁻¹⁰" in float64
    assert "numpy" in svg_of(tables["Two-layer net"]["float64_chart"])
    assert "≤ 10⁻¹⁷" in svg_of(tables["Two-layer net"]["float64_chart"]), "an error of zero has no place"


def test_the_text_alternative_gives_the_last_errors() -> None:
    chart = curves.float32_chart([line("a", [1.0, 2.1]), line("b", [1.0, 0.5, 1e6], mode="graph", is_refused=True)])
    assert chart is not None
    state, loss = (part.replace("\u00a0", " ") for part in chart.alt.split(". "))
    assert state == (
        "State, in units of NumPy’s own error, after 3 training steps, limit 8.0: a 2.1 after 2, b 10⁶ (refused)"
    )
    assert loss == state.replace("State", "Loss") + "."


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [1e-9, 1e9], [8.0, 8.0, 8.0]])
def test_nothing_is_drawn_outside(values: list[float]) -> None:
    """Clip paths are dropped, so what is off the scale must have been moved to its edge."""
    chart = curves.float32_chart([line("a", values), line("b", values[:1], mode="compiled")])
    svg = svg_of(chart)
    assert chart is not None
    for y in re.findall(r'<use [^>]*y="([-\d.]+)"', svg):
        assert canvas.ABOVE <= float(y) <= canvas.ABOVE + curves.WIDE.body
    assert svg.count("<use") >= 2 * 2
    assert ("≥ 1,000" in svg) == (max(values) > 1e3)
    assert ("≤ 0.01" in svg) == (min(values) < 0.01)


def test_no_steps_no_chart() -> None:
    assert curves.float32_chart([line("a", [])]) is None
    assert curves.float64_chart([], 1e-10) is None


@pytest.mark.parametrize(
    "wanted", [[0.5], [0.1, 0.9], [0.5, 0.5, 0.5], [0.0, 0.0, 0.01, 0.6], [0.98, 0.99, 1.0], [0.2, 0.25, 0.26, 0.9]]
)
def test_labels_keep_apart_and_near(wanted: list[float]) -> None:
    places = canvas.spread(wanted, 0.1, 0.0, 1.0)
    assert all(after - before >= 0.1 - 1e-9 for before, after in itertools.pairwise(places))
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert max(abs(place - want) for place, want in zip(places, wanted, strict=True)) <= 0.1 * len(wanted)
    if wanted == [0.5, 0.5, 0.5]:
        assert places == pytest.approx([0.4, 0.5, 0.6])


# ---------------------------------------------------------------- the tables


def test_the_summary_shows_what_came_closest_to_its_limit(sample: ModuleType) -> None:
    block = pair(sample, "torch-eager")
    closest = next(entry for entry in block["certificates"] if entry["quantity"] == "state@1..10/layer3.w1")
    closest |= {"precision": "float32", "rel_error": 9.0e-3, "limit": 1e-2, "step": 7}
    (table,) = proof.tables(block)
    (row,) = table["lines"]
    assert table["precisions"] == ["float64", "float32"]
    assert row["num"] == len(block["certificates"])
    float64, float32 = row["gates"]
    assert float64["limit"] == "1.0e-10"
    assert float32["share"] == "90\u00a0%"
    assert (float32["quantity"], float32["step"]) == ("state@1..10/layer3.w1", 7)
    assert (float32["error"], float32["limit"]) == ("9.0e-3", "1.0e-2")


def test_matrices_group_what_was_compared(tables: dict[str, dict[str, Any]]) -> None:
    float64, float32 = tables["U-Net"]["matrices"]
    titles = [group["title"] for group in float32["groups"]]
    assert titles == list(proof.KINDS.values())
    by_prefix = {group["prefix"]: dict(group["rows"]) for group in float32["groups"]}
    assert set(by_prefix) == {"layer@0/", "", "grad@0/", "state@1..10/"}
    assert {"layer0", "layer14"} <= set(by_prefix["layer@0/"])
    assert {"layer0.w1", "velocity/layer0.w1"} <= set(by_prefix["state@1..10/"])
    column = float32["variants"].index("keras-torch")
    failed = by_prefix["grad@0/"]["layer0.w1"][column]
    assert failed == {"text": "3.1e-1", "note": "7.8e+6\u00a0%", "passed": False}
    assert re.fullmatch(r"[\d.]+\u00a0%, step \d+", by_prefix["state@1..10/"]["layer0.w1"][0]["note"])
    assert float64["limit"] == "1.0e-10"
    assert float32["limit"] is None
    first_gradient = dict(float64["groups"][3]["rows"])["layer0.w1"][0]
    assert first_gradient["note"] == "", "in float64 all have one limit, and a gradient has no step"


def test_failures_keep_their_numbers(tables: dict[str, dict[str, Any]], sample: ModuleType) -> None:
    (failure,) = tables["U-Net"]["failures"]
    assert (failure["variant"], failure["error"], failure["limit"]) == ("keras-torch", "3.1e-1", "4.0e-6")
    assert failure["step"] is None
    document = sample.document(certificates=sample.certificates("unet", "jax-jit", "state@1..10/layer0.w1"))
    (table,) = proof.tables(document["likeforlike"])
    (failure,) = table["failures"]
    assert 1 <= failure["step"] <= 10
    assert f"first at step {failure['step']}: error 3.1e-1" in render(document)


def test_what_cannot_be_compared_is_worst(sample: ModuleType) -> None:
    document = sample.document(certificates=sample.certificates("unet", "jax-jit"))
    entry = document["likeforlike"]["certificates"][-1]
    entry |= {"rel_error": None, "passed": False, "detail": "3 of 9 values are NaN or infinite"}
    (table,) = proof.tables(document["likeforlike"])
    gate = table["lines"][0]["gates"][1]
    assert (gate["share"], gate["quantity"]) == ("not comparable", entry["quantity"])
    assert "3 of 9 values are NaN or infinite." in render(document)


def test_each_optimizer_has_a_table_of_its_own(sample: ModuleType) -> None:
    block = pair(sample, "torch-eager")
    other = [{**entry, "optimizer": "adam"} for entry in block["certificates"]]
    block["certificates"] += other
    assert [table["optimizer"] for table in proof.tables(block)] == ["momentum", "adam"]
    assert [table["float32_chart"] is None for table in proof.tables(block)] == [False, True]


# ---------------------------------------------------------------- conventions


def test_conventions(full: dict[str, Any], page: str) -> None:
    table = proof.conventions(full["likeforlike"])
    assert table["frameworks"] == ["TensorFlow", "Keras", "PyTorch", "JAX"]
    assert [row["agreement"] for row in table["rows"]] == [
        "differ",
        "differ",
        "agree",
        "differ",
        "differ",
        "differ",
        "",
    ]
    assert table["num_different"] == 5
    rows = {row["title"]: row["values"] for row in table["rows"]}
    assert rows["Adam: default epsilon"] == ["–", "1e-7", "1e-8", "1e-8"]
    assert rows["GELU: tanh approximation by default"] == ["no", "no", "no", "yes"]
    (shown,) = re.findall('<section id="conventions".*?</section>', page, flags=re.DOTALL)
    assert "In 5 of 7 subjects they differ" in shown
    assert shown.count("≠ differ") == 5 + 1, "a row that differs is marked by colour alone, or not at all"
    assert re.search('<section class="scroll" tabindex="0"[^>]*>\n<table class="conventions">', shown)


def test_true_is_not_one() -> None:
    row = {"subject": "s", "title": "t", "values": {"a": True, "b": 1, "c": "1"}}
    (shown,) = proof.conventions({"conventions": [row]})["rows"]
    assert shown["values"] == ["yes", "1", "1"]
    assert shown["agreement"] == "differ"


def test_no_conventions_no_section(sample: ModuleType) -> None:
    page = render(sample.document())
    assert 'id="conventions"' not in page
    assert "#conventions" not in page
