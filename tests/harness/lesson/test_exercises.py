"""The exercises: what a student starts from is not solved, a solution is, and a broken file is told about."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.__main__ import main
from harness.lesson import exercises
from harness.lesson.exercises import Exercise
from harness.options import OptionError
from harness.workers import ROOT
from impls.registry import is_installed

SOLUTIONS = Path(__file__).with_name("solutions")
ALL = exercises.exercises()
WITHOUT_FRAMEWORK = next(exercise for exercise in ALL if not exercise.requires)
each = pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.name)


def needs(exercise: Exercise) -> None:
    missing = [module for module in exercise.requires if not is_installed(module)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


@each
def test_the_file_to_start_from_is_not_solved(exercise: Exercise) -> None:
    needs(exercise)
    verdict = exercises.check(exercise.number, exercise.template)
    assert not verdict.passed
    assert "Error" not in verdict.words, "it is refused for what it finds, not because it cannot run"


@each
def test_a_solution_is_accepted(exercise: Exercise) -> None:
    needs(exercise)
    verdict = exercises.check(exercise.number, SOLUTIONS / f"{exercise.name}.py")
    assert verdict.passed, verdict.words


@each
def test_an_exercise_says_what_to_do_and_has_hints(exercise: Exercise) -> None:
    assert exercise.title
    assert len(exercise.statement) > 100
    assert len(exercise.hints) >= 3
    assert set(exercise.as_dict()) == {"number", "title", "statement"}


WRONG_SOLUTIONS = {
    "shapes": """
import tensorflow as tf

@tf.function(reduce_retracing=True)
def predict(x, w1, w2):
    return x @ w1 @ w2

def predict_all(batches, w1, w2):
    return [predict(x, w1, w2) for x in batches]
""",
    "synchronise": """
import time

def seconds_per_call(function, x, num_calls=10):
    function(x)
    start = time.perf_counter()
    for _ in range(num_calls):
        result = function(x)
    result.block_until_ready()
    return (time.perf_counter() - start) / num_calls
""",
    "gradients": """
def train(w1, w2, x, y, learning_rate, num_steps):
    return [1.0]
""",
    "fair": """
import time

def seconds(function):
    start = time.perf_counter()
    for _ in range(30):
        function()
    return time.perf_counter() - start

def ratio(first, second):
    first(), second()
    return seconds(second) / seconds(first)
""",
}
"""Near misses: other numbers, one wait of two, too few losses, a warm-up alone."""


@pytest.mark.parametrize("name", WRONG_SOLUTIONS)
def test_a_near_miss_is_refused(name: str, tmp_path: Path) -> None:
    exercise = next(exercise for exercise in ALL if exercise.name == name)
    needs(exercise)
    file = tmp_path / "mine.py"
    file.write_text(WRONG_SOLUTIONS[name])
    verdict = exercises.check(exercise.number, file)
    assert not verdict.passed
    assert "Error" not in verdict.words


def test_an_error_in_the_file_is_shown_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def seconds_per_call(function, x):\n    return absent\n")
    verdict = exercises.check(ALL[1].number, file)
    assert verdict == exercises.Verdict(False, "NameError: name 'absent' is not defined (line 2: return absent)")


def test_a_file_that_ends_the_process_is_not_solved(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import os\nos._exit(3)\n")
    verdict = exercises.check(WITHOUT_FRAMEWORK.number, file)
    assert not verdict.passed
    assert "exit status 3" in verdict.words


def test_a_file_that_never_ends_is_not_solved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "TIMEOUT_S", 1.0)
    file = tmp_path / "mine.py"
    file.write_text("while True:\n    pass\n")
    assert not exercises.check(WITHOUT_FRAMEWORK.number, file).passed


def test_what_the_file_prints_is_not_taken_for_the_verdict(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text('print(\'{"passed": true, "words": "mine"}\')\n')
    assert not exercises.check(WITHOUT_FRAMEWORK.number, file).passed


def test_start_keeps_what_is_there(tmp_path: Path) -> None:
    copy = exercises.start(1, tmp_path)
    assert copy.read_text() == ALL[0].template.read_text()
    with pytest.raises(OptionError, match="exists"):
        exercises.start(1, tmp_path)


def test_a_missing_framework_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "is_installed", lambda _: False)
    exercise = next(exercise for exercise in ALL if exercise.requires)
    with pytest.raises(OptionError, match=f"pip install {exercise.requires[0]}"):
        exercises.check(exercise.number, exercise.template)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = str(WITHOUT_FRAMEWORK.number)
    assert main(["lesson", "list"]) == 0
    assert capsys.readouterr().out.count("\n") == len(ALL)
    assert main(["lesson", "show", number, "--hints", "1"]) == 0
    shown = capsys.readouterr().out
    assert WITHOUT_FRAMEWORK.hints[0] in shown
    assert WITHOUT_FRAMEWORK.hints[1] not in shown
    assert main(["lesson", "start", number, str(tmp_path)]) == 0
    (copy,) = tmp_path.iterdir()
    assert main(["lesson", "check", number, str(copy)]) == 1
    assert main(["lesson", "check", number, str(SOLUTIONS / f"{WITHOUT_FRAMEWORK.name}.py")]) == 0
    assert "solved: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["show", "0"], ["show", "99"], ["check", "1", "absent.py"], ["start", "1", "absent"]], ids=" ".join
)
def test_a_wrong_request_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_probes_and_reading_the_exercises_import_no_framework() -> None:
    frameworks = {module for exercise in ALL for module in exercise.requires}
    names = sorted(path.stem for path in (ROOT / "harness" / "lesson").glob("[a-z]*.py"))
    imports = "".join(f"import harness.lesson.{name}\n" for name in names)
    script = (
        f"import sys\n{imports}from harness.lesson import clinic, exercises\nexercises.exercises(), clinic.cases()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{script}print(*sys.modules)"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "harness.lesson.loops" in loaded
    assert not frameworks & loaded
