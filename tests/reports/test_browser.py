"""The pages in Chromium: load nothing, fit, show every image, break no rule of axe, obey the keyboard, and print."""

import base64
import csv
import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import index as harness_index
from harness.compare import compare
from reports import comparison, index
from reports.render import render

pytestmark = pytest.mark.browser

KINDS = ("report", "index", "comparison", "lesson")
WINDOWS = [(kind, width, scheme) for kind in KINDS for width in (360, 1280) for scheme in ("light", "dark")]
Opened = tuple[Any, list[str]]


@pytest.fixture(scope="module")
def folder(
    page: str, lesson_page: str, sample: ModuleType, runs: list[index.Run], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Where the pages lie."""
    folder = tmp_path_factory.mktemp("pages")
    old, new = sample.earlier(), sample.full()
    compared = compare(old["likeforlike"], new["likeforlike"])
    pages = {
        "report": page,
        "index": index.render(runs, [("broken", "it has no block 'likeforlike'")], harness_index.change),
        "comparison": comparison.render(dataclasses.asdict(compared)),
        "lesson": lesson_page,
    }
    for kind, text in pages.items():
        (folder / f"{kind}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def opened(browser: Any, folder: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """The page in a window of (kind, width, scheme), and all that it said or asked for."""
    kind, width, scheme = request.param
    address = (folder / f"{kind}.html").as_uri()
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, bypass_csp=True
    )
    tab = context.new_page()
    heard: list[str] = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    own = ("data:", "blob:", address)
    tab.on("request", lambda asked: None if asked.url.startswith(own) else heard.append(asked.url))
    tab.goto(address)
    yield tab, heard
    context.close()


def of(kind: str, width: int = 1280, scheme: str = "light") -> Any:
    return pytest.mark.parametrize("opened", [(kind, width, scheme)], indirect=True, ids=[f"{kind}-{width}"])


every_window = pytest.mark.parametrize("opened", WINDOWS, ids=lambda one: "-".join(map(str, one)), indirect=True)


@every_window
def test_shows_everything_and_asks_for_nothing(opened: Opened, request: pytest.FixtureRequest) -> None:
    tab, heard = opened
    _, width, scheme = request.node.callspec.params["opened"]
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    sizes = tab.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => [i.naturalWidth, i.width])))")
    assert all(natural > 0 and 0 < shown <= width for natural, shown in sizes)
    sources = tab.evaluate("[...document.images].map(image => image.currentSrc)")
    chosen = [base64.b64decode(one.split(",")[1]).decode() for one in sources if "svg" in one]
    ink = {"light": "#1b1d22", "dark": "#eceae4"}[scheme]
    assert chosen or tab.locator("svg").count() > 0
    assert all(ink in chart for chart in chosen), "the wrong scheme is shown"
    assert heard == []


@every_window
def test_axe_finds_no_violation(opened: Opened, tools: Path) -> None:
    tab, _ = opened
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.add_script_tag(path=tools / "axe-core" / "axe.min.js")
    found = tab.evaluate("axe.run({resultTypes: ['violations']})")
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found["violations"]] == []


@pytest.mark.parametrize("kind", KINDS)
def test_html_is_valid(folder: Path, tools: Path, validated: Callable[[Path], list[str]], kind: str) -> None:
    assert tools.is_dir()
    assert validated(folder / f"{kind}.html") == []


@of("report", 360)
def test_keyboard_reaches_what_scrolls(opened: Opened) -> None:
    tab, _ = opened
    shown = "[...document.querySelectorAll('.scroll')].filter(e => e.checkVisibility())"
    wide = tab.evaluate(f"{shown}.filter(e => e.scrollWidth > e.clientWidth).length")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().left >= 0"), "the focused skip link is hidden"
    reached = 0
    for _ in range(500):
        tab.keyboard.press("Tab")
        name = tab.evaluate("document.activeElement.className")
        if name.startswith("scroll"):
            reached += tab.evaluate("document.activeElement.scrollWidth > document.activeElement.clientWidth")
            if reached == 1:
                tab.keyboard.press("ArrowRight")
                tab.wait_for_function("document.activeElement.scrollLeft > 0", timeout=5000)
        if tab.evaluate("document.activeElement === document.body"):
            break
    assert wide > 0
    assert reached == wide


@of("report")
def test_a_table_is_sorted_by_the_keyboard_each_lane_in_itself(opened: Opened) -> None:
    tab, _ = opened
    table = tab.locator("table").filter(has=tab.locator("th", has_text="step time")).first
    head = table.locator("th", has_text="ratio to")
    column = "t => [...t.tBodies].map(b => [...b.rows].slice(1).map(r => parseFloat(r.cells[2].firstChild.data)))"
    before = table.evaluate(column)
    assert table.locator("th[aria-sort]").inner_text().startswith("step time")
    for direction, sign in (("ascending", 1), ("descending", -1)):
        head.locator("button").focus()
        tab.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == direction
        assert table.locator("th[aria-sort]").count() == 1
        for lane, was in zip(table.evaluate(column), before, strict=True):
            numbers = [value for value in lane if value is not None]
            assert numbers == sorted(numbers, key=lambda value: sign * value)
            assert lane[len(numbers) :] == [None] * (len(lane) - len(numbers)), "what has no value comes last"
            assert len(lane) == len(was)
        assert tab.locator("p[role=status]").inner_text() == f"sorted by ratio to torch-eager, {direction}"


@of("report")
def test_filters_hide_and_count(opened: Opened) -> None:
    tab, _ = opened
    output, rows = tab.locator("fieldset.filter output"), tab.locator("tr[data-row]")
    num_rows = rows.count()
    assert output.inner_text() == f"{num_rows:,} of {num_rows:,} rows"
    tab.get_by_label("Net", exact=True).focus()
    tab.keyboard.type("U-Net")
    tab.get_by_label("Variant", exact=True).focus()
    tab.keyboard.type("jax, numpy")
    tab.get_by_label("Phase", exact=True).select_option("Forward pass")
    shown = tab.evaluate(
        "[...document.querySelectorAll('tr[data-row]')].filter(r => !r.closest('[data-not-model],"
        "[data-not-phase],[data-not-text]')).map(r => r.dataset.row)"
    )
    assert output.inner_text() == f"{len(shown):,} of {num_rows:,} rows"
    assert shown
    assert all("jax" in name or "numpy" in name for name in shown)
    assert not tab.locator("h2", has_text="Two-layer net").is_visible()
    assert not tab.locator("h4", has_text="Training step").first.is_visible()
    tab.get_by_role("button", name="Show all").click()
    assert output.inner_text() == f"{num_rows:,} of {num_rows:,} rows"
    assert tab.locator("h2", has_text="Two-layer net").is_visible()


@of("report")
def test_samples_are_downloaded_as_they_were_measured(opened: Opened, full: dict[str, Any], tmp_path: Path) -> None:
    tab, heard = opened
    for name in ("CSV", "JSON"):
        with tab.expect_download() as download:
            tab.get_by_role("link", name=f"as {name}").click()
        download.value.save_as(tmp_path / name)
    cells = [cell for cell in full["likeforlike"]["cells"] if cell["status"] == "timed"]
    samples = [sample for cell in cells for one in cell["rounds_s"] for sample in one]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "CSV").read_text(encoding="utf-8"))))
    assert list(rows[0]) == ["model", "size", "phase", "variant", "launch", "round", "sample", "seconds"]
    assert len(rows) == len(samples)
    assert {row["launch"] for row in rows} == {"1", "2", "3"}
    found = json.loads((tmp_path / "JSON").read_text(encoding="utf-8"))["cells"]
    both = {(cell["model"], cell["phase"], cell["variant"]): cell["rounds_s"] for cell in found}
    for cell in cells:
        kept = both[cell["model"], cell["phase"], cell["variant"]]
        for measured, one in zip(cell["rounds_s"], kept, strict=True):
            assert one == pytest.approx(measured, rel=1e-3)
    of_row = both[rows[0]["model"], rows[0]["phase"], rows[0]["variant"]]
    assert float(rows[0]["seconds"]) == of_row[0][0]
    assert heard == []


@of("index")
def test_any_two_runs_stand_side_by_side(opened: Opened, runs: list[index.Run]) -> None:
    tab, heard = opened
    assert tab.get_by_label("New", exact=True).input_value().startswith(runs[-1].id)
    told = tab.locator("#compare-table tr", has_text="jax-jit").first.inner_text()
    assert "▲ slower" in told
    tab.get_by_label("Old", exact=True).select_option(index=0)
    assert "slower" not in tab.locator("#compare-table").inner_text(), "a run against itself"
    tab.get_by_label("Run", exact=True).fill(runs[0].id)
    assert tab.locator("tr[data-row]:visible").count() == 1
    assert heard == []


@pytest.mark.parametrize("opened", [(kind, 1280, "dark") for kind in KINDS], indirect=True, ids=KINDS)
def test_prints_on_light_paper(opened: Opened, tmp_path: Path) -> None:
    tab, heard = opened
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(253, 253, 251)"
    tab.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
    assert heard == []


def test_without_javascript_all_is_there_and_no_control_is_dead(browser: Any, folder: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    for kind in ("report", "index"):
        tab.goto((folder / f"{kind}.html").as_uri())
        assert tab.locator("fieldset:visible, #download:visible, th button").count() == 0
        assert tab.locator("tbody tr").count() > 0
    context.close()


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
