"""The arrows of the design, proven in fresh interpreters: no room imports a framework, and reports import no room."""

import subprocess
import sys
from pathlib import Path

import pytest

from impls import registry

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {module for entry in registry.variants().values() for module in entry.variant.requires} - {"numpy"}
MODULES = {
    room: sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for pattern in ("*.py", "lesson/*.py")
        for path in (ROOT / room).glob(pattern)
        if not path.stem.startswith("__")
    )
    for room in ("harness", "impls", "reports")
}


def loaded_after(code: str) -> set[str]:
    """Return the top-level modules and packages' modules that a fresh interpreter has loaded after `code`."""
    script = f"{code}\nimport sys; print(' '.join(sys.modules))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("room", MODULES)
def test_importing_a_room_imports_no_framework(room: str) -> None:
    loaded = loaded_after("\n".join(f"import {module}" for module in (room, *MODULES[room])))
    assert MODULES[room], "the room is empty: this test would prove nothing"
    assert not loaded & FRAMEWORKS


def test_listing_backends_imports_no_framework() -> None:
    loaded = loaded_after("from impls import registry; registry.find_variants()")
    assert "impls.reference" in loaded
    assert not loaded & FRAMEWORKS


def test_reports_hang_off_the_result_document_alone() -> None:
    loaded = loaded_after("\n".join(f"import {module}" for module in MODULES["reports"]))
    assert not {name for name in loaded if name.partition(".")[0] in ("harness", "impls", "benchmarks")}


def test_impls_know_nothing_of_the_harness() -> None:
    loaded = loaded_after("\n".join(f"import {module}" for module in MODULES["impls"]))
    assert not {name for name in loaded if name.partition(".")[0] in ("harness", "reports", "benchmarks")}


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """The promise is an answer in under half a second; a test that may not depend on the clock counts modules."""
    code = f"""
import contextlib, runpy, sys
sys.argv = ["harness", *{arguments!r}]
with contextlib.suppress(SystemExit):
    runpy.run_module("harness", run_name="__main__")
"""
    heavy = {"numpy", "pandas", "matplotlib", "scipy", "sklearn", "jinja2", "rich", "execnet", "pytest"}
    assert not loaded_after(code) & (heavy | FRAMEWORKS)
