"""What the lesson shows of the files that ran: each tagged function whole, for every headline backend."""

import ast
from pathlib import Path

import pytest

from harness import lecture
from harness.lesson import sources
from impls import registry

HEADLINE = sorted({entry.backend for entry in registry.variants().values() if entry.variant.headline})


@pytest.mark.parametrize("backend", HEADLINE)
def test_each_step_is_one_whole_function(backend: str) -> None:
    found = sources.sources([backend], "two_layer")[backend]["two_layer"]
    assert list(found["sections"]) == list(sources.TAGS)
    for text in found["sections"].values():
        (node,) = ast.parse(text).body
        assert isinstance(node, ast.FunctionDef)
    assert found["shapes"] == {"N": 64, "D_in": 1000, "H": 100, "D_out": 10}


def test_a_backend_without_the_net_is_left_out() -> None:
    assert sources.sources(["nobody"], "two_layer") == {}


def test_a_function_is_shown_without_its_docstring() -> None:
    text = sources.function(Path(lecture.__file__).parent / "two_layer_pytorch.py", "train")
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef)
    assert ast.get_docstring(node) is None
    assert "loss.backward()" in text
