"""The page as text: complete, the same every time, safe with hostile strings, and small."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import reports
from harness import results
from reports.render import render

ROOT = Path(reports.__file__).parents[1]


class Outline(HTMLParser):
    """Collects what a structure test needs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.images: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        values = dict(attrs)
        self.tags.add(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.images.append(values)
        if "id" in values:
            self.ids.append(str(values["id"]))
        if (values.get("href") or "").startswith("#"):
            self.targets.append(str(values["href"])[1:])
        else:
            self.loads += [str(values[name]) for name in ("src", "srcset", "href") if values.get(name)]


def charts_of(page: str) -> list[str]:
    """Return the text of every chart in the page."""
    found = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    return [base64.b64decode(text).decode() for text in found]


def test_sample_follows_the_schema(full: dict[str, Any], sample: ModuleType) -> None:
    results.validate(full)
    results.validate(sample.document())
    statuses = set(results.schema()["properties"]["cells"]["items"]["properties"]["status"]["enum"])
    assert {cell["status"] for cell in full["likeforlike"]["cells"]} == statuses


def test_same_bytes_in_another_process(full: dict[str, Any], page: str, tmp_path: Path) -> None:
    source = tmp_path / "results.json"
    source.write_text(json.dumps(full), encoding="utf-8")
    program = (
        "import hashlib, json, sys; from reports.render import render; "
        "page = render(json.load(open(sys.argv[1], encoding='utf-8'))); "
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "0"}
    command = [sys.executable, "-c", program, str(source)]
    printed = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert printed.stdout.strip() == hashlib.sha256(page.encode()).hexdigest()


def test_structure(page: str) -> None:
    outline = Outline(page)
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.targets) <= set(outline.ids)
    assert {"main", "nav", "header", "footer"} <= outline.tags
    assert page.count("<script") == 2, "the samples, and what sorts, filters and unpacks them"
    assert all(load.startswith("data:") for load in outline.loads), "the page would load something"
    charts = 3 * (4 + 2 + 2) + 2
    assert len(outline.images) == charts + 6, (
        "four of speed, two of break-even and of error a net; the overview and the roofs; pictures"
    )
    assert all(image["alt"] and image["width"] and image["height"] for image in outline.images)


def test_every_status_with_its_reason(full: dict[str, Any], page: str) -> None:
    for cell in full["likeforlike"]["cells"]:
        if cell["status"] != "timed":
            assert f'<span class="status">{cell["status"]}</span>' in page
            assert cell["reason"].replace("'", "&#39;") in page
    assert "SIGSEGV" in page
    assert "Fatal Python error" in page, "what a crashed worker printed is lost"
    for note in ("not steady", "rounds correlated (0.47)", "7 samples shared a core"):
        assert note in page


def test_a_refusal_is_explained_where_it_stands(page: str, sample: ModuleType) -> None:
    (table,) = re.findall(
        r'<table class="absent" [^>]*>(?:(?!</table>).)*keras-torch.*?</table>', page, flags=re.DOTALL
    )
    (row,) = re.findall(r"<tr data-row=\"keras-torch\">.*?</tr>", table, flags=re.DOTALL)
    assert re.findall("<li>(.*?)</li>", row) == sample.EXPLANATION
    assert "the gradient of layer0.w1: relative error 3.1e-01" in row
    assert "grad@0/layer0.w1 in float32: error 3.1e-01, limit 4.0e-06" in row
    assert row.index("What agrees") < row.index("grad@0/layer0.w1 in float32")


@pytest.mark.parametrize("why", ["refused", "no certificate", "failed certificate"])
def test_no_certificate_no_bar(sample: ModuleType, why: str) -> None:
    """Even a document that gives such a cell a time gets it neither into a chart nor into a table."""
    cells = [sample.timed("unet", "torch-eager", "train_step", 0.068, 1.0)]
    cells.append(sample.timed("unet", "jax-jit", "train_step", 0.0987654, 1.45))
    proofs = sample.certificates("unet", "torch-eager")
    if why == "refused":
        cells[1]["status"] = "refused"
        proofs += sample.certificates("unet", "jax-jit")
    elif why == "failed certificate":
        proofs += sample.certificates("unet", "jax-jit", failing="forward@0")
    document = sample.document(groups=[sample.group("unet", "train_step")], cells=cells, certificates=proofs)
    page = render(document)
    assert not any("jax-jit" in chart for chart in charts_of(page))
    assert "98.8" not in page
    assert "1.45" not in page
    assert f'<span class="status">{"refused" if why == "refused" else "uncertified"}</span>' in page


def test_hostile_strings_are_shown_as_text(sample: ModuleType) -> None:
    evil = "<script>alert('x')</script>\"&$x_{1}$"
    cells = [
        sample.timed("unet", name, "train_step", 0.07, ratio) for name, ratio in (("torch-eager", 1.0), (evil, 2.0))
    ]
    cells.append(sample.cell("unet", "numpy", "train_step", status="failed", reason=evil, stderr_tail=evil))
    cells.append(sample.cell("unet", "jax-jit", "train_step", status="refused", reason=evil, explanation=[evil]))
    proofs = [*sample.certificates("unet", "torch-eager"), *sample.certificates("unet", evil)]
    proofs[0] |= {"quantity": evil, "detail": evil}
    document = sample.document(
        run={"warnings": [evil], "command": evil, "id": evil},
        groups=[sample.group("unet", "train_step")],
        cells=cells,
        certificates=proofs,
        trajectories=[*sample.trajectories("unet", "torch-eager"), *sample.trajectories("unet", evil)],
        conventions=[{"subject": evil, "title": evil, "values": {evil: evil}}],
        pictures=[{**picture, "variant": evil} for picture in sample.pictures()],
    )
    page = render(document)
    assert page.count("<script") == 2
    assert page.count("&lt;script&gt;") >= 14
    assert all("<script" not in chart for chart in charts_of(page))


@pytest.mark.parametrize("kind", ["empty", "one cell", "interrupted", "forward only", "tuned only"])
def test_small_runs(sample: ModuleType, kind: str) -> None:
    timed = sample.timed("unet", "torch-eager", "train_step", 0.068, 1.0)
    groups, cells, status = [sample.group("unet", "train_step")], [timed], "complete"
    if kind == "empty":
        groups, cells = [], []
    elif kind == "interrupted":
        cells, status = [timed, sample.cell("unet", "jax-jit", "train_step")], "interrupted"
    elif kind == "forward only":
        groups = [sample.group("unet", "forward")]
        cells = [{**timed, "phase": "forward"}, sample.timed("unet", "jax-jit", "forward", 0.1, 1.5)]
    elif kind == "tuned only":
        groups = [sample.group("unet", "train_step", baseline=None, control=None)]
        cells = [sample.timed("unet", "tf-xla", "train_step", 0.1, 1.5, ratio_low=None, ratio_high=None, verdict=None)]
    proofs = [entry for cell in cells for entry in sample.certificates("unet", cell["variant"])]
    page = render(sample.document(run={"status": status}, groups=groups, cells=cells, certificates=proofs))
    assert ("This run was interrupted" in page) == (kind == "interrupted")
    assert ("Nothing was measured in this run" in page) == (kind == "empty")
    assert "None" not in re.sub("<style>.*?</style>", "", page, flags=re.DOTALL)


def test_a_warning_stands_beside_its_net(page: str) -> None:
    top, rest = page.split("<main>")
    assert "exceed the 2 cores" in top
    assert "three rounds were disturbed" not in top
    assert rest.count("three rounds were disturbed") == 1


def test_large_run_stays_small(full: dict[str, Any], page: str) -> None:
    rounds = full["likeforlike"]["cells"][0]["rounds_s"]
    assert (len(rounds), len(rounds[0])) == (60, 4)
    assert len(page.encode()) < 2_000_000


@pytest.mark.slow
def test_five_hundred_cells_and_a_million_samples(sample: ModuleType) -> None:
    """At most 5 MB in at most 20 s of this process's own time: a bound far above what it takes, not a benchmark."""
    document = sample.large()
    cells = document["likeforlike"]["cells"]
    assert len(cells) >= 500
    assert sum(len(samples) for cell in cells for samples in cell["rounds_s"]) >= 1_000_000
    before_s = time.process_time()
    page = render(document)
    assert time.process_time() - before_s < 20
    assert len(page.encode()) < 5_000_000
    assert "every k-th is drawn" in page
    assert "Neighbouring rounds are drawn as one" in page
    assert "18 between the smallest and the largest have their tables" in page
