"""What a notebook shows of a card: the same in a browser and in a terminal, and no answer before the question."""

import copy
from typing import Any

import pytest
from markupsafe import Markup

from reports.lesson import buffers, cells, retrace
from reports.lesson.measured import Lesson


@pytest.fixture
def lesson(whole: dict[str, Any]) -> Lesson:
    return Lesson(whole["likeforlike"])


def test_a_question_does_not_give_the_verdict_away(lesson: Lesson) -> None:
    card = retrace.card(lesson)
    shown = cells.question(card)
    for form in (shown._repr_html_(), repr(shown)):
        assert card.claim in form
        assert card.question in form
        assert card.rule in form
        assert not any(Markup(sentence).striptags() in Markup(form).striptags() for sentence in card.verdict.told)


def test_a_verdict_comes_with_its_figures_and_its_reasons(lesson: Lesson) -> None:
    card = retrace.card(lesson)
    text = repr(cells.verdict(card))
    assert card.verdict.text.striptags() in text
    assert all(sentence.striptags() in text for sentence in card.verdict.told)
    assert len(text.splitlines()) == 1 + len(card.verdict.told) + len(card.explain)
    assert "<" not in text


def test_what_could_not_be_measured_is_told(lesson: Lesson) -> None:
    shown = cells.verdict(buffers.card(lesson), lesson.absent("buffers"))
    assert "Keras every way: not installed. keras cannot be imported." in repr(shown)


def test_code_is_code_and_names_stay_text(lesson: Lesson) -> None:
    assert "<code>None</code>" in cells.verdict(retrace.card(lesson)).html
    block = copy.deepcopy(lesson.block)
    for one in block["lesson"]["measurements"]:
        one["way"] = one["way"] and f"{one['way']} <img src=x>"
    assert "<img" not in cells.verdict(retrace.card(Lesson(block))).html


def test_programs_keep_their_lines_and_their_indentation() -> None:
    source = "for x in xs:\n    y = x < 2\n"
    shown = cells.side_by_side({"one": source, "two": source})
    assert shown.html.count("for x in xs:\n    y = x &lt; 2\n</pre>") == 2
    assert repr(shown) == f"one\n\n{source}\ntwo\n\n{source.rstrip()}"
