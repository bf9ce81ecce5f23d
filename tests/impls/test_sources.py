"""The files that students read side by side: the same functions in the same order, short, and with true shapes."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from impls import registry, specs

pytestmark = pytest.mark.usefixtures("cheap_xla")

IMPLS = Path(registry.__file__).parent
BACKENDS = sorted({entry.backend for entry in registry.variants().values()})
FUNCTIONS = ["build", "forward", "loss", "gradients", "train_step"]
TAGS = ["[forward]", "[loss]", "[grad]", "[update]"]
MAX_FILE_LINES = 150
MAX_FUNCTION_LINES = 30

each_file = pytest.mark.parametrize("model", specs.MODELS)
each_backend = pytest.mark.parametrize("backend", BACKENDS)


@each_backend
@each_file
def test_same_functions_in_the_same_order(backend: str, model: str) -> None:
    tree = ast.parse((IMPLS / backend / f"{model}.py").read_text())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [name for name in functions if name in FUNCTIONS] == FUNCTIONS


@each_backend
@each_file
def test_each_tag_once_and_in_order(backend: str, model: str) -> None:
    lines = (IMPLS / backend / f"{model}.py").read_text().splitlines()
    tags = [line.strip().removeprefix("# ") for line in lines if line.strip().startswith("# [")]
    assert tags == TAGS


@each_backend
@each_file
def test_short_enough_for_a_page(backend: str, model: str) -> None:
    source = (IMPLS / backend / f"{model}.py").read_text()
    assert len(source.splitlines()) <= MAX_FILE_LINES
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    }
    assert not long


@each_backend
@each_file
def test_shape_comments_are_true(backend: str, model: str) -> None:
    """Every comment is checked in the first variants that together run all of these lines, and none is wrong."""
    variants = [
        entry
        for entry in registry.variants().values()
        if entry.backend == backend
        and (entry.variant.mode == "eager" or entry.variant.headline)
        and registry.availability(model, entry).status == "available"
    ]
    if not variants:
        pytest.skip(f"{backend} is not installed")
    checked: set[int] = set()
    for entry in sorted(variants, key=lambda entry: entry.variant.mode != "eager"):  # eager ones alone run all of it
        found = trace(entry.name, model)
        assert found["wrong"] == []
        checked |= set(found["checked"])
        unchecked = set(found["all"]) - checked
        if not unchecked:
            break
    assert unchecked == set(), "comments that no run reached"
    assert len(checked) >= 3


def trace(variant: str, model: str) -> dict[str, list]:
    script = Path(__file__).with_name("shape_tracer.py")
    done = subprocess.run([sys.executable, str(script), variant, model], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
