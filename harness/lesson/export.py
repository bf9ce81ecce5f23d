"""A graph can leave Python: the two-layer net's forward pass, saved here and run in a process without its source.

A way is a function that returns what the artefact is called, the module that a reader needs, and two functions:
`save(params, x, folder)` writes the artefact and returns the prediction for x, NumPy; `load(folder)` returns a function
from x to the prediction. The text of `load` is all that the reading process gets, so it imports what it uses itself.
"""

import inspect
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.problem import Problem
from harness.workers import ROOT
from impls.contract import Arrays

TIMEOUT_S = 100.0
MAX_MESSAGE_CHARACTERS = 300

Save = Callable[[Arrays, np.ndarray, Path], np.ndarray]
Load = Callable[[Path], Callable[[np.ndarray], np.ndarray]]
Way = Callable[[], tuple[str, str, Save, Load]]

READER = """
import importlib, json, sys, time
from pathlib import Path

class WithoutSource:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {rooms!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, WithoutSource())

{load}

start = time.perf_counter()
import numpy as np
importlib.import_module({requires!r})
import_s = time.perf_counter() - start
try:
    start = time.perf_counter()
    predict = {name}(Path("artefact"))
    load_s = time.perf_counter() - start
    np.save("prediction.npy", predict(np.load("x.npy")))
except Exception as error:
    print(json.dumps({{"message": f"{{type(error).__name__}}: {{error}}"}}))
else:
    print(json.dumps({{"import_seconds": import_s, "load_seconds": load_s}}))
"""


def probe(way: Way) -> dict[str, Any]:
    """Save the net, read it in another process, and compare the predictions.

    Returns:
        `exported`, `reloads_without_source` and, where one is False, the reason as `message`; seconds and bytes.
    """
    artefact, requires, save, load = way()
    problem = Problem.of("two_layer", "original", seed=0)
    x = problem.batches[0]["x"]
    found: dict[str, Any] = {
        "artefact": artefact, "exported": False, "reloads_without_source": False, "export_seconds": None,
        "num_bytes": None, "load_seconds": None, "import_seconds": None, "message": "",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "artefact").mkdir()
        np.save(folder / "x.npy", x)
        start = time.perf_counter()
        try:
            expected = save(problem.params, x, folder / "artefact")
        except Exception as error:  # that it cannot be saved is a finding
            return found | {"message": _short(f"{type(error).__name__}: {error}")}
        found |= {"exported": True, "export_seconds": time.perf_counter() - start}
        found["num_bytes"] = sum(path.stat().st_size for path in folder.rglob("artefact/**/*") if path.is_file())
        said = read(folder, requires, load)
        if "message" in said:
            return found | {"message": _short(said["message"])}
        np.testing.assert_allclose(np.load(folder / "prediction.npy"), expected, rtol=1e-4, atol=1e-3)
    return found | said | {"reloads_without_source": True}


def read(folder: Path, requires: str, load: Load) -> dict[str, Any]:
    """Run the text of `load` in an interpreter of its own, from which this project cannot be imported.

    Returns:
        Seconds, or what was raised as `message`.

    Raises:
        subprocess.CalledProcessError: the process ended otherwise.
    """
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    program = READER.format(rooms=rooms, load=inspect.getsource(load), requires=requires, name=load.__name__)
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def _short(message: str) -> str:
    """Return the start of a message, on one line."""
    message = " ".join(message.split())
    return message if len(message) <= MAX_MESSAGE_CHARACTERS else message[: MAX_MESSAGE_CHARACTERS - 1] + "…"
