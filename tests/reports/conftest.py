"""Documents to render, built once a session."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reports import index
from reports.render import render


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reports_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    """The builder of made-up documents, `sample.py`."""
    return _load("sample")


@pytest.fixture(scope="session")
def lesson_sample() -> ModuleType:
    """The builder of made-up documents with a lesson, `lesson_sample.py`."""
    return _load("lesson_sample")


@pytest.fixture(scope="session")
def full(sample: ModuleType) -> dict[str, Any]:
    """A whole run of the largest size that a preset allows; a test must not change it."""
    return sample.full(num_rounds=60)


@pytest.fixture(scope="session")
def page(full: dict[str, Any]) -> str:
    """The page of the whole run."""
    return render(full)


@pytest.fixture(scope="session")
def runs(sample: ModuleType) -> list[index.Run]:
    """Three runs of one machine, oldest first; in the last one a variant has become slower."""
    return [index.summary(document, f"{number}/index.html") for number, document in enumerate(sample.three_runs())]


@pytest.fixture(scope="session")
def node_tools(pytestconfig: pytest.Config) -> Callable[[], Path | str]:
    """What returns the folder of axe-core and html-validate, or why there is none."""
    return lambda: _load("node_tools").install(pytestconfig.cache.mkdir("node_tools"))


@pytest.fixture(scope="session")
def validated(node_tools: Callable[[], Path | str]) -> Callable[[Path], list[str]]:
    """What returns html-validate's errors in a page."""
    return lambda page: _load("node_tools").validate(node_tools(), page)
