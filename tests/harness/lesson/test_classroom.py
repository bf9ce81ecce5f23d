"""A lesson step by step: measured once when it is asked for, judged as on the page, and stopped without harm."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness import options, results
from harness.lesson import EXPERIMENTS, classroom
from harness.lesson.classroom import Classroom
from harness.lesson.runner import Lesson, Measurement
from harness.options import OptionError
from harness.run import Run
from reports.lesson import render, retrace


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Classroom:
    """A classroom with the reference alone, which measures for real."""
    monkeypatch.setitem(options.DEFAULTS, "variants", "numpy")
    monkeypatch.setattr(classroom, "RUNS", tmp_path)
    return Classroom("quick")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, finished: dict[str, Any]) -> Classroom:
    """A classroom in which everything was measured before."""
    monkeypatch.setattr(Run, "measure", None)
    monkeypatch.setattr(Lesson, "_measured", None)
    found = Classroom()
    found.run.take_over(finished)
    return found


def test_a_class_measures_what_it_asks_for_and_once(
    alone: Classroom, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = alone.time_net()
    assert list(steps.index) == ["numpy"]
    assert (steps.drop(columns="mode").to_numpy() >= 0).all()
    assert alone.run.certificates
    runs = alone.measure("python_runs")
    assert runs[["way", "mode"]].to_numpy().tolist() == [["NumPy", "eager"]]
    assert runs["python_ran"][0] == [1, 1, 1, 1]
    assert alone.others == ["per_op", "asynchrony"]
    assert "timing train_step" in capsys.readouterr().out, "no progress was shown"

    monkeypatch.setattr(Run, "measure", None)
    monkeypatch.setattr(Lesson, "measure", None)
    pd.testing.assert_frame_equal(alone.time_net(), steps)
    pd.testing.assert_frame_equal(alone.measure("python_runs"), runs)
    page = alone.save()
    alone.close()
    assert page.read_text(encoding="utf-8") == render(results.load(page.with_name("results.json")))
    assert (page.parent / "index.html").exists()


def test_verdicts_and_times_are_those_of_the_page(recorded: Classroom, whole: dict[str, Any]) -> None:
    card = retrace.card(recorded.results)
    assert repr(recorded.verdict("retrace")).startswith(f"“{card.claim}” {card.verdict.text.striptags()}.")
    verdicts = recorded.verdicts()
    assert verdicts.loc["retrace", "outcome"] == card.verdict.outcome
    assert "<" not in " ".join(verdicts["verdict"])
    steps = recorded.time_net()
    cells = {cell["variant"]: cell for cell in whole["likeforlike"]["cells"] if cell["phase"] == "train_step"}
    assert all(steps["step_s"][variant] == cells[variant]["step_time_s"] for variant in steps.index)
    assert recorded.others == []


def test_a_row_a_way(recorded: Classroom) -> None:
    frame = recorded.measure("per_op")
    assert {"framework", "way", "mode", "num_elements", "seconds"} <= set(frame.columns)
    assert len(frame) == len(recorded.results.of("per_op"))


def test_programs_stand_side_by_side(recorded: Classroom) -> None:
    assert repr(recorded.printed()).count("def train(") == 2
    assert repr(recorded.sources("update")).count("def train_step(") == len(recorded.results.record["sources"])


def test_after_an_interrupt_it_goes_on_with_what_is_finished(alone: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was half measured is measured anew, in processes that nobody has interrupted."""
    alone.measure("python_runs")
    first = alone.run

    def interrupted(self: Lesson, name: str) -> list[Measurement]:
        self.measurements.append({**self.measurements[0], "experiment": name})
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Lesson, "measure", interrupted)
        with pytest.raises(KeyboardInterrupt):
            alone.measure("retrace")
    assert alone.run is not first
    assert len(alone.measure("python_runs")) == 1
    assert len(alone.measure("retrace")) == 1
    alone.close()


@pytest.mark.parametrize(("preset", "others"), [("quick", classroom.EXPERIMENTS_OF["quick"]), ("lesson", EXPERIMENTS)])
def test_a_preset_says_what_is_measured(preset: str, others: tuple[str, ...]) -> None:
    found = Classroom(preset)
    assert found.others == list(others)
    is_headline = {entry.variant.headline for entry in found.run.variants}
    assert is_headline == ({True} if preset == "quick" else {True, False})


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(OptionError, match="'swift'; choose from lesson, quick"):
        Classroom("swift")
