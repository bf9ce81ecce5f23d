"""The estimate of the time that is left: by expectation, by the pace so far, and when there is none."""

import io

import pytest

from harness.progress import Display


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that `time.monotonic` says; the test moves them on."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def opened(expected_s: float) -> Display:
    display = Display(io.StringIO())
    display.expect(expected_s)
    display.open()
    return display


def test_the_expectation_counts_at_first(clock: list[float]) -> None:
    display = opened(600.0)
    display.stage("a short one", 10.0)
    clock[0] += 60.0
    display.stage("the next", 10.0)
    assert display.left() == "about 10 min left"


def test_then_the_pace_counts(clock: list[float]) -> None:
    display = opened(600.0)
    display.stage("a third", 200.0)
    clock[0] += 100.0
    display.stage("the rest", 400.0)
    assert display.left() == "about 3 min left"


def test_short_times_are_in_seconds(clock: list[float]) -> None:
    display = opened(100.0)
    display.stage("most", 80.0)
    clock[0] += 80.0
    display.stage("the rest", 20.0)
    assert display.left() == "about 20 s left"


def test_it_says_so_when_a_run_takes_longer_than_was_thought(clock: list[float]) -> None:
    display = opened(20.0)
    for number in range(3):
        display.stage(f"number {number}", 10.0)
        clock[0] += 10.0
    assert display.left() == "taking longer than expected"


def test_elsewhere_than_on_a_terminal_each_stage_has_a_line(clock: list[float]) -> None:
    display = opened(30.0)
    for name, seconds in (("first", 10.0), ("second", 20.0)):
        display.stage(name, seconds)
        clock[0] += seconds
    display.close()
    assert isinstance(display.console.file, io.StringIO)
    written = display.console.file.getvalue()
    assert written.split("\n")[1:3] == ["[    0 s] first (about 30 s left)", "[   10 s] second (about 20 s left)"]
