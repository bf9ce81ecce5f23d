"""Every verdict follows from the data: planted data give each one that its rule knows, and no data give none."""

from collections.abc import Callable
from typing import Any

import pytest

from reports import lesson as page
from reports.lesson import (
    amortisation,
    asynchrony,
    buffers,
    debugging,
    dynamic_depth,
    export,
    fusion,
    high_level,
    loops,
    per_op,
    python_runs,
    ragged,
    retrace,
    same_numbers,
)
from reports.lesson.measured import Lesson
from reports.lesson.verdicts import HOLDS, NOT_MEASURED, NOT_REPRODUCED, ONLY, over

Record = dict[str, Any]
Planted = Callable[..., Lesson]
EAGER, STATIC = "eager", "jit"
YES, NO = True, False


def of_two(make: Callable[[bool, str], Record], *held: bool) -> dict[tuple[str, str], Record]:
    """Return data of an eager and of a compiled way, in one framework for each of `held`."""
    return {
        (framework, way): make(one, way)
        for framework, one in zip(("Alpha", "Beta"), held, strict=False)
        for way in (EAGER, STATIC)
    }


def near(seconds: float) -> list[float]:
    return [seconds * (1 + 0.01 * index) for index in range(9)]


def calls(held: bool, way: str) -> Record:
    seconds = 10.0 if (way == EAGER) == held else 1.0
    return {"num_ops": 20, "num_elements": [1, 10], "seconds": [near(seconds), near(20)]}


def kernels(held: bool, way: str) -> Record:
    num = 1 if held and way != EAGER else 20
    seconds = near(9.0 if way == EAGER else 1.0)
    return {"num_ops": 20, "num_elements": 10, "num_kernels": num, "how_counted": "by hand", "seconds": seconds}


def shapes(held: bool, way: str) -> Record:
    first = 5.0 if held and way != EAGER else 0.01
    return {
        "batch_sizes": [1] * 20,
        "first_seconds": [9.0, *[first] * 19],
        "again_seconds": [0.01] * 20,
        "num_traces": 20 if held and way != EAGER else 1,
    }


def peaks(held: bool, way: str) -> Record:
    return {"num_terms": 10, "tensor_bytes": 100, "peak_bytes": 300 if held and way != EAGER else 1100}


def examples(held: bool, way: str) -> Record:
    total = 1.0 if (way == EAGER) == held else 3.0
    values = {"total_seconds": total, "first_seconds": 0.1, "num_traces": 1, "num_wasted_steps": 3}
    return {"packing": "as they are" if way == EAGER else "padded", "lengths": [5, 9], **values}


def depths(held: bool, _: str) -> Record:
    drawn = [[index % 10 for index in range(40)]] * 2
    seconds = [[9.0 if not held and index < 10 else 1.0 for index in range(40)]] * 2
    return {"max_depths": [3, 50], "depths": drawn, "seconds": seconds}


def products(held: bool, _: str) -> Record:
    return {"returned_seconds": near(1.0 if held else 0.01), "done_seconds": near(1.0)}


def tools(held: bool, way: str) -> Record:
    num = 1 if held and way != EAGER else 3
    values = {"print_calls": 3, "prints": num, "breakpoint_reached": num, "nan_located": True, "nan_message": "nan"}
    values |= {"nan_gradient_located": True, "nan_gradient_message": "nan"}
    return values | {"shape_error_at": "run", "shape_error_message": "no", "own_line_in_traceback": True}


def bodies(held: bool, way: str) -> Record:
    return {"calls": ["first call", "second call"], "python_ran": [1, 0 if held and way != EAGER else 1]}


def files(held: bool, _: str) -> Record:
    values = {"artefact": "file", "exported": True, "reloads_without_source": held, "message": ""}
    return values | dict.fromkeys(("export_seconds", "num_bytes", "load_seconds", "import_seconds"))


BY_FRAMEWORK = [
    (per_op, calls),
    (fusion, kernels),
    (dynamic_depth, depths),
    (debugging, tools),
    (python_runs, bodies),
    (export, files),
]
BY_WAY = [(retrace, shapes), (buffers, peaks), (asynchrony, products)]


@pytest.mark.parametrize(("module", "make"), BY_FRAMEWORK, ids=lambda one: one.__name__.split(".")[-1])
@pytest.mark.parametrize(
    ("held", "outcome", "text"),
    [
        ((YES, YES), HOLDS, "Holds"),
        ((NO, NO), NOT_REPRODUCED, "Not reproduced"),
        ((NO, YES), ONLY, "Holds only in Beta, not in Alpha"),
        ((YES,), NOT_MEASURED, "Not measured: the rule asks for 2 answers at least, and the data give Alpha alone"),
        ((), NOT_MEASURED, "Not measured: the rule asks for 2 answers at least, and the data give none"),
    ],
    ids=["all", "none", "some", "too few", "missing"],
)
def test_over_frameworks(
    with_data: Planted, module: Any, make: Any, held: tuple[bool, ...], outcome: str, text: str
) -> None:
    card = module.card(with_data(module.__name__.split(".")[-1], of_two(make, *held)))
    assert (card.verdict.outcome, card.verdict.text) == (outcome, text)


@pytest.mark.parametrize(("module", "make"), BY_WAY, ids=lambda one: one.__name__.split(".")[-1])
@pytest.mark.parametrize(
    ("held", "outcome"),
    [((YES, YES), HOLDS), ((NO, NO), NOT_REPRODUCED), ((NO, YES), ONLY), ((), NOT_MEASURED)],
    ids=["all", "none", "some", "missing"],
)
def test_over_ways(with_data: Planted, module: Any, make: Any, held: tuple[bool, ...], outcome: str) -> None:
    verdict = module.card(with_data(module.__name__.split(".")[-1], of_two(make, *held))).verdict
    assert verdict.outcome == outcome
    if outcome == ONLY:
        yes, no = str(verdict.condition).split(", not ")
        assert "Beta jit" in yes
        assert "Alpha jit" in no


@pytest.mark.parametrize(
    ("held", "outcome"), [((YES, YES), HOLDS), ((NO, NO), NOT_REPRODUCED), ((NO, YES), ONLY), ((), NOT_MEASURED)]
)
def test_ragged_compares_one_by_one_with_what_is_static(
    with_data: Planted, held: tuple[bool, ...], outcome: str
) -> None:
    data = of_two(examples, *held)
    for framework in {name for name, _ in data}:  # eager too, but with all shapes made equal: no part of the claim
        data[framework, "eager, masked"] = {**examples(True, "masked"), "total_seconds": 1e-3}
    assert ragged.card(with_data("ragged", data)).verdict.outcome == outcome


@pytest.mark.parametrize(
    ("ran", "text"),
    [([1, 0, 0], "Holds"), ([1, 0, 1], "Holds only while nothing new arrives"), ([1, 1, 1], "Not reproduced")],
)
def test_python_runs_again_when_something_new_arrives(with_data: Planted, ran: list[int], text: str) -> None:
    calls = ["first call", "second call", "new shape"]
    ways = {EAGER: [1, 1, 1], STATIC: ran}
    data = {
        (name, way): {"calls": calls, "python_ran": runs} for name in ("Alpha", "Beta") for way, runs in ways.items()
    }
    assert python_runs.card(with_data("python_runs", data)).verdict.text == text


def test_ragged_does_not_decide_where_the_times_are_close(with_data: Planted) -> None:
    data = of_two(examples, YES, YES)
    for values in data.values():
        values["total_seconds"] = 1.0
    assert ragged.card(with_data("ragged", data)).verdict.outcome == NOT_MEASURED


@pytest.mark.parametrize(
    ("unrolled", "looped", "outcome"),
    [
        ([20, 400], [14, 14], HOLDS),
        ([20, 21], [14, 14], NOT_REPRODUCED),
        ([20, 400], [14, 280], NOT_REPRODUCED),
        ([None, None], [14, 14], NOT_MEASURED),
    ],
    ids=["grows", "both stay", "both grow", "not counted"],
)
def test_loops(with_data: Planted, unrolled: list[int], looped: list[int], outcome: str) -> None:
    data = {}
    for framework in ("Alpha", "Beta"):
        for way, nodes in (("jit, unrolled", unrolled), ("jit, scan", looped), ("eager", [None, None])):
            times = {"first_seconds": [1.0, 2.0], "seconds": [near(1.0), near(2.0)]}
            data[framework, way] = {"lengths": [10, 200], "num_nodes": nodes, **times}
    assert loops.card(with_data("loops", data)).verdict.outcome == outcome


@pytest.mark.parametrize(
    ("factors", "outcome"),
    [
        ((1.0, 1.1, 1.0), HOLDS),
        ((1.0, 1.1, 9.0), HOLDS),
        ((3.0, 4.0, 1.0), NOT_REPRODUCED),
        ((1.0, 3.0, 1.0), ONLY),
        ((1.0,), NOT_MEASURED),
        ((), NOT_MEASURED),
    ],
)
def test_high_level_is_compared_with_the_slowest_raw_program(
    with_data: Planted, whole: Record, factors: tuple[float, ...], outcome: str
) -> None:
    raw = [one for one in Lesson(whole["likeforlike"]).steps if one["headline"] and one["backend"] != "keras"]
    slowest_s = max(cell["step_time_s"] for cell in raw)
    data = {
        ("Keras", way): {"num_steps": 10, "seconds": [factor * slowest_s * (1 + 1e-4 * index) for index in range(9)]}
        for way, factor in zip(("fit", "train_on_batch", "custom loop, eager"), factors, strict=False)
    }
    assert high_level.card(with_data("high_level", data)).verdict.outcome == outcome


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, ONLY),
        ({"rel_error": 0.0}, HOLDS),
        ({"passed": False}, NOT_REPRODUCED),
        (None, NOT_MEASURED),
    ],
    ids=["rounded", "bit for bit", "refused", "missing"],
)
def test_same_numbers(with_data: Planted, change: Record | None, outcome: str) -> None:
    lesson = with_data("none", {})
    entries = lesson.block["certificates"]
    lesson.block["certificates"] = [] if change is None else [{**entry, **change} for entry in entries]
    verdict = same_numbers.card(lesson).verdict
    assert verdict.outcome == outcome
    assert (verdict.text == "Holds only up to rounding") == (outcome == ONLY)


class TestAmortisation:
    """Two pairs of one framework each; the graph costs 1 s more to start."""

    def lesson(self, with_data: Planted, *steps_s: float) -> Lesson:
        lesson = with_data("none", {})
        kept = {"jax-eager", "jax-jit", "torch-eager", "torch-compile"}
        cells = [c for c in lesson.block["cells"] if c["variant"] in kept and c["phase"] == "train_step"]
        for cell in cells if steps_s else ():
            step_s = 1e-3 if cell["mode"] == "eager" else steps_s[cell["backend"] == "torch"]
            cell |= {"step_time_s": step_s, "ratio": step_s * 1e3, "lane": "as-written"}
            cell |= {"ratio_low": 0.99 * step_s * 1e3, "ratio_high": 1.01 * step_s * 1e3, "verdict": "slower"}
            cell["stages"] = dict.fromkeys(cell["stages"], 1e-3)
            cell["stages"]["compile_s"] = 0.0 if cell["mode"] == "eager" else 1.0
        lesson.block["cells"] = cells if steps_s else []
        return lesson

    @pytest.mark.parametrize(
        ("steps_s", "outcome"),
        [
            ((0.5e-3, 0.6e-3), HOLDS),
            ((2e-3, 3e-3), NOT_REPRODUCED),
            ((0.5e-3, 2e-3), ONLY),
            ((0.5e-3, 0.99e-3), NOT_MEASURED),
            ((), NOT_MEASURED),
        ],
        ids=["both", "never", "one", "one is too close to say", "missing"],
    )
    def test_verdict(self, with_data: Planted, steps_s: tuple[float, ...], outcome: str) -> None:
        assert amortisation.card(self.lesson(with_data, *steps_s)).verdict.outcome == outcome

    def test_break_even_step_and_its_interval(self, with_data: Planted) -> None:
        lesson = self.lesson(with_data, 0.5e-3, 0.6e-3)
        cells = {cell["variant"]: cell for cell in lesson.steps}
        place = amortisation.crossing(lesson, cells["jax-eager"], cells["jax-jit"])
        assert place is not None
        assert place[0] == pytest.approx(2002, abs=1)
        assert place[1] < place[0] < place[2]


def test_long_lists_of_names_are_counted() -> None:
    found: dict[str, bool | None] = {f"way {number}": number != 3 for number in range(7)}
    assert over(found).text == "Holds only in 6 of 7, not in way 3"
    assert over({name: not held for name, held in found.items()}).text == "Holds only in way 3, not in 6 others"


def test_a_tie_decides_nothing() -> None:
    assert over({"Alpha": None, "Beta": True}).outcome == NOT_MEASURED
    verdict = over({"Alpha": None, "Beta": True, "Gamma": True})
    assert (verdict.text, verdict.told) == ("Holds", ("The figures do not decide for Alpha.",))


def test_each_experiment_has_a_card_with_a_rule(whole: Record) -> None:
    lesson = Lesson(whole["likeforlike"])
    cards = [module.card(lesson) for _, modules in page.PARTS for module in modules]
    assert len({card.id for card in cards}) == len(cards) == 14
    assert all(card.rule and card.question and card.explain and card.who for card in cards)
    assert {one["experiment"] for one in whole["likeforlike"]["lesson"]["measurements"]} <= {card.id for card in cards}


@pytest.mark.parametrize(
    ("num_traces", "first", "outcome"),
    [(20, 5.0, HOLDS), (20, 0.01, NOT_REPRODUCED), (1, 5.0, NOT_REPRODUCED), (None, 5.0, NOT_MEASURED)],
    ids=["traced and slow", "traced but not slow", "slow but not traced", "not counted"],
)
def test_a_retrace_is_counted_and_costs_time(
    with_data: Planted, num_traces: int | None, first: float, outcome: str
) -> None:
    values = {"batch_sizes": [1] * 20, "first_seconds": [first] * 20, "again_seconds": [0.01] * 20}
    data = {(name, STATIC): {**values, "num_traces": num_traces} for name in ("Alpha", "Beta")}
    assert retrace.card(with_data("retrace", data)).verdict.outcome == outcome
