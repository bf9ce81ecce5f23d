"""Documents to render, built once a session."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reports import index, lesson
from reports.render import render

IS_REQUIRED = os.environ.get("LIKEFORLIKE_REQUIRE_BROWSER") == "1"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def lesson_page(whole: dict[str, Any]) -> str:
    """Its page."""
    return lesson.render(whole)


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
def node_tools(pytestconfig: pytest.Config, load: Callable[[str], ModuleType]) -> Callable[[], Path | str]:
    """What returns the folder of axe-core and html-validate, or why there is none."""
    return lambda: load("reports/node_tools.py").install(pytestconfig.cache.mkdir("node_tools"))


@pytest.fixture(scope="session")
def validated(node_tools: Callable[[], Path | str], load: Callable[[str], ModuleType]) -> Callable[[Path], list[str]]:
    """What returns html-validate's errors in a page."""
    return lambda page: load("reports/node_tools.py").validate(node_tools(), page)


def _give_up(reason: str) -> None:
    if IS_REQUIRED:
        pytest.fail(f"LIKEFORLIKE_REQUIRE_BROWSER=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tools(node_tools: Callable[[], Path | str]) -> Path:
    """The folder of the installed npm packages."""
    found = node_tools()
    if isinstance(found, str):
        _give_up(found)
    return Path(found)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, from the system or from Playwright."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _give_up("playwright is not installed (pip install playwright)")
    with sync_playwright() as playwright:
        try:
            path = shutil.which("chromium") or shutil.which("google-chrome")  # None: Playwright's own
            chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            _give_up(f"no Chromium starts: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()
