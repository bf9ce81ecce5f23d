"""Two runs compared: intervals cover, identical programs stay unclaimed, and what is gone or other is said."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import results, stats
from harness.__main__ import main
from harness.compare import (
    Change,
    Comparison,
    Condition,
    Estimate,
    Shift,
    common_direction,
    compare,
    parse_condition,
    shift,
)
from harness.options import OptionError

NUM_RUNS = 2000
BASELINE = "plain"
GROUP = {"model": "net", "size": "small", "batch_size": 8, "phase": "train_step", "precision": "float32"}


def one_sided_limit(rate: float, num_runs: int) -> float:
    """Highest share that `num_runs` runs of a true `rate` reach, but for once in a thousand times."""
    return rate + 3.1 * math.sqrt(rate * (1 - rate) / num_runs)


# ---------------------------------------------------------------- documents


def cell(variant: str, rounds_s: list[list[float]] | None, **changes: Any) -> dict[str, Any]:
    """Return a cell that was timed, or without rounds one that was not; compare reads nothing that is None here."""
    derived = ("step_time_s", "step_time_low_s", "step_time_high_s", "ratio", "ratio_low", "ratio_high", "verdict")
    rest = ("reason", "stages", "warm_stages", "launches_agree", "num_iterations", "autocorrelation", "is_steady")
    modes = ("dispatch_s", "latency_s", "resident_step_time_s", "peak_memory_bytes", "peak_device_memory_bytes")
    return {
        **GROUP,
        "variant": variant,
        "backend": "some",
        "lane": "as-written",
        "mode": "eager",
        "headline": True,
        "device": "cpu",
        "status": "not timed" if rounds_s is None else "timed",
        "explanation": [],
        "rounds_s": rounds_s or [],
        **dict.fromkeys((*derived, *rest, *modes)),
        "launches": [],
        "steps_per_call": 1,
        "num_contaminated": 0,
        "versions": {"some": "1.0"},
        "flags": {},
        "ledger": {},
        "stderr_tail": "",
        **changes,
    }


def run(cells: list[dict[str, Any]], floor: float = 0.01) -> dict[str, Any]:
    """Return a whole block; `floor` is the |log| that its A/A control reaches."""
    control = {"variant": BASELINE, "num_iterations": 1, "rounds_s": [], "ratio": 1.0}
    control |= {"ratio_low": math.exp(-floor), "ratio_high": math.exp(floor / 2)}
    num_rounds = max(len(one["rounds_s"]) for one in cells)
    settings = {
        "num_params": 10,
        "flops": 20,
        "bytes": 30,
        "bytes_per_s": None,
        "statistic": "min",
        "num_rounds": num_rounds,
        "changes": {},
    }
    settings |= {"launches": [{"num_rounds": num_rounds, "stopped_by": "rounds"}]}
    settings["break_even"] = []
    facts = ("cpu", "os", "python")
    lists = ("doctor", "ceilings", "harness_cost", "certificates", "trajectories", "conventions", "pictures")
    return {
        "schema_version": results.SCHEMA_VERSION,
        "run": {
            **dict.fromkeys(("id", "started_utc", "finished_utc", "preset", "command"), "a"),
            "status": "complete",
            "finished": [],
            "options": {},
            "device": "cpu",
            "num_threads": 2,
            "seed": 0,
            "models": ["net"],
            "variants": [],
            "sweep": None,
            "warnings": [],
        },
        "environment": {
            **dict.fromkeys(facts, "a"),
            "num_physical_cores": 2,
            "num_logical_cores": 4,
            "affinity": [0, 1],
            "memory_bytes": 1,
            "gpus": [],
            "packages": {"some": "1.0"},
            "commit": None,
            "commit_is_clean": None,
            "worker_env": {},
            "load_at_start": [0, 0, 0],
            "load_at_end": [0, 0, 0],
        },
        "groups": [{**GROUP, **settings, "baseline": BASELINE, "control": control}],
        "cells": cells,
        "roof": None,
        **{name: [] for name in lists},
    }


def simple(floor: float = 0.01, baseline_s: float = 1.0, **ratios: float) -> dict[str, Any]:
    """Return a run of 12 rounds that scatter by 0.2 %: the baseline, and a variant for each of `ratios`."""
    scatter = [1 + 1e-3 * (index % 5 - 2) for index in range(12)]
    rounds = {name: [[baseline_s * ratio * wave] for wave in scatter[::-1]] for name, ratio in ratios.items()}
    return run([cell(BASELINE, [[baseline_s]] * 12), *(cell(name, taken) for name, taken in rounds.items())], floor)


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {change.variant: change.verdict for group in comparison.groups for change in group.changes}


# ---------------------------------------------------------------- the interval


@pytest.mark.parametrize(("num_old", "num_new"), [(6, 6), (6, 24), (12, 12), (24, 9)])
@pytest.mark.parametrize("scale", [1.0, 4.0], ids=["alike", "old scatters more"])
@pytest.mark.parametrize("distribution", ["cauchy", "lognormal", "exponential"])
def test_interval_covers_the_change(distribution: str, scale: float, num_old: int, num_new: int) -> None:
    """At least 95 %, for heavy and one-sided tails, unequal numbers of rounds, and runs that scatter differently."""
    rng = np.random.default_rng(1)
    draw = {
        "cauchy": rng.standard_cauchy,
        "lognormal": lambda shape: rng.lognormal(0, 2, shape) - 1,
        "exponential": lambda shape: rng.standard_exponential(shape) - math.log(2),
    }[distribution]
    old = (1e-4 * scale * draw((NUM_RUNS, num_old))).tolist()
    new = (math.log(1.3) + 1e-4 * draw((NUM_RUNS, num_new))).tolist()
    changes = [shift(estimate(before), estimate(after)).change for before, after in zip(old, new, strict=True)]
    missed = np.mean([not change.low <= 1.3 <= change.high for change in changes])
    assert missed <= one_sided_limit(0.05, NUM_RUNS)


def estimate(log_ratios: list[float]) -> Estimate:
    interval = stats.sign_test_interval(log_ratios)
    assert interval is not None
    return Estimate(math.exp(np.median(log_ratios)), *(math.exp(end) for end in interval))


def test_change_and_its_inverse_agree() -> None:
    old, new = Estimate(2.0, 1.9, 2.2), Estimate(3.0, 2.5, 3.1)
    there, back = shift(old, new).change, shift(new, old).change
    assert there == Estimate(1.5, 2.5 / 2.2, 3.1 / 1.9)
    assert (back.value, back.low, back.high) == pytest.approx((1 / there.value, 1 / there.high, 1 / there.low))


def test_too_few_rounds_give_no_interval_and_no_claim() -> None:
    old, new = (run([cell(BASELINE, [[1.0]] * 5), cell("fast", [[time_s]] * 5)]) for time_s in (1.0, 9.0))
    assert verdicts(compare(old, new)) == {"fast": "too wide to say"}


# ---------------------------------------------------------------- what is claimed


def launched(rng: np.random.Generator, offset: float, ratio: float) -> dict[str, Any]:
    """Return a run in which every process has an offset of its own, and every round heavy-tailed noise of 0.5 %."""
    noise = 0.005 * rng.standard_t(3, (3, 12)) + offset * rng.standard_normal((3, 1))
    baseline, variant, twin = np.exp(noise + rng.normal(0, 0.2, 12))[..., None].tolist()
    block = run([cell(BASELINE, baseline), cell("other", [[ratio * time_s] for (time_s,) in variant])])
    control = stats.paired_ratio(twin, baseline, "min")
    block["groups"][0]["control"] |= {"ratio_low": control.low, "ratio_high": control.high}
    return block


@pytest.mark.parametrize("offset", [0.0, 0.0025, 0.005])
def test_new_processes_are_seldom_called_a_change(offset: float) -> None:
    """False claims stay under 5 % up to offsets between launches as large as the rounds' own noise."""
    rng = np.random.default_rng(2)
    found = [verdicts(compare(launched(rng, offset, 1.5), launched(rng, offset, 1.5)))["other"] for _ in range(1000)]
    assert np.mean([word in ("slower", "faster") for word in found]) <= one_sided_limit(0.05, 1000)


def test_without_the_noise_floor_launches_would_be_called_changes() -> None:
    rng = np.random.default_rng(2)
    pairs = [(launched(rng, 0.005, 1.5), launched(rng, 0.005, 1.5)) for _ in range(1000)]
    changes = [compare(*pair).groups[0].changes[0].ratio.change for pair in pairs]
    assert np.mean([not change.low <= 1 <= change.high for change in changes]) > 0.1


@pytest.mark.parametrize(("ratio", "expected"), [(1.1, "slower"), (1 / 1.1, "faster")])
def test_ten_percent_is_seen(ratio: float, expected: str) -> None:
    rng = np.random.default_rng(3)
    pairs = [(launched(rng, 0.0025, 1.5), launched(rng, 0.0025, 1.5 * ratio)) for _ in range(200)]
    assert np.mean([verdicts(compare(*pair))["other"] == expected for pair in pairs]) > 0.95


def test_the_noisier_run_sets_the_floor() -> None:
    assert verdicts(compare(simple(a=1.0), simple(a=1.05))) == {"a": "slower"}
    for floors in ((0.01, 0.06), (0.06, 0.01)):
        comparison = compare(simple(floors[0], a=1.0), simple(floors[1], a=1.05))
        assert verdicts(comparison) == {"a": "too wide to say"}
        assert comparison.groups[0].noise_floor == pytest.approx(0.06)


def test_worst_comes_first() -> None:
    comparison = compare(simple(a=1.0, b=1.0, c=1.0), simple(a=1.0, b=0.5, c=2.0))
    assert verdicts(comparison) == {"c": "slower", "a": "no change shown", "b": "faster"}
    assert list(verdicts(comparison)) == ["c", "a", "b"]
    assert comparison.answer.startswith("Of 3 ratios: 1 slower, 1 faster, 1 no change shown, 0 too wide to say.")


def test_a_slower_machine_changes_no_ratio() -> None:
    comparison = compare(simple(a=2.0), simple(baseline_s=3.0, a=2.0))
    assert verdicts(comparison) == {"a": "no change shown"}
    times = comparison.groups[0].baseline_time_s
    assert times is not None
    assert times.change.value == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["slower", "slower"], "slower"),
        (["faster", "faster", "faster"], "faster"),
        (["slower", "no change shown"], None),
        (["slower", "faster"], None),
        (["slower"], None),
        (["too wide to say"] * 3, None),
        ([], None),
    ],
)
def test_the_baseline_is_suspected_when_all_move_together(words: list[Any], expected: str | None) -> None:
    assert common_direction(words) == expected


def test_another_baseline_is_not_compared_with_but_replaced() -> None:
    """The new run's ratios are to a variant twice as slow; taken anew to the old baseline, nothing has changed."""
    old, new = simple(a=2.0, b=3.0), simple(a=2.0, b=3.0)
    new["groups"][0]["baseline"] = "a"
    comparison = compare(old, new)
    assert (comparison.groups[0].baseline, comparison.groups[0].is_rebased) == (BASELINE, True)
    assert verdicts(comparison) == {"a": "no change shown", "b": "no change shown"}


def test_without_a_common_baseline_no_ratio_is_compared() -> None:
    old, new = simple(a=2.0), simple(a=2.0)
    new["cells"][0] |= {"status": "crashed", "rounds_s": []}
    new["groups"][0] |= {"baseline": None, "control": None}
    comparison = compare(old, new)
    assert comparison.groups[0].baseline is None
    assert comparison.groups[0].changes == ()
    assert [status.loss for status in comparison.statuses] == ["crashed"]


def test_rounds_are_summed_up_alike() -> None:
    """Minima of one run are not compared with medians of the other."""
    rounds = [[1.0, 3.0, 3.0]] * 12
    old, new = (run([cell(BASELINE, [[1.0] * 3] * 12), cell("a", rounds)]) for _ in range(2))
    new["groups"][0]["statistic"] = "median"
    assert compare(old, new).groups[0].changes[0].ratio.old.value == pytest.approx(3.0)
    assert verdicts(compare(old, new)) == {"a": "no change shown"}


def test_launches_that_disagree_are_no_change() -> None:
    """18 rounds at 1.5 and 6 at 1 would be slower, pooled; but they are those of two processes of one program."""
    old, new = (run([cell(BASELINE, [[1.0]] * 24), cell("a", [[1.0]] * 6 + [[time_s]] * 18)]) for time_s in (1.0, 1.5))
    assert verdicts(compare(old, new)) == {"a": "slower"}
    new["groups"][0]["launches"] = [{"num_rounds": number, "stopped_by": "rounds"} for number in (6, 18)]
    assert verdicts(compare(old, new)) == {"a": "too wide to say"}


# ---------------------------------------------------------------- gained, lost, forbidden


@pytest.mark.parametrize(
    ("status", "loss"),
    [("refused", "refused"), ("crashed", "crashed"), ("timed out", "crashed"), ("not installed", "missing")],
)
def test_a_lost_time_is_listed_with_its_reason(status: str, loss: str) -> None:
    old, new = simple(a=1.0, b=1.0), simple(a=1.0, b=1.0)
    new["cells"][2] |= {"status": status, "reason": "because", "rounds_s": []}
    comparison = compare(old, new, [parse_condition(loss)])
    (found,) = comparison.statuses
    assert (found.variant, found.old, found.new, found.reason, found.loss) == ("b", "timed", status, "because", loss)
    assert comparison.failures == {loss: ["net (small, batch 8) train_step b"]}
    (gained,) = compare(new, old, [parse_condition(loss)]).statuses
    assert (gained.old, gained.new, gained.reason, gained.loss) == (status, "timed", "because", None)


def test_a_cell_that_is_not_in_the_run_is_missing() -> None:
    (found,) = compare(simple(a=1.0, b=1.0), simple(a=1.0)).statuses
    assert (found.variant, found.new, found.loss) == ("b", "not in the run", "missing")


def test_what_had_no_time_before_is_not_lost() -> None:
    old, new = (run([cell(BASELINE, [[1.0]] * 12), cell("a", None, status=status)]) for status in ("failed", "refused"))
    assert compare(old, new, [parse_condition("refused")]).statuses == []


@pytest.mark.parametrize(
    ("low", "high", "verdict", "condition", "expected"),
    [
        (1.06, 1.2, "slower", "slower:5%", True),
        (1.04, 1.2, "slower", "slower:5%", False),  # a part of the interval is allowed
        (1.04, 1.2, "slower", "slower", True),
        (1.06, 1.2, "too wide to say", "slower:5%", False),  # within the noise floor
        (1.06, 1.2, "slower", "faster:5%", False),
        (0.8, 0.95, "faster", "faster:5%", True),
        (0.8, 0.96, "faster", "faster:5%", False),  # 1 / 1.05 is 0.952
        (0.8, 0.95, "faster", "refused", False),
    ],
)
def test_the_whole_interval_must_be_beyond_the_margin(
    low: float, high: float, verdict: Any, condition: str, expected: bool
) -> None:
    one = Estimate(1.0, 1.0, 1.0)
    change = Change("a", "eager", True, Shift(one, one, Estimate(1.0, low, high)), verdict)
    assert parse_condition(condition).is_met_by(change) is expected


def test_conditions_are_read() -> None:
    assert parse_condition("slower:2.5%") == Condition("slower:2.5%", "slower", 0.025)
    assert parse_condition("missing") == Condition("missing", "missing", 0.0)


# ---------------------------------------------------------------- may they be compared?


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("environment", {"cpu": "another"}, "CPU: a → another"),
        ("environment", {"num_physical_cores": 8}, "physical cores: 2 → 8"),
        ("environment", {"affinity": [0]}, "usable CPUs: 2 → 1"),
        ("environment", {"gpus": [{"name": "big"}]}, "GPUs: none → big"),
        ("run", {"num_threads": 4}, "threads: 2 → 4"),
        ("run", {"device": "gpu"}, "device: cpu → gpu"),
    ],
)
def test_other_machines_are_refused_unless_allowed(part: str, change: dict[str, Any], words: str) -> None:
    old, new = simple(a=1.0), simple(a=1.0)
    new[part] |= change
    with pytest.raises(OptionError, match="--allow-other-machine") as caught:
        compare(old, new)
    assert words in str(caught.value)
    assert compare(old, new, allow_other_machine=True).differences == [words]


def test_a_cell_on_another_device_is_another_machine() -> None:
    old, new = simple(a=1.0), simple(a=1.0)
    new["cells"][1]["device"] = "gpu"
    with pytest.raises(OptionError, match="device: cpu → gpu"):
        compare(old, new)
    assert verdicts(compare(old, new, allow_other_machine=True)) == {"a": "no change shown"}


@pytest.mark.parametrize(
    "change", [{"size": "large"}, {"batch_size": 16}, {"num_params": 11}], ids=["size", "batch", "net"]
)
def test_other_sizes_are_refused_unless_allowed(change: dict[str, Any]) -> None:
    old, new = simple(a=1.0), simple(a=1.5)
    for entry in [*new["groups"], *new["cells"]]:
        entry |= {key: value for key, value in change.items() if key in entry}
    with pytest.raises(OptionError, match=r"net: small in batches of 8, 10 parameters → .*--allow-other-sizes"):
        compare(old, new)
    comparison = compare(old, new, allow_other_sizes=True)
    assert verdicts(comparison) == {"a": "slower"}
    assert len(comparison.differences) == 1


def test_sizes_that_only_one_run_has_do_not_matter_if_there_is_a_common_one() -> None:
    old, new = simple(a=1.0), simple(a=1.0)
    for name in ("groups", "cells"):
        new[name] += [entry | {"batch_size": 16} for entry in new[name]]
    assert verdicts(compare(old, new)) == {"a": "no change shown"}
    new["groups"], new["cells"] = ([one | {"size": "large"} for one in new[name]] for name in ("groups", "cells"))
    with pytest.raises(OptionError, match="several sizes"):
        compare(old, new, allow_other_sizes=True)


def test_other_versions_are_shown() -> None:
    old, new = simple(a=1.0), simple(a=1.0)
    new["environment"]["packages"] = {"some": "2.0", "more": "1.0"}
    for one in new["cells"]:
        one["versions"] = {"some": "2.0"}
    assert compare(old, new).versions == ["some 1.0 → 2.0"]


# ---------------------------------------------------------------- as a person types it


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs in folders of their own, the second also by the link `latest`; `a` became twice as slow."""
    for name, block in (("one", simple(a=1.0, b=1.0)), ("two", simple(a=2.0, b=1.0))):
        results.write_atomically(tmp_path / name / "results.json", results.dumps({"likeforlike": block}))
    (tmp_path / "latest").symlink_to("two", target_is_directory=True)
    return tmp_path / "one", tmp_path / "latest"


def test_the_command_writes_what_it_says(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    old, new = map(str, folders)
    json_path, html_path = folders[0].parent / "made" / "c.json", folders[0].parent / "made" / "c.html"
    assert main(["compare", f"{old}/results.json", new, "--json", str(json_path), "--html", str(html_path)]) == 0
    blocks = (simple(a=1.0, b=1.0), simple(a=2.0, b=1.0))
    assert json.loads(json_path.read_text()) == json.loads(results.dumps(dataclasses.asdict(compare(*blocks))))
    assert "<h1>What has changed?</h1>" in html_path.read_text()
    printed = capsys.readouterr().out
    assert printed.index("slower") < printed.index("no change shown")
    assert "Of 2 ratios: 1 slower, 0 faster, 1 no change shown" in " ".join(printed.split())


def test_a_gate_names_the_cell(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    old, new = map(str, folders)
    assert main(["compare", old, new, "--fail-if", "slower:150%", "--fail-if", "refused"]) == 0
    assert main(["compare", old, new, "--fail-if", "refused", "--fail-if", "slower:5%"]) == 1
    assert "--fail-if slower:5%: net (small, batch 8) train_step a\n" in capsys.readouterr().out
    assert main(["compare", new, old, "--fail-if", "slower:5%"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fail-if", "slower:5"], "--fail-if slower:5: write slower:5%, faster:5%, refused, crashed or missing"),
        (["--fail-if", "wrong"], "--fail-if wrong: write"),
        (["--json", "/dev/null/c.json"], "cannot write to /dev/null"),
    ],
)
def test_a_wrong_request_ends_with_one_line(
    arguments: list[str], message: str, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, folders), *arguments]) == 2
    assert_one_line(capsys, message)


def test_documents_that_cannot_be_compared_end_with_one_line(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = map(str, folders)
    assert main(["compare", old, f"{new}/nowhere"]) == 2
    assert_one_line(capsys, "cannot read")
    document = json.loads((folders[0] / "results.json").read_text())
    changed = folders[0] / "changed.json"
    changed.write_text(json.dumps({"likeforlike": document["likeforlike"] | {"schema_version": 1}}))
    assert main(["compare", str(changed), new]) == 2
    assert_one_line(capsys, "schema version 1, this program reads version")
    for each in document["likeforlike"]["cells"]:
        each["phase"] = "forward"
    changed.write_text(json.dumps(document))
    assert main(["compare", str(changed), new]) == 2
    assert_one_line(capsys, "no net, phase and variant in common")


def assert_one_line(capsys: pytest.CaptureFixture[str], message: str) -> None:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
