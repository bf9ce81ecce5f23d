"""The lesson in Chromium: it can be read, predicted and printed without JavaScript; with it, the slider answers."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Open = Callable[..., Any]
SHOWN = (
    "[...document.querySelectorAll('#step-loss .code')].filter(e => e.checkVisibility()).map(e => e.dataset.backend)"
)


@pytest.fixture
def opened(browser: Any, lesson_page: str, tmp_path: Path) -> Iterator[Open]:
    """What opens the page in a window of its own, with the options of Playwright's contexts."""
    target = tmp_path / "lesson.html"
    target.write_text(lesson_page, encoding="utf-8")
    contexts = []

    def open_page(width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.goto(target.as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()


def test_predicting_and_revealing_needs_no_javascript(opened: Open) -> None:
    tab = opened(java_script_enabled=False)
    card = tab.locator("#same_numbers")
    assert card.get_attribute("data-outcome") == "only"
    assert not card.locator("p.verdict").is_visible()
    card.locator("input[value=only]").focus()
    tab.keyboard.press("Space")
    card.locator("summary").first.focus()
    tab.keyboard.press("Enter")
    assert card.locator("p.verdict").is_visible()
    assert card.locator(".as-predicted").is_visible()
    assert not card.locator(".otherwise").is_visible()
    card.locator("input[value=holds]").check()
    assert card.locator(".otherwise").is_visible()
    assert not tab.locator("#amortisation-slider").is_visible(), "without a script the table stands in for it"


def test_predictions_that_came_true_are_counted(opened: Open) -> None:
    tab = opened()
    outcomes = tab.evaluate("[...document.querySelectorAll('.card[data-outcome]')].map(e => [e.id, e.dataset.outcome])")
    for name, outcome in outcomes:
        tab.locator(f"#{name} input[value={'holds' if outcome == 'holds' else 'only'}]").check()
    counted = tab.evaluate("getComputedStyle(document.querySelector('.score .right'), '::before').content")
    assert counted == "counter(right)"
    right = sum(outcome in ("holds", "only") for _, outcome in outcomes)
    rules = (
        "[...document.querySelectorAll('.card')].filter(e => getComputedStyle(e).counterIncrement.includes('right'))"
    )
    assert tab.evaluate(f"{rules}.length") == right > 0


def test_on_a_narrow_screen_one_framework_is_shown_and_remembered(opened: Open) -> None:
    tab = opened(width=360)
    assert len(tab.evaluate(SHOWN)) == 1
    tab.locator("fieldset.tabs label").last.click()
    chosen = tab.locator("fieldset.tabs input:checked").get_attribute("value")
    assert tab.evaluate(SHOWN) == [chosen]
    tab.reload()
    assert tab.evaluate(SHOWN) == [chosen]


def test_on_a_wide_screen_all_columns_are_shown(opened: Open) -> None:
    tab = opened()
    assert len(tab.evaluate(SHOWN)) == tab.locator("fieldset.tabs input").count() > 1


def test_the_slider_says_what_the_table_says(opened: Open) -> None:
    tab = opened()
    tab.evaluate("document.querySelectorAll('#amortisation details').forEach(one => one.open = true)")
    table = tab.locator("#amortisation table", has_text="Who is ahead")
    for place, steps in ((0, "1"), (20, "10"), (60, "1,000"), (100, "100,000")):
        tab.locator("#slider-range").fill(str(place))
        row = table.locator("tr", has=tab.locator(f"th:text-is('{steps}')"))
        first = row.locator("td").first.inner_text().replace("\u00a0", " ")
        variant, time = re.fullmatch(r"(\S+) (.*)", first).groups()
        told = tab.locator("#slider-told").inner_text().replace("\u00a0", " ")
        assert told.startswith(f"After {steps} step")
        assert f"{variant} is ahead, with {time} in all" in told


def test_the_slider_counts_the_import_when_asked_to(opened: Open) -> None:
    tab = opened()
    tab.locator("#amortisation summary").first.click()
    before = tab.locator("#slider-told").inner_text()
    tab.locator("#slider-import").check()
    assert tab.locator("#slider-told").inner_text() != before


def test_on_paper_every_answer_is_open(opened: Open, tmp_path: Path) -> None:
    tab = opened(java_script_enabled=False)
    tab.emulate_media(media="print")
    height = tab.locator("#same_numbers p.verdict").bounding_box()
    assert height is not None
    assert height["height"] > 0
    tab.pdf(path=tmp_path / "lesson.pdf", format="A4")
    assert (tmp_path / "lesson.pdf").stat().st_size > 50_000
