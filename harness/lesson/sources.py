"""The programs that the lesson shows: a net's files, cut at their tags, and those of the audit."""

import ast
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import impls
from impls import registry, specs

TAGS = ("forward", "loss", "grad", "update")


def sources(backends: Iterable[str], model: str, size: str = "original") -> dict[str, dict[str, Any]]:
    """Return each backend's blocks of a net: {backend: {model: {"title", "sections", "shapes"}}}.

    `sections` has the text below each tag, `shapes` what the letters in its comments stand for.
    """
    spec = specs.get(model, size)
    shapes = {"N": spec.batch_size, **spec.sizes}
    titles = {entry.backend: entry.title for entry in registry.variants().values()}
    return {
        backend: {
            model: {
                "title": titles[backend],
                "sections": blocks(_path(backend, model).read_text(encoding="utf-8")),
                "shapes": shapes,
            }
        }
        for backend in backends
        if _path(backend, model).is_file()
    }


def function(path: Path, name: str) -> str:
    """Return the source of a module's function, without the docstring."""
    text = path.read_text(encoding="utf-8")
    node = next(one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef) and one.name == name)
    lines = text.splitlines()
    start = node.body[0].end_lineno if ast.get_docstring(node) else node.body[0].lineno - 1
    return "\n".join([*lines[node.lineno - 1 : node.body[0].lineno - 1], *lines[start : node.end_lineno]])


def blocks(text: str) -> dict[str, str]:
    """Return the function below each of the tags `# [forward]` to `# [update]`, without its indentation."""
    lines = text.splitlines()
    functions = {node.lineno: node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    found = {}
    for tag in TAGS:
        start = next(number for number, line in enumerate(lines, 1) if line.strip() == f"# [{tag}]")
        function = functions[min(number for number in functions if number > start)]
        found[tag] = textwrap.dedent("\n".join(lines[start : function.end_lineno]))
    return found


def _path(backend: str, model: str) -> Path:
    return Path(impls.__file__).parent / backend / f"{model}.py"
