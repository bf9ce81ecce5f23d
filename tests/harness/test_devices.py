"""A small GPU: who fits at once, and that the others are timed afterwards, against the same baseline."""

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness import devices, environment, presets
from harness.devices import CONTEXT_BYTES, PROOF
from harness.programs import Launch
from harness.run import Run
from impls import registry

GIB = 2**30


def launches(*peaks_bytes: int | None) -> list[Launch]:
    return [Launch(peak_device_memory_bytes={"train_step": peak, "forward": 0}) for peak in peaks_bytes]


def test_a_cpu_holds_as_many_as_there_are() -> None:
    assert devices.has_room(launches(*[None] * 50), None)


def test_the_baseline_and_one_more_are_started_wherever_they_are() -> None:
    assert devices.has_room([], 0)
    assert devices.has_room(launches(5 * GIB), 0)
    assert not devices.has_room(launches(5 * GIB, 5 * GIB), 0)


def test_the_hungriest_decides_for_the_next_and_for_the_control() -> None:
    need = CONTEXT_BYTES + PROOF * GIB
    assert devices.has_room(launches(GIB, GIB // 4), 4 * need)
    assert not devices.has_room(launches(GIB, GIB // 4), 4 * need - 1)
    assert not devices.has_room(launches(GIB, 2 * GIB), 4 * need)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi needs a POSIX shebang")
def test_free_memory_is_that_of_the_chosen_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "0, GPU-aa, 1000\n1, GPU-bb, 2000\n2, GPU-cc, [N/A]"
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nprint({rows!r})\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert environment.free_device_bytes("cpu") is None
    assert environment.free_device_bytes("gpu") == 1000 * 2**20
    assert environment.free_device_bytes("gpu:1") == 2000 * 2**20
    assert environment.free_device_bytes("gpu:2") is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bb")
    assert environment.free_device_bytes("gpu") == 2000 * 2**20


@pytest.mark.parametrize("shares_workers", [False, True])
def test_what_does_not_fit_is_timed_later(shares_workers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory for the baseline, one more and the control: three variants take two sittings."""
    names = ("torch-eager", "numpy", "jax-jit")
    entries = registry.find_variants(names)
    if missing := [module for entry in entries for module in registry.missing_modules(entry)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    monkeypatch.setattr(environment, "free_device_bytes", lambda _: 4 * CONTEXT_BYTES - 1)
    preset = replace(
        presets.get("default"),
        sizes={"two_layer": "tiny"},
        min_rounds=6,
        max_rounds=6,
        max_mode_s=1,
        num_certified_steps={"two_layer": 4},
        with_conventions=False,
        min_ceiling_s=0,
        shares_workers=shares_workers,
    )
    run = Run(preset, ["two_layer"], entries, num_threads=1, device="cpu", seed=0, command="")
    try:
        run.measure("two_layer")
    finally:
        run.close()
    block = run.block()
    (group,) = (group for group in block["groups"] if group["phase"] == "train_step")
    assert group["baseline"] == "torch-eager"
    assert [launch["num_rounds"] for launch in group["launches"]] == [6] * 2
    cells = {cell["variant"]: cell for cell in block["cells"] if cell["phase"] == "train_step"}
    num_launches = {name: len(cell["launches"]) for name, cell in cells.items()}
    assert num_launches == {"torch-eager": 2, "numpy": 1, "jax-jit": 1}
    for cell in cells.values():
        assert cell["status"] == "timed"
        assert cell["ratio_low"] <= cell["ratio"] <= cell["ratio_high"]
        assert cell["latency_s"]["median"] > 0
        assert cell["resident_step_time_s"]["median"] > 0
    assert set(Counter((c.variant, c.precision, c.quantity) for c in run.certificates).values()) == {1}
    assert any("a few at a time" in warning for warning in block["run"]["warnings"])
