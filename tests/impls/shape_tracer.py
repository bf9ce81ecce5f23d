"""Runs one variant of one model and checks the shape comments of its file against what the lines really make.

Usage: python shape_tracer.py VARIANT MODEL. Prints JSON: {"checked": [line, …], "wrong": [sentence, …]}.

A comment like `# (N, 2 * C, H - 2)` ends a statement that assigns to one name or returns. Names stand for sizes: known
ones (N, the spec's own) must fit, others are bound where a call first meets them and must fit from then on.
"""

import ast
import importlib
import json
import os
import re
import sys
import tempfile
import tokenize
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
COMMENT = re.compile(r"#\s*(\(.*\))\s*$")


class Annotated:
    """One statement with a shape comment: where it stands, what it assigns (None: it returns), and the dimensions."""

    def __init__(self, statement: ast.Assign | ast.Return, comment: str) -> None:
        self.line = statement.lineno
        self.target = first_name(statement) if isinstance(statement, ast.Assign) else None
        expression = ast.parse(comment, mode="eval").body
        self.dimensions = expression.elts if isinstance(expression, ast.Tuple) else [expression]
        self.comment = comment


def first_name(assignment: ast.Assign) -> str | None:
    """Return the name that is assigned to, the first one of `value, _ = …`; None for anything else."""
    target = assignment.targets[0]
    if isinstance(target, ast.Tuple):
        target = target.elts[0]
    return target.id if isinstance(target, ast.Name) else None


def annotated_statements(path: Path) -> tuple[dict[int, Annotated], list[str]]:
    """Return the annotated statements by every line that they span, and comments that belong to none."""
    with path.open("rb") as file:
        comments = {
            token.start[0]: match[1]
            for token in tokenize.tokenize(file.readline)
            if token.type == tokenize.COMMENT and (match := COMMENT.match(token.string))
        }
    found: dict[int, Annotated] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Return) or (isinstance(node, ast.Assign) and first_name(node))):
            continue
        if node.end_lineno in comments:
            annotated = Annotated(node, comments.pop(node.end_lineno))
            found |= dict.fromkeys(range(node.lineno, node.end_lineno + 1), annotated)
    return found, [f"line {line}: {comment} is at no assignment or return" for line, comment in comments.items()]


class ShapeTracer:
    """A trace function that checks annotated statements of one file as they finish."""

    def __init__(self, path: Path, sizes: dict[str, int]) -> None:
        self.path = str(path)
        self.sizes = sizes
        self.statements, self.wrong = annotated_statements(path)
        self.checked: set[int] = set()
        self.first_arguments: tuple[Any, Any] = (None, None)  # of the last train_step: the net and its native batch
        self.frames: dict[FrameType, tuple[dict[str, int], Annotated | None]] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != self.path:
            return None
        if event == "call" and frame.f_code.co_name == "train_step":
            net, batch = (frame.f_locals[name] for name in frame.f_code.co_varnames[:2])
            self.first_arguments = (net, batch)
        bound, running = self.frames.get(frame, (dict(self.sizes), None))
        current = self.statements.get(frame.f_lineno)
        if running is not None and running.target is None:
            current = running  # after a return, only the end of its `with` block can follow
        if event == "line" and running is not None and running is not current and running.target is not None:
            self.check(running, frame.f_locals.get(running.target), bound)
        if event == "return" and current is not None and current.target is None and argument is not None:
            self.check(current, argument, bound)
        self.frames[frame] = (bound, current)
        if event == "return":
            del self.frames[frame]
        return self

    def check(self, annotated: Annotated, value: Any, bound: dict[str, int]) -> None:
        shape = getattr(value, "shape", None)
        sizes = None if shape is None else [None if size is None else int(size) for size in shape]
        expected = [
            self.evaluate(dimension, size, bound)
            for dimension, size in zip(annotated.dimensions, sizes or (), strict=False)
        ]
        self.checked.add(annotated.line)
        fits = sizes is not None and len(sizes) == len(annotated.dimensions)
        if not fits or any(
            size is not None and size != wanted for size, wanted in zip(sizes or (), expected, strict=False)
        ):
            self.wrong.append(
                f"line {annotated.line}: {annotated.comment} means {tuple(expected)}, but it made {sizes}"
            )

    def evaluate(self, dimension: ast.expr, size: int | None, bound: dict[str, int]) -> int | None:
        """Return what a dimension of a comment comes to; a name (or its multiple) that is new takes what it needs."""
        names = {node.id for node in ast.walk(dimension) if isinstance(node, ast.Name)} - bound.keys()
        if names and size is not None:
            (name,) = names  # two unknowns in one expression cannot be solved
            for candidate in range(1, 16 * size + 1):
                if eval(compile(ast.Expression(dimension), "", "eval"), {}, bound | {name: candidate}) == size:
                    bound[name] = candidate
        return eval(compile(ast.Expression(dimension), "", "eval"), {}, bound)


def main(variant_name: str, model: str, scratch: str) -> None:
    sys.path.insert(0, str(ROOT))
    from harness.problem import Problem
    from harness.worker import hide
    from impls import registry

    problem = Problem.of(model, "tiny", 0)
    entries = registry.variants()
    entry = entries[variant_name]
    os.environ.update(entry.variant.environ(scratch))
    frameworks = {module for other in entries.values() for module in other.variant.requires} - {"numpy"}
    hide(frameworks - set(entry.variant.requires))
    runtime = importlib.import_module(f"impls.{entry.backend}.runtime")
    runtime.configure(entry.variant, 1, "cpu")
    implementation = importlib.import_module(f"impls.{entry.backend}.{model}")
    sizes = {"N": problem.spec.batch_size} | (problem.spec.sizes if model != "unet" else {})
    tracer = ShapeTracer(ROOT / "impls" / entry.backend / f"{model}.py", sizes)
    lines = {annotated.line for annotated in tracer.statements.values()}
    for dtype in ("float32", "float64"):
        if lines - tracer.checked:  # some lines are for float64 alone
            params = {name: array.astype(dtype) for name, array in problem.params.items()}
            batch = {name: array.astype(dtype) for name, array in problem.batches[0].items()}
            sys.settrace(tracer)
            run_everything(runtime.Program(implementation, problem.spec, params, entry.variant), batch)
            if entry.variant.mode == "eager" and dtype == "float32":
                net, native = tracer.first_arguments
                implementation.loss(net, native)
            sys.settrace(None)
    print(json.dumps({"all": sorted(lines), "checked": sorted(tracer.checked), "wrong": sorted(set(tracer.wrong))}))


def run_everything(program: Any, batch: dict[str, Any]) -> None:
    native = program.prepare(batch)
    program.forward(native)
    program.gradients(native)
    program.train_step(native)
    program.synchronize()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(*sys.argv[1:], folder)
