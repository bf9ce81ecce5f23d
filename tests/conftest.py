"""What the tests of several rooms share: made-up documents, helper modules, and what their processes are given."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.lesson import EXPERIMENTS


def pytest_configure(config: pytest.Config) -> None:
    """Give each of pytest-xdist's processes CPUs of its own.

    A worker is bound to as many CPUs as it has threads, the first ones: all workers of one thread would share one CPU.
    """
    if hasattr(config, "workerinput") and hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        index = int(config.workerinput["workerid"].removeprefix("gw"))
        os.sched_setaffinity(0, cpus[index % len(cpus) :: config.workerinput["workercount"]])


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


@pytest.fixture(scope="module")
def cheap_xla() -> Iterator[None]:
    """Lets XLA optimize little in the processes that a file starts, where only what they compute is looked at.

    Most of such a test is compilation otherwise. A run, and `python -m harness check`, certify with XLA's own options.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false")
        yield


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
