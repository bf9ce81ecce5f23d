"""Why there is no GPU, said in one line with its remedy; and no framework computes on the CPU instead."""

import ctypes
import re
from types import SimpleNamespace

import pytest

from harness.workers import Worker, WorkerError
from impls import cuda, registry

HEADLINE = [entry.name for entry in registry.variants().values() if entry.variant.headline]


def plant_driver(monkeypatch: pytest.MonkeyPatch, version: int | None) -> None:
    """Let the driver run CUDA up to `version` (12080 is 12.8); None: there is none."""

    def load(name: str) -> SimpleNamespace:
        assert name == "libcuda.so.1"
        if version is None:
            raise OSError(f"{name}: cannot open shared object file")

        def driver_get_version(reference: object) -> int:
            reference._obj.value = version  # type: ignore[attr-defined]
            return 0

        return SimpleNamespace(cuDriverGetVersion=driver_get_version)

    monkeypatch.setattr(ctypes, "CDLL", load)


@pytest.mark.parametrize(
    ("built_for", "driver", "message"),
    [
        (None, 13000, "Frame 1.0 was built without CUDA: install frame[cuda], or use --device cpu"),
        ("13.0", None, "the NVIDIA driver's libcuda.so.1 cannot be loaded: install the driver, or use --device cpu"),
        (
            "13.0",
            12080,
            "Frame 1.0 was built for CUDA 13.0, and the driver runs CUDA 12.8 at most: update the driver, install a "
            "build for CUDA 12, or use --device cpu",
        ),
        (
            "13",
            13010,
            "Frame 1.0 was built for CUDA 13, and the driver runs CUDA 13.1, yet it sees no GPU: see `nvidia-smi -L` "
            "(CUDA_VISIBLE_DEVICES is 7), or use --device cpu",
        ),
        ("12.9", 12020, "and the driver runs CUDA 12.2, yet it sees no GPU"),
    ],
)
def test_the_likeliest_reason(
    monkeypatch: pytest.MonkeyPatch, built_for: str | None, driver: int | None, message: str
) -> None:
    plant_driver(monkeypatch, driver)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert message in cuda.why_no_gpu("Frame 1.0", built_for, "frame[cuda]")


def test_a_plugins_version_is_in_its_name() -> None:
    assert cuda.plugin_version("no_cuda{}_plugin") is None
    assert cuda.plugin_version("json") == str(max(cuda.CUDA_VERSIONS)), "any name that can be imported counts"


@pytest.mark.parametrize("variant", HEADLINE)
def test_no_framework_computes_on_the_cpu_when_a_gpu_was_asked_for(variant: str) -> None:
    entry = registry.variants()[variant]
    if missing := registry.missing_modules(entry):
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert re.fullmatch(r"gpu|broken: .*, or use --device cpu \(in start\)", started_on_gpu(entry))


def started_on_gpu(entry: registry.Entry) -> str:
    """Return where a worker computes that was asked to do so on a GPU, or why it does not start."""
    with Worker(entry, num_threads=1, device="gpu") as worker:
        try:
            return worker.start()["device"]
        except WorkerError as error:
            return f"{error.status}: {error.reason}"
