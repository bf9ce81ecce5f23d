"""The page in Chromium: it loads nothing, fits, shows every image, obeys the keyboard, and prints."""

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reports.render import render

pytestmark = pytest.mark.browser

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


def _give_up(reason: str) -> None:
    if IS_REQUIRED:
        pytest.fail(f"LIKEFORLIKE_REQUIRE_BROWSER=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def address(page: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the page lies."""
    target = tmp_path_factory.mktemp("report") / "index.html"
    target.write_text(page, encoding="utf-8")
    return target.as_uri()


@pytest.fixture
def opened(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[tuple[Any, list[str]]]:
    """The page in a window of (width, scheme), and all that it said or asked for."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    tab = context.new_page()
    heard: list[str] = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.on("request", lambda asked: None if asked.url.startswith(("data:", address)) else heard.append(asked.url))
    tab.goto(address)
    yield tab, heard
    context.close()


WINDOWS = [(width, scheme) for width in (360, 1280) for scheme in ("light", "dark")]


@pytest.mark.parametrize("opened", WINDOWS, ids=lambda window: f"{window[0]}-{window[1]}", indirect=True)
def test_shows_everything_and_asks_for_nothing(opened: tuple[Any, list[str]], request: pytest.FixtureRequest) -> None:
    tab, heard = opened
    width, scheme = request.node.callspec.params["opened"]
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    sizes = tab.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => [i.naturalWidth, i.width])))")
    assert all(natural > 0 and 0 < shown <= width for natural, shown in sizes)
    sources = tab.evaluate("[...document.images].map(image => image.currentSrc)")
    chosen = [base64.b64decode(one.split(",")[1]).decode() for one in sources if "svg" in one]
    ink = {"light": "#1b1d22", "dark": "#eceae4"}[scheme]
    assert chosen
    assert all(ink in chart for chart in chosen), "the wrong scheme is shown"
    assert heard == []


@pytest.mark.parametrize("opened", [(360, "light")], indirect=True, ids=["360"])
def test_keyboard_reaches_what_scrolls(opened: tuple[Any, list[str]]) -> None:
    tab, _ = opened
    shown = "[...document.querySelectorAll('.scroll')].filter(e => e.checkVisibility())"
    wide = tab.evaluate(f"{shown}.filter(e => e.scrollWidth > e.clientWidth).length")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().left >= 0"), "the focused skip link is hidden"
    reached = 0
    for _ in range(100):
        tab.keyboard.press("Tab")
        name = tab.evaluate("document.activeElement.className")
        if name.startswith("scroll"):
            reached += tab.evaluate("e => e.scrollWidth > e.clientWidth", tab.evaluate_handle("document.activeElement"))
            if reached == 1:
                tab.keyboard.press("ArrowRight")
                tab.wait_for_function("document.activeElement.scrollLeft > 0", timeout=5000)
        if tab.evaluate("document.activeElement === document.body"):
            break
    assert wide > 0
    assert reached == wide


@pytest.mark.parametrize("opened", [(1280, "dark")], indirect=True, ids=["1280"])
def test_prints_on_light_paper(opened: tuple[Any, list[str]], tmp_path: Path) -> None:
    tab, heard = opened
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 253, 251)"
    tab.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
    assert heard == []


def test_a_sweep_fits_a_narrow_screen(browser: Any, sample: ModuleType, tmp_path: Path) -> None:
    target = tmp_path / "sweep.html"
    target.write_text(render(sample.sweep()), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 360, "height": 900})
    tab.goto(target.as_uri())
    sizes = tab.locator("details.size > summary")
    sizes.last.focus()
    tab.keyboard.press("Enter")
    assert tab.locator("details.size[open]").count() == 1, "a size opens by the keyboard"
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert sizes.count() == 4
    tab.close()
