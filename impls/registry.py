"""Finds backends, variants and implementations by their place in `impls/`. Imports no framework.

A folder with an `__init__.py` that defines `BACKEND` is a backend; a file in it named after a model implements that
model. Nothing else names a backend, so that deleting its folder deletes it.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import impls
from impls import specs
from impls.contract import Backend, Variant

Status = Literal["available", "not installed", "not implemented", "broken"]


class Interpreter(Protocol):
    """A Python other than this process's (`harness.interpreters`)."""

    @property
    def python(self) -> str:
        """The path of its program."""

    def has(self, module: str) -> bool:
        """Tell whether a top-level module is installed there."""


@dataclass(frozen=True)
class Entry:
    """A variant together with the backend that it belongs to, and the Python that it runs in."""

    backend: str  # the folder's name under impls/
    title: str
    variant: Variant
    interpreter: Interpreter | None = None  # None: this process's

    @property
    def name(self) -> str:
        """The variant's name, unique over all backends."""
        return self.variant.name


@dataclass(frozen=True)
class Availability:
    """Whether a model can be run in a variant here, and if not, why."""

    status: Status
    reason: str | None = None


@cache
def backends() -> dict[str, Backend | Exception]:
    """Return every backend by folder name; one whose declaration raises is returned as that exception."""
    found: dict[str, Backend | Exception] = {}
    for module in pkgutil.iter_modules(impls.__path__):
        if not module.ispkg:
            continue
        try:
            found[module.name] = importlib.import_module(f"impls.{module.name}").BACKEND
        except Exception as error:  # a broken backend must not take the others with it
            found[module.name] = error
    return found


@cache
def variants() -> dict[str, Entry]:
    """Return all variants by name: the headline ones first, then in order of their backends."""
    entries = [
        Entry(folder, backend.title, variant)
        for folder, backend in backends().items()
        if isinstance(backend, Backend)
        for variant in backend.variants
    ]
    entries.sort(key=lambda entry: not entry.variant.headline)
    return {entry.name: entry for entry in entries}


def find_variants(names: Iterable[str] | None = None) -> list[Entry]:
    """Return the variants called `names`, or all of them.

    Raises:
        ValueError: a name that no backend declares; the message lists those that exist.
    """
    known = variants()
    if names is None:
        return list(known.values())
    for name in names:
        if name not in known:
            raise ValueError(f"unknown variant {name!r}; choose from {', '.join(known)}")
    return [known[name] for name in names]


def availability(model: str, entry: Entry, device: str = "cpu") -> Availability:
    """Say whether `model` can run in this variant on a "cpu" or a "gpu", by looking for files and packages only."""
    folder = Path(impls.__path__[0]) / entry.backend
    if model not in specs.MODELS:
        raise ValueError(f"unknown model {model!r}; choose from {', '.join(specs.MODELS)}")
    if entry.variant.models is not None and model not in entry.variant.models:
        return Availability("not implemented", f"{entry.name} is for {', '.join(entry.variant.models)}")
    if not (folder / f"{model}.py").exists():
        return Availability("not implemented", f"there is no impls/{entry.backend}/{model}.py")
    if entry.variant.gpu_only and device == "cpu":
        return Availability("not implemented", f"{entry.name} is for a GPU; use --device gpu")
    missing = missing_modules(entry)
    if missing:
        reason = f"{', '.join(missing)} cannot be imported; {pip(entry)} install {' '.join(missing)}"
        return Availability("not installed", reason)
    return Availability("available")


def offers(entry: Entry, module: str) -> bool:
    """Tell whether the backend has this file besides its nets, and the variant can run here."""
    return has_file(entry.backend, module) and not missing_modules(entry)


def provider(entry: Entry, module: str) -> str | None:
    """Return the backend whose file `module` serves a variant: its own, or that whose framework it computes with."""
    computing = [
        other.backend for other in variants().values() if set(other.variant.requires[:1]) & set(entry.variant.requires)
    ]
    return next((backend for backend in (entry.backend, *computing) if has_file(backend, module)), None)


def has_file(backend: str, module: str) -> bool:
    """Tell whether a backend has this file; `module` is its path in the folder, without the ending."""
    return (Path(impls.__path__[0]) / backend / f"{module}.py").exists()


def missing_modules(entry: Entry) -> list[str]:
    """Return the modules that a variant requires and that are not installed where it runs."""
    has = is_installed if entry.interpreter is None else entry.interpreter.has
    return [module for module in entry.variant.requires if not has(module)]


def pip(entry: Entry) -> str:
    """Return what to type for the pip of the Python that a variant runs in."""
    return "pip" if entry.interpreter is None else f"{entry.interpreter.python} -m pip"


def is_installed(module: str) -> bool:
    """Tell whether a top-level module is installed, without importing it (a bare folder of that name is not one)."""
    try:
        spec = importlib.util.find_spec(module)
    except ValueError:  # sys.modules[module] is None or has no spec
        return False
    return spec is not None and spec.origin is not None


def baseline(entries: Iterable[Entry]) -> Entry | None:
    """Choose what ratios refer to: the headline variant that runs eagerly, since that is what a graph must beat."""
    ranked = sorted(entries, key=lambda entry: (not entry.variant.headline, entry.variant.mode != "eager"))
    return ranked[0] if ranked else None
