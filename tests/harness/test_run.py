"""How a run goes about its variants."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from harness import presets, programs
from harness.run import Run
from impls import registry


def test_two_variants_start_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the first two launches waits for the other: one by one, both would fail."""
    together = threading.Barrier(2, timeout=30)
    started = []
    launch = programs.launch

    def meet(worker: Any, problem: Any) -> programs.Launch:
        started.append(worker.entry.name)
        if len(started) <= 2:
            together.wait()
        return launch(worker, problem)

    monkeypatch.setattr(programs, "launch", meet)
    entries = registry.find_variants(("numpy", "torch-eager"))
    if missing := [module for entry in entries for module in registry.missing_modules(entry)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    preset = replace(presets.get("quick"), sizes={"two_layer": "tiny"}, num_certified_steps={"two_layer": 4})
    run = Run(preset, ["two_layer"], entries, num_threads=1, device="cpu", seed=0, command="")
    try:
        run.measure("two_layer")
    finally:
        run.close()
    block = run.block()
    assert {cell["variant"]: cell["status"] for cell in block["cells"]} == {"numpy": "timed", "torch-eager": "timed"}
    assert block["groups"][0]["control"] is not None
    assert any("Two start at a time" in warning for warning in block["run"]["warnings"])
