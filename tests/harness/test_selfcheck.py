"""The self-check on twins that a simulation stands in for, its summary by hand, and its command."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from harness import presets, selfcheck
from harness.__main__ import main
from harness.run import CONTROL
from harness.selfcheck import BASELINE, CONTESTANTS, Pair
from harness.simulation import Noise, SimulatedWorker

PRESET = presets.get("default")


def twins(noise: Noise, num_visits: int = 40) -> dict[str, SimulatedWorker]:
    names = (BASELINE, CONTROL, *CONTESTANTS)
    return {
        name: SimulatedWorker(noise, 1e-3, [1.0] * num_visits, np.random.default_rng(i)) for i, name in enumerate(names)
    }


def pair(ratio: float, verdict: str = "no difference shown", condition: str = "quiet", **others: object) -> Pair:
    fields = {"low": ratio - 0.01, "high": ratio + 0.01, "mean_ratio": 1.2, "median_ratio": 0.9, **others}
    return Pair("two_layer", "numpy", condition, 1, 6, "min", ratio, verdict=verdict, **fields)  # type: ignore[arg-type]


def test_twins_are_measured_in_rounds_and_one_after_the_other() -> None:
    """Rounds see no difference; the means of blocks taken in turn are off by what disturbances happened to strike."""
    found = selfcheck.measure_pairs(twins(Noise("disturbed", own_sd=0.0)), PRESET, seed=0)
    assert len(found) == len(CONTESTANTS)
    assert all(one["verdict"] == "no difference shown" for one in found)
    assert max(abs(one["ratio"] - 1) for one in found) < 0.005
    assert max(abs(one["mean_ratio"] - 1) for one in found) > 0.005


def test_sequential_measurement_takes_as_many_blocks() -> None:
    workers = twins(Noise("quiet", jitter=0.0, disturbances_per_s=0.0))
    measurement = selfcheck.schedule.measure(workers, BASELINE, set(), PRESET, 0, lambda *_: None)
    blocks_s = selfcheck.measure_sequentially(workers, measurement)
    assert {name: len(values) for name, values in blocks_s.items()} == {
        name: len(series.samples) for name, series in measurement.series.items()
    }
    assert blocks_s[BASELINE][0] == pytest.approx(1e-3)


def test_summary_counts_errors_verdicts_and_coverage() -> None:
    pairs = [pair(1.0), pair(1.02, "slower"), pair(0.99), pair(1.005), pair(1.5, condition="one core busy")]
    rows = {(row["condition"], row["variant"], row["method"]): row for row in selfcheck.summarize(pairs)}
    assert len(rows) == 2 * 2 * 3  # conditions, variants and all, ways of measuring
    quiet = rows["quiet", "all", "interleaved"]
    assert quiet["num_pairs"] == 4
    assert quiet["abs_error_median"] == pytest.approx(0.0075)
    assert quiet["abs_error_p90"] == pytest.approx(np.quantile([0, 0.02, 0.01, 0.005], 0.9))
    assert (quiet["verdicts"], quiet["coverage"]) == (0.25, 0.75)
    sequential = rows["quiet", "numpy", "sequential, means"]
    assert sequential["abs_error_median"] == pytest.approx(0.2)
    assert sequential["verdicts"] is sequential["coverage"] is None
    assert rows["one core busy", "all", "interleaved"]["abs_error_median"] == pytest.approx(0.5)


def test_pair_without_an_interval_covers_nothing() -> None:
    (row, *_) = selfcheck.summarize([pair(1.0, "too wide to say", low=None, high=None)])
    assert row["coverage"] == 0


def interrupted_while_busy() -> None:
    with selfcheck.busy_core():
        while sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children()) < 0.1:  # it computes: this ends
            time.sleep(0.01)
        raise KeyboardInterrupt


def test_core_is_free_after_an_interrupt() -> None:
    before = psutil.Process().children()
    with pytest.raises(KeyboardInterrupt):
        interrupted_while_busy()
    assert psutil.Process().children() == before


def test_busy_core_ends_with_a_parent_that_was_killed() -> None:
    code = "from harness import selfcheck\nwith selfcheck.busy_core(): print('busy', flush=True); input()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": "."},
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "busy\n"
        (busy,) = psutil.Process(parent.pid).children()
        parent.kill()
    deadline = time.monotonic() + 30
    while busy.is_running() and busy.status() != psutil.STATUS_ZOMBIE:  # a container's init may never reap it
        assert time.monotonic() < deadline, "it still computes"
        time.sleep(0.01)


def test_simulation_alone_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "selfcheck.json"
    assert main(["selfcheck", "--simulate-only", "--runs", "2", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert [(row["noise"], row["num_launches"], row["true_ratio"]) for row in found["simulated"]] == [
        (noise.name, num_launches, true_ratio) for noise, num_launches, true_ratio in selfcheck.CASES
    ]
    assert found["pairs"] == found["summary"] == []
    assert "processes differ by 3 %" in capsys.readouterr().out


def test_real_twins_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers of the reference, timed for real, in both conditions; nothing is asked of the ratios that come out."""
    monkeypatch.setattr(selfcheck, "CASES", [])
    monkeypatch.setattr(selfcheck, "CONTESTANTS", CONTESTANTS[:1])
    path = tmp_path / "selfcheck.json"
    what = ["--pairs", "1", "--preset", "quick", "--variants", "numpy", "--threads", "1", "--device", "cpu"]
    assert main(["selfcheck", *what, "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert [pair["condition"] for pair in found["pairs"]] == ["quiet", "one core busy"]
    assert all(0 < pair["ratio"] < 100 and pair["num_rounds"] >= 6 for pair in found["pairs"])
    assert "sequential, medians" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--pairs", "--runs"])
def test_nothing_to_do_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selfcheck", option, "0"]) == 2
    assert "give whole numbers, 1 or more" in capsys.readouterr().err
