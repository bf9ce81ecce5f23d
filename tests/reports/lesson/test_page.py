"""The lesson's page as text: whole, small, the same every time, safe with hostile strings, and honest about gaps."""

import copy
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import reports
from harness import results, summary
from reports import render as report
from reports.lesson import render

ROOT = Path(reports.__file__).parents[1]
MOST_BYTES = 2_000_000
Record = dict[str, Any]


class Outline(HTMLParser):
    """Collects headings, ids, what links point at, and what is loaded."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: Counter[str] = Counter()
        self.targets: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        values = {name: value or "" for name, value in attrs}
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "id" in values:
            self.ids[values["id"]] += 1
        if values.get("href", "").startswith("#"):
            self.targets.append(values["href"][1:])
        else:
            self.loads += [values[name] for name in ("src", "srcset", "href") if values.get(name)]


def emptied(whole: Record) -> Record:
    """Return the document of a run that measured nothing at all."""
    document = copy.deepcopy(whole)
    block = document["likeforlike"]
    for name in ("cells", "groups", "certificates", "trajectories"):
        block[name] = []
    block["lesson"] = {"audit": [], "measurements": [], "graphs": [], "sources": {}}
    block["lesson"] |= {"clinic": [], "exercises": [], "finished": []}
    return document


def test_sample_follows_the_schema(whole: Record) -> None:
    results.validate(whole)
    results.validate(emptied(whole))


def test_structure(lesson_page: str) -> None:
    outline = Outline(lesson_page)
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert max(outline.ids.values()) == 1
    assert set(outline.targets) <= set(outline.ids)
    assert all(one.startswith("data:") or one == "index.html" for one in outline.loads)


def test_small_enough(lesson_page: str) -> None:
    assert len(lesson_page.encode()) <= MOST_BYTES


def test_same_bytes_in_another_process(whole: Record, lesson_page: str, tmp_path: Path) -> None:
    source = tmp_path / "results.json"
    source.write_text(json.dumps(whole), encoding="utf-8")
    program = (
        "import hashlib, json, sys; from reports.lesson import render; "
        "page = render(json.load(open(sys.argv[1], encoding='utf-8'))); "
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", program, str(source)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == hashlib.sha256(lesson_page.encode()).hexdigest()


def test_a_lesson_that_measured_nothing_says_so(whole: Record) -> None:
    page = render(emptied(whole))
    assert set(re.findall('<article[^>]* data-outcome="([^"]*)"', page)) == {"not-measured"}
    assert set(Outline(page).targets) <= set(Outline(page).ids)
    assert page.count("<picture>") == 0


def test_a_failed_way_is_shown_with_its_reason(whole: Record) -> None:
    document = copy.deepcopy(whole)
    measurements = document["likeforlike"]["lesson"]["measurements"]
    broken = next(one for one in measurements if one["experiment"] == "fusion" and one["way"] == "jit")
    broken |= {"status": "crashed", "reason": "the worker ended with signal 11", "data": None}
    page = render(document)
    assert "<li>JAX jit: crashed. the worker ended with signal 11.</li>" in page


def test_the_sources_are_those_of_the_files(lesson_page: str) -> None:
    """Comments are set apart, and what stands in the page is escaped."""
    line = "h = jax.nn.relu(jnp.dot(batch[&#34;x&#34;], state.params[&#34;w1&#34;]))  <i># (N, H)</i>\n</span>"
    assert line in lesson_page
    assert '<dt><code>h</code></dt><dd>(N, H) <span class="quiet">64 × 100</span></dd>' in lesson_page


def test_hostile_strings_stay_text(whole: Record) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    text = json.dumps(whole).replace("jaxpr", json.dumps(evil)[1:-1]).replace('"jit"', json.dumps(evil))
    text = text.replace('"jax-jit"', json.dumps(evil)).replace("def ", json.dumps(evil)[1:-1])
    page = render(json.loads(text))
    assert "<img src=x" not in page
    assert Outline(page).headings


def test_without_a_lesson_there_is_no_page(sample: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--preset lesson"):
        render(sample.document())
    assert summary.write_lesson(sample.document(), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_report_and_lesson_link_to_each_other(whole: Record, sample: ModuleType, lesson_page: str) -> None:
    assert '<a href="lesson.html">' in report.render(whole)
    assert '<a href="lesson.html">' not in report.render(sample.document())
    assert '<a href="index.html">' in lesson_page


def test_the_page_is_written_beside_the_report(whole: Record, lesson_page: str, tmp_path: Path) -> None:
    assert summary.write_lesson(whole, tmp_path) == tmp_path / "lesson.html"
    assert (tmp_path / "lesson.html").read_text(encoding="utf-8") == lesson_page
