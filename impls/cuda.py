"""Why a framework sees no GPU, in one line that says what to do. No framework is imported here."""

import ctypes
import os
from importlib.util import find_spec

CUDA_VERSIONS = range(20, 10, -1)


def why_no_gpu(framework: str, built_for: str | None, build: str) -> str:
    """Return the likeliest reason.

    Args:
        framework: its name and version.
        built_for: the CUDA version of its build, as "12.8" or "13"; None for a build without CUDA.
        build: what to install to have one with CUDA.
    """
    if built_for is None:
        return f"{framework} was built without CUDA: install {build}, or use --device cpu"
    newest = driver_version()
    if newest is None:
        return "the NVIDIA driver's libcuda.so.1 cannot be loaded: install the driver, or use --device cpu"
    words = f"{framework} was built for CUDA {built_for}, and the driver runs CUDA {newest[0]}.{newest[1]}"
    # Within a major version, an older driver runs newer builds.
    if newest[0] < int(built_for.partition(".")[0]):
        return f"{words} at most: update the driver, install a build for CUDA {newest[0]}, or use --device cpu"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
    return f"{words}, yet it sees no GPU: see `nvidia-smi -L` (CUDA_VISIBLE_DEVICES is {visible}), or use --device cpu"


def driver_version() -> tuple[int, int] | None:
    """Return the newest CUDA version that the installed driver runs, as (major, minor); None without a driver."""
    version = ctypes.c_int()
    try:
        status = ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except OSError:
        return None
    return None if status else (version.value // 1000, version.value % 1000 // 10)


def plugin_version(module: str) -> str | None:
    """Return the CUDA version that an installed plugin is for, whose module has it in place of the {}; None without."""
    return next((str(version) for version in CUDA_VERSIONS if find_spec(module.format(version))), None)
