"""The notebook: short cells, a verdict and a plot where they belong, and a run from top to bottom in a kernel."""

import json
import math
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from harness import mutation
from harness.lesson import classroom
from harness.lesson.runner import Lesson
from harness.mutation import Verdict
from harness.run import Run
from impls import registry
from impls.registry import is_installed
from reports.lesson import amortisation

ROOT = Path(__file__).parents[2]
ROOMS = ("harness", "impls", "reports", "notebooks")
MOST_LINES = 15
LEAST_PLOTS = 5
VERDICT = re.compile(r"<p><strong>“[^”]+” (Holds|Not reproduced|Not measured)")
EXECUTE = "from nbclient.cli import main; main()"
Cell = dict[str, Any]

if not is_installed("jupytext"):
    pytest.skip("jupytext is not installed (pip install -e '.[notebook]')", allow_module_level=True)


def converted(folder: Path) -> Path:
    """Make the notebook as `make notebook` does, in a copy of nothing but the checkout; return where it is."""
    left_out = shutil.ignore_patterns("__pycache__", "*.ipynb", ".*", "runs", "published")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=left_out)
    called("-m", "jupytext", "--quiet", "--to", "ipynb", "notebooks/lesson.py", cwd=folder)
    return folder / "notebooks" / "lesson.ipynb"


def called(*arguments: str, cwd: Path) -> None:
    """Run Python with the code of a folder, and nothing of this pytest or of the user's Jupyter."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "JUPYTER_"))}
    own = {name: str(cwd / ".jupyter") for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    env = inherited | own | {"PYTHONPATH": str(cwd), "LIKEFORLIKE_PRESET": "quick"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    """The notebook's cells, not run."""
    notebook = converted(tmp_path_factory.mktemp("converted"))
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in found]


def test_a_class_can_read_a_cell_at_a_glance(cells: list[Cell]) -> None:
    sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    assert len(sources) > 20
    assert [source for source in sources if len(source.splitlines()) > MOST_LINES] == []


def test_every_section_ends_with_an_exercise_in_the_cells(cells: list[Cell]) -> None:
    starts = [number for number, cell in enumerate(cells) if cell["source"].startswith("## ")]
    assert len(starts) == 9
    for start, end in zip(starts, [*starts[1:], len(cells)], strict=True):
        *_, told, code = cells[start:end]
        assert told["source"].startswith("**Exercise")
        assert code["cell_type"] == "code"


def test_a_class_predicts_before_it_measures(cells: list[Cell]) -> None:
    text = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code")
    asked, judged = (re.findall(rf'lesson\.{verb}\("(\w+)"\)', text) for verb in ("ask", "verdict"))
    assert asked == judged
    for name in asked:
        measured = text.find(f'lesson.measure("{name}")')
        assert text.index(f'lesson.ask("{name}")') < measured or measured == -1
        assert f'predicted["{name}"]' in text


@pytest.fixture
def as_a_script(
    finished: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[], dict[str, Any]]]:
    """What runs the notebook as a script in this process, on what a run of the whole lesson has measured before."""
    start = Run.__init__

    def recorded(self: Run, *arguments: Any, **settings: Any) -> None:
        start(self, *arguments, **settings)
        self.take_over(finished)

    verdict = Verdict("learning_rate", "two_layer", "any", "caught", "state@1/w1", "state@1/w1", "relative error 1")
    monkeypatch.setattr(Run, "__init__", recorded)
    monkeypatch.setattr(Run, "measure", None)
    monkeypatch.setattr(Lesson, "_measured", None)
    monkeypatch.setattr(mutation, "run", lambda *_: iter([verdict]))
    monkeypatch.setattr(classroom, "RUNS", tmp_path)
    monkeypatch.delenv("LIKEFORLIKE_PRESET", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(plt, "show", lambda: None)
    yield lambda: runpy.run_path(str(ROOT / "notebooks" / "lesson.py"))
    plt.close("all")


def test_it_is_a_script_too(
    as_a_script: Callable[[], dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """All that it draws and tells of a whole lesson, without a warning; N* of the class is N* of the page."""
    after = as_a_script()
    assert len(plt.get_fignums()) >= LEAST_PLOTS
    text = capsys.readouterr().out
    assert all(repr(after["lesson"].verdict(name)) in text for name in after["predicted"])
    (page,) = tmp_path.glob("2*/lesson.html")
    assert str(page) in text
    results = after["lesson"].results
    pairs = [
        (early["variant"], late["variant"], amortisation.crossing(results, early, late))
        for early, late in amortisation.pairs(results)
    ]
    assert pairs
    for early, late, crossing in pairs:
        assert crossing is not None
        steps = math.inf if crossing[0] is None else crossing[0]
        assert after["break_even"](early, late) == pytest.approx(steps, abs=1)  # both round up


@pytest.mark.slow
@pytest.mark.skipif(
    not all(is_installed(name) for entry in registry.variants().values() for name in entry.variant.requires),
    reason="the notebook needs every framework",
)
def test_it_runs_from_top_to_bottom_in_a_kernel(tmp_path: Path) -> None:
    """With the quick preset, started in `notebooks/` as Jupyter does."""
    notebook = converted(tmp_path)
    called("-c", EXECUTE, "--inplace", "notebooks/lesson.ipynb", cwd=tmp_path)
    ran = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in ran)
    outputs = [output for cell in ran for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"] == []
    shown = [output["data"] for output in outputs if "data" in output]
    assert sum("image/png" in data for data in shown) >= LEAST_PLOTS
    verdicts = ["".join(data.get("text/html", "")) for data in shown]
    assert sum(bool(VERDICT.match(html)) for html in verdicts) == 5
    (page,) = (tmp_path / "reports" / "runs").glob("2*/lesson.html")
    assert "Holds" in page.read_text(encoding="utf-8")
