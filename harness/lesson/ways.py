"""Runs inside a worker: the ways that its backend offers for an experiment, probed in turn, and their sources."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from types import CodeType, ModuleType
from typing import Any


def names(backend: str, experiment: str) -> list[str]:
    """Return what the backend's ways of running are called."""
    return list(_module(backend, experiment).WAYS)


def probe(backend: str, experiment: str, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Probe ways side by side.

    A probe that is a generator hands over to the next way whenever it yields, so that what slows the machine for a
    while slows all of them. What one way raises costs that way alone.

    Returns:
        By way "status", and "data" and "source", or the "reason" of a failure.
    """
    module = _module(backend, experiment)
    function = importlib.import_module(f"harness.lesson.{experiment}").probe
    running = {name: _in_turns(function, module.WAYS[name]) for name in names}
    found: dict[str, dict[str, Any]] = {}
    while running:
        for name, turns in list(running.items()):
            try:
                next(turns)
                continue
            except StopIteration as end:
                found[name] = {"status": "measured", "data": end.value, "source": source(module.WAYS[name])}
            except Exception as error:  # whatever a framework may raise becomes the reason of this way
                traceback.print_exc()
                found[name] = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
            del running[name]
    return {name: found[name] for name in names}


def source(way: Callable[..., Any]) -> str:
    """Return the text of a way: a function, and what it calls of the same folder."""
    pending: list[Any] = [way]
    folder = _folder(way)
    found: set[Any] = set()
    while pending:
        part = pending.pop()
        if part not in found and _folder(part) == folder:
            found.add(part)
            pending += _named(part)
    parts = sorted(found, key=lambda part: (part.__module__, inspect.getsourcelines(part)[1]))
    return "\n\n".join(inspect.getsource(part) for part in parts)


def _folder(part: Any) -> str:
    return part.__module__.rpartition(".")[0]


def _named(part: Any) -> list[Any]:
    """Return the functions and classes that a function, or a class's methods, name: `call` or `module.call`."""
    functions = [part] if inspect.isfunction(part) else [*filter(inspect.isfunction, vars(part).values())]
    names = {name for function in functions for code in _codes(function.__code__) for name in code.co_names}
    scope = vars(sys.modules[part.__module__])
    scopes = [scope, *(vars(scope[name]) for name in names if inspect.ismodule(scope.get(name)))]
    values = [scope[name] for scope in scopes for name in names if name in scope]
    return [value for value in values if inspect.isfunction(value) or inspect.isclass(value)]


def _codes(code: CodeType) -> list[CodeType]:
    """Return a function's code, and that of the functions within it."""
    return [code, *(inner for const in code.co_consts if isinstance(const, CodeType) for inner in _codes(const))]


def _in_turns(function: Callable[[Any], Any], way: Any) -> Generator[None, None, Any]:
    if inspect.isgeneratorfunction(function):
        return (yield from function(way))
    return function(way)


def _module(backend: str, experiment: str) -> ModuleType:
    return importlib.import_module(f"impls.{backend}.experiments.{experiment}")
