"""The net's source, framework by framework and step by step, with the shapes that its comments state."""

import re
from typing import Any

from markupsafe import Markup, escape

from reports.lesson.measured import NET, Record
from reports.numbers import count_text

STEPS = {
    "forward": ("Forward", "Predict: two matrix products with a ReLU between them."),
    "loss": ("Loss", "One number that says how wrong the prediction is."),
    "grad": ("Gradients", "How the loss changes with each weight."),
    "update": ("Update", "Move each weight a little against its gradient."),
}
INDENT = 4
_COMMENT = re.compile(r"(#[^\n]*)")
_SHAPE = re.compile(r"\s*(\w+)\s*=[^=].*#\s*(\([\w, ]*\))\s*$")


def steps(sources: dict[str, dict[str, Record]]) -> dict[str, Any] | None:
    """Return what the template shows: frameworks, and for each step its code in each of them; None without sources.

    Args:
        sources: by backend and net, {"title", "sections": {step: text}, "shapes": {letter: size}}.
    """
    nets = [(backend, of_backend[NET]) for backend, of_backend in sources.items() if NET in of_backend]
    if not nets:
        return None
    sizes = {letter: size for _, net in nets for letter, size in net["shapes"].items()}
    return {
        "frameworks": [(backend, net["title"]) for backend, net in nets],
        "sizes": sizes,
        "steps": [
            {
                "id": step,
                "title": title,
                "what": what,
                "code": [
                    (
                        backend,
                        net["title"],
                        _marked(net["sections"].get(step, "")),
                        _num_lines(net["sections"].get(step, "")),
                    )
                    for backend, net in nets
                ],
                "shapes": _shapes([net["sections"].get(step, "") for _, net in nets], sizes),
            }
            for step, (title, what) in STEPS.items()
        ],
    }


def _num_lines(text: str) -> str:
    return count_text(sum(bool(line.strip()) for line in text.splitlines()), "line")


def _marked(text: str) -> Markup:
    """Return the code, a span a line that knows how far it is indented, with comments set apart."""
    lines = []
    for line in text.strip("\n").splitlines():
        forms = (escape, Markup("<i>{}</i>").format)
        parts = [forms[index % 2](part) for index, part in enumerate(_COMMENT.split(line))]
        depth = (len(line) - len(line.lstrip())) // INDENT
        lines.append(Markup('<span class="in{}">{}\n</span>').format(depth, Markup("").join(parts)))
    return Markup("").join(lines)


def _shapes(texts: list[str], sizes: dict[str, int]) -> list[tuple[str, str, str]]:
    """Return (name, shape in letters, shape in numbers) of each tensor that a comment tells, in order of appearance."""
    found: dict[str, str] = {}
    for text in texts:
        for line in text.splitlines():
            told = _SHAPE.match(line)
            if told:
                found.setdefault(told[1], told[2])
    return [(name, shape, _in_numbers(shape, sizes)) for name, shape in found.items()]


def _in_numbers(shape: str, sizes: dict[str, int]) -> str:
    letters = [part.strip() for part in shape.strip("()").split(",") if part.strip()]
    if not letters:
        return "one number"
    return " × ".join(str(sizes.get(letter, letter)) for letter in letters)
