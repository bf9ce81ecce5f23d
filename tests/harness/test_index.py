"""The index over a folder of runs: whatever lies there, every run is listed, and neighbours are compared once."""

import copy
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import index
from harness.results import dumps

SAMPLE = Path(__file__).parents[1] / "reports" / "sample.py"


@pytest.fixture
def document() -> dict[str, Any]:
    """A run of one net in one phase, two variants, both certified."""
    made = runpy.run_path(str(SAMPLE))
    cells = [
        made["timed"]("unet", name, "train_step", 0.07 * r, r) for name, r in (("torch-eager", 1.0), ("jax-jit", 2.0))
    ]
    proofs = [entry for cell in cells for entry in made["certificates"]("unet", cell["variant"])]
    return made["document"](groups=[made["group"]("unet", "train_step")], cells=cells, certificates=proofs)


@pytest.fixture
def runs(tmp_path: Path, document: dict[str, Any]) -> Path:
    """A folder with two runs of a machine, one of another, and `latest`."""
    folder = tmp_path / "runs"
    for day, threads in ((1, 2), (2, 2), (3, 1)):
        one = copy.deepcopy(document)
        one["likeforlike"]["run"] |= {"id": f"run{day}", "started_utc": f"2026-03-0{day}", "num_threads": threads}
        put(folder / f"run{day}", dumps(one))
        (folder / f"run{day}" / "index.html").write_text("the report", encoding="utf-8")
    (folder / "latest").symlink_to("run3", target_is_directory=True)
    return folder


def put(folder: Path, text: str, name: str = "results.json") -> None:
    folder.mkdir(parents=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_neighbours_of_one_machine_are_compared(runs: Path) -> None:
    page = index.write(runs).read_text(encoding="utf-8")
    assert [path.name for path in (runs / "comparisons").iterdir()] == ["run1-to-run2.html"]
    assert 'href="comparisons/run1-to-run2.html"' in page
    assert page.count('<tr data-row="') == 3, "`latest` is no run of its own"
    for day in (1, 2, 3):
        assert f'href="run{day}/index.html"' in page


def test_at_the_end_of_a_run_only_its_own_comparison_is_made(runs: Path) -> None:
    index.write(runs, only_latest=True)
    assert not (runs / "comparisons").exists(), "the latest run is alone on its machine"


def test_a_page_that_is_there_is_kept(runs: Path) -> None:
    index.write(runs)
    page = runs / "comparisons" / "run1-to-run2.html"
    page.write_text("kept", encoding="utf-8")
    index.write(runs)
    assert page.read_text(encoding="utf-8") == "kept"


def test_published_runs_are_listed_and_not_written_to(runs: Path, document: dict[str, Any]) -> None:
    published = runs.parent / "published" / "some-machine"
    document["likeforlike"]["run"]["id"] = "public"
    put(published, dumps(document))
    page = index.write(runs).read_text(encoding="utf-8")
    assert '<tr data-row="public"' in page
    assert [path.name for path in published.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    "what", ["cut off", "no block", "old", "a key is missing", "not an object", "senseless", "killed"]
)
def test_what_cannot_be_read_is_listed_with_its_reason(runs: Path, document: dict[str, Any], what: str) -> None:
    block = document["likeforlike"]
    if what == "old":
        block["schema_version"] = 1
    elif what == "a key is missing":
        del block["cells"][0]["verdict"]
        del block["groups"][0]["baseline"]
    elif what == "senseless":
        block["groups"][0]["control"]["ratio_low"] = -1.0
    text = {"cut off": dumps(document)[:-20], "no block": "{}", "not an object": "[1]"}.get(what, dumps(document))
    put(runs / "bad", text, "partial.json" if what == "killed" else "results.json")
    page = index.write(runs).read_text(encoding="utf-8")
    reason = {
        "cut off": "is not a whole JSON document",
        "no block": "has no block &#39;likeforlike&#39;",
        "not an object": "has no block &#39;likeforlike&#39;",
        "old": "has schema version 1",
        "a key is missing": "does not fit the schema at likeforlike/",
        "senseless": "fits the schema and cannot be summed up: ValueError",
        "killed": "pytest --benchmark --resume bad",
    }[what]
    assert reason in page.partition('id="broken"')[2]
    assert page.count('<tr data-row="') == 3


def test_the_command(runs: Path) -> None:
    command = [sys.executable, "-m", "harness", "index"]
    done = subprocess.run([*command, str(runs)], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == str(runs / "index.html")
    done = subprocess.run([*command, str(runs / "none")], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
