"""Runs in a process of its own: `python -m harness.lesson.exercises.judge NAME FILE` prints a verdict as JSON."""

import contextlib
import importlib
import importlib.util
import json
import sys
import traceback
from pathlib import Path
from types import ModuleType

from harness.lesson.exercises.checks import UnsolvedError


def judge(name: str, file: Path) -> dict[str, object]:
    """Return {"passed", "words"}; what a student's file raises is shown with its own lines."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            check = importlib.import_module(f"harness.lesson.exercises.checks.{name}").check
            words = check(_loaded(file))
    except UnsolvedError as unsolved:
        return {"passed": False, "words": str(unsolved)}
    except Exception as error:  # whatever the student's file raises
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        place = f" (line {frames[-1].lineno}: {frames[-1].line})" if frames else ""
        return {"passed": False, "words": f"{type(error).__name__}: {error}{place}"}
    return {"passed": True, "words": words}


def _loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("solution", file)
    if spec is None or spec.loader is None:
        raise UnsolvedError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["solution"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    print(json.dumps(judge(sys.argv[1], Path(sys.argv[2]))))
