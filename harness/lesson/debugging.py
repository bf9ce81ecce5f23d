"""Dynamic is easier to debug: what a person sees who prints, stops, hunts a NaN or gets a shape wrong, in each mode.

A way is a function that returns `Probes`: small functions in one mode. The line of their source that is to blame
carries the tag `# [nan]`, `# [nan_gradient]` or `# [shape]`; what the framework says is searched for the file and the
number of that line.
"""

import contextlib
import inspect
import io
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.workers import ROOT

NUM_CALLS = 3
MARKER = "x is"
"""What the functions print first, so that nothing else that is printed counts."""
MAX_MESSAGE_CHARACTERS = 300

Probes = Mapping[str, Any]
"""Functions by name:

- `prints(x)`, `stops(x)`: x · 2, after a `print("x is", x)` or a `breakpoint()`.
- `nan(x)`: the logarithm of x - 1, which at 0 is NaN, and `nan_gradient(x)`: the gradient of the norm of x, which at 0
  is 0/0; each with the framework's own search for NaN on, where it has one. The lines of logarithm and norm are tagged.
- `wrong_shape`: by the stage ("build", "trace", "run") that it takes, functions of (x, w) that each go one stage
  further towards the product of matrices that do not fit. The product is tagged.
"""
Way = Callable[[], Probes]


def probe(way: Way) -> dict[str, Any]:
    """Let the functions run, and note what became visible.

    Returns:
        `nan_located` and `nan_message` are of the forward pass, `nan_gradient_…` of the backward pass.
    """
    with watching() as (printed, stops):
        probes = way()
        return {
            "print_calls": NUM_CALLS,
            "prints": _added(lambda: printed.getvalue().count(MARKER), probes["prints"]),
            "breakpoint_reached": _added(lambda: len(stops), probes["stops"]),
            **{
                f"{name}_{what}": found
                for name in ("nan", "nan_gradient")
                for what, found in nan(probes[name], tagged_line(way, name)).items()
            },
            **shape_error(probes["wrong_shape"], tagged_line(way, "shape")),
        }


@contextlib.contextmanager
def watching() -> Iterator[tuple[io.StringIO, list[None]]]:
    """Yield what is printed within the block, and a list that grows with every `breakpoint()`, which does not stop."""
    stops: list[None] = []
    hook = sys.breakpointhook
    sys.breakpointhook = lambda *_, **__: stops.append(None)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            yield printed, stops
    finally:
        sys.breakpointhook = hook


def _added(count: Callable[[], int], function: Callable[[np.ndarray], Any]) -> int:
    """Return by how much a count grows in `NUM_CALLS` calls; what building the function printed does not count."""
    num_before = count()
    for _ in range(NUM_CALLS):
        np.testing.assert_array_equal(np.asarray(function(np.ones(4, np.float32))), 2)
    return count() - num_before


def nan(function: Callable[[np.ndarray], Any], line: str) -> dict[str, Any]:
    """Say whether the framework's search for NaN names the line where one is made ("located"), and its "message".

    Raises:
        AssertionError: no NaN is made.
    """
    said: list[str] = []
    message, result = "", None
    with _listening(said):
        try:
            result = np.asarray(function(np.zeros(4, np.float32)))
        except Exception as error:  # what the framework says is what is asked for
            said.append("".join(traceback.format_exception(error)))
            message = f"{type(error).__name__}: {error}"
    assert result is None or np.isnan(result).any(), "there is no NaN to find"
    text = "".join(said)
    return {"located": _names(line, text), "message": _short(message or text or "nothing is said: the result is NaN")}


def shape_error(stages: Mapping[str, Callable[[np.ndarray, np.ndarray], Any]], line: str) -> dict[str, Any]:
    """Say in which stage matrices that do not fit raise, and whether the traceback has the line of their product.

    Raises:
        AssertionError: none raised.
    """
    x, w = np.ones((64, 1000), np.float32), np.ones((100, 10), np.float32)
    for stage, function in stages.items():
        try:
            function(x, w)
        except Exception as error:  # the same
            text = "".join(traceback.format_exception(error))
            return {
                "shape_error_at": stage,
                "shape_error_message": _short(f"{type(error).__name__}: {error}"),
                "own_line_in_traceback": _names(line, text),
            }
    raise AssertionError("matrices that do not fit were multiplied")


@contextlib.contextmanager
def _listening(said: list[str]) -> Iterator[None]:
    """Append what is warned of and printed within the block."""
    with (
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        warnings.simplefilter("always")
        yield
    said += [*(f"{warning.message}\n" for warning in warned), out.getvalue(), err.getvalue()]


def tagged_line(way: Way, tag: str) -> str:
    """Return "FILE:NUMBER" of the line with the comment "[tag]" in a way's file.

    Raises:
        ValueError: there is not exactly one.
    """
    path = inspect.getfile(way)
    lines, _ = inspect.findsource(way)
    (number,) = (number for number, line in enumerate(lines, 1) if line.rstrip().endswith(f"# [{tag}]"))
    return f"{path}:{number}"


def _names(line: str, text: str) -> bool:
    """Tell whether a text names a line, as Python's tracebacks do or as "FILE:NUMBER"."""
    path, number = line.rsplit(":", 1)
    return f'File "{path}", line {number}' in text or line in text


def _short(message: str) -> str:
    """Return the start of a message, without this project's folder, line breaks and a terminal's colours."""
    message = " ".join(re.sub(r"\x1b\[[\d;]*m", "", message.replace(f"{ROOT}/", "")).split())
    return message if len(message) <= MAX_MESSAGE_CHARACTERS else message[: MAX_MESSAGE_CHARACTERS - 1] + "…"
