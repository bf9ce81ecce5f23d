"""Made-up documents that the tests of several rooms read, built once a session."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.lesson import EXPERIMENTS


def _load(path: str) -> ModuleType:
    name = "tests_" + path.removesuffix(".py").replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def load() -> Callable[[str], ModuleType]:
    """What returns a helper module, by its path below this folder: no test file can import another one."""
    return _load


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    """The builder of made-up documents, `sample.py`."""
    return _load("reports/sample.py")


@pytest.fixture(scope="session")
def lesson_sample() -> ModuleType:
    """The builder of made-up documents with a lesson, `lesson_sample.py`."""
    return _load("reports/lesson_sample.py")


@pytest.fixture(scope="session")
def whole(lesson_sample: ModuleType, sample: ModuleType) -> dict[str, Any]:
    """A document whose lesson has everything; a test must not change it."""
    return lesson_sample.document(sample)


@pytest.fixture(scope="session")
def finished(whole: dict[str, Any]) -> dict[str, Any]:
    """Its block, as a run takes it over that has nothing left to measure."""
    block = whole["likeforlike"]
    nets = {(cell["model"], cell["size"]) for cell in block["cells"]}
    run = {**block["run"], "finished": [{"model": model, "size": size} for model, size in nets]}
    return {**block, "run": run, "lesson": {**block["lesson"], "finished": list(EXPERIMENTS)}}
