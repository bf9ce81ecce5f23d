"""The machine a run happens on: what it is, and what the workers are told about it. `doctor.py` judges it."""

import csv
import os
import platform
import subprocess
from collections.abc import Iterable
from itertools import chain, takewhile, zip_longest
from pathlib import Path
from typing import Any

import psutil

from harness import probe
from impls import registry

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("execnet", "numpy", "pandas", "pillow", "psutil", "pytest", "pytest-benchmark", "scikit-learn", "scipy")

INHERITED = (
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "LD_PRELOAD",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_PROC_BIND",
    "OMP_THREAD_LIMIT",
    "OMP_WAIT_POLICY",
    "ONEDNN_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
"""Left as the user set them; they change speed or rounding, so those that are set are recorded."""

_SYS = Path("/sys")
_PROC = Path("/proc")


# ---------------------------------------------------------------- what it is


def describe(num_threads: int, device: str = "cpu") -> dict[str, Any]:
    """Return the `environment` of the result document as it is now; the caller renews `load_at_end` at the end.

    Args:
        num_threads: that the workers will be given.
        device: that they will be given.
    """
    commit, is_clean = git_state(ROOT)
    load = load_average()
    return {
        "cpu": cpu_model(),
        "num_physical_cores": psutil.cpu_count(logical=False),
        "num_logical_cores": os.cpu_count() or 1,
        "affinity": available_cpus(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": gpus(),
        "os": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": packages(),
        "commit": commit,
        "commit_is_clean": is_clean,
        "load_at_start": load,
        "load_at_end": load,
        "worker_env": worker_env(num_threads, device),
    }


def load_average() -> list[float]:
    """Return the mean number of running or waiting processes over 1, 5 and 15 minutes."""
    return [round(load, 2) for load in psutil.getloadavg()]


def available_cpus() -> list[int]:
    """Return the logical CPUs that this process may use, in order; all of them where the platform does not say."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores(cpus: Iterable[int]) -> list[list[int]]:
    """Group logical CPUs by physical core; one of which the system says nothing counts as a core of its own."""
    found: dict[str, list[int]] = {}
    for cpu in cpus:
        siblings = read_sys(f"devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        found.setdefault(siblings or str(cpu), []).append(cpu)
    return list(found.values())


def cgroup_folders(controller: str) -> list[Path]:
    """Return where this process's control group and all above it have their files: a limit in any of them binds it.

    In a container the root folder is the container's own, while the path in /proc may be the host's.

    Args:
        controller: "cpu" or "memory"; version 1 has a hierarchy for each, version 2 one for all.
    """
    root = _SYS / "fs/cgroup"
    found = [root, root / controller]
    for line in read_proc("self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or controller in controllers.split(","):
            home = root / controller if controllers else root
            group = home / path.strip("/")
            found += [folder for folder in (group, *group.parents) if folder.is_relative_to(home)]
    return list(dict.fromkeys(found))


def cpu_quota() -> float | None:
    """Return how many CPUs' worth of time the container may use (cgroup v2 or v1); None without a limit."""
    quotas = []
    for folder in cgroup_folders("cpu"):
        version_2 = _read(folder / "cpu.max").split()  # "max 100000" or "150000 100000"
        version_1 = [_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]  # -1: none
        quotas += [
            int(quota[0]) / int(quota[1])
            for quota in (version_2, version_1)
            if len(quota) == 2 and all(number.isdigit() for number in quota)
        ]
    return min(quotas, default=None)


def cpu_throttling() -> tuple[int, int] | None:
    """Return (periods in which the container was paused, periods) since it was made; None where nothing counts them."""
    found = []
    for folder in cgroup_folders("cpu"):
        counts = _counts(folder / "cpu.stat")
        if "nr_throttled" in counts:
            found.append((counts["nr_throttled"], counts["nr_periods"]))
    return max(found, default=None)


def memory_limit() -> int | None:
    """Return how many bytes of memory the container may use (cgroup v2 or v1); None without a limit."""
    return min((limit for limit, _ in _memory_groups()), default=None)


def memory_left() -> int:
    """Return how many bytes can still be had without swapping or exceeding the container's limit."""
    return min([psutil.virtual_memory().available, *(limit - used for limit, used in _memory_groups())])


def _memory_groups() -> list[tuple[int, int]]:
    """Return (limit, use) in bytes of every control group that limits; what the kernel can drop at once is not use."""
    found = []
    for folder in cgroup_folders("memory"):
        for names in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            limit, used = (_read(folder / name) for name in names)
            if limit.isdigit() and int(limit) < psutil.virtual_memory().total:  # version 1 writes a huge one for none
                cache = _counts(folder / "memory.stat")
                droppable = cache.get("total_inactive_file", cache.get("inactive_file", 0))
                found.append((int(limit), int(used or 0) - droppable))
    return found


def cpu_model() -> str:
    """Return the processor's marketing name, or at least its architecture."""
    for line in read_proc("cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        name = _output(["sysctl", "-n", "machdep.cpu.brand_string"])
        if name:
            return name.strip()
    return platform.processor() or platform.machine()


def gpus() -> list[dict[str, Any]]:
    """Return each NVIDIA GPU's name, memory_bytes (None if not told) and driver; [] where `nvidia-smi` finds none."""
    found = []
    for name, memory_mib, driver in nvidia_smi("gpu", "name", "memory.total", "driver_version") or []:
        memory_bytes = int(memory_mib) * 2**20 if memory_mib.isdigit() else None
        found.append({"name": name, "memory_bytes": memory_bytes, "driver": driver})
    return found


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` calls them; [] where there is none."""
    known = [str(index) for index in range(len(gpus()))]
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not known:
        return known
    names = (name.strip() for name in chosen.split(","))
    return list(takewhile(lambda name: name not in ("", "-1"), names))  # CUDA reads no further than that


def nvidia_smi(about: str, *fields: str) -> list[list[str]] | None:
    """Return the values of `fields`, without units; None where there is no `nvidia-smi`, or it knows no such field.

    Args:
        about: "gpu" for a row per GPU, "compute-apps" for a row per process.
        *fields: as `nvidia-smi --help-query-gpu` and `--help-query-compute-apps` call them.
    """
    text = _output(["nvidia-smi", f"--query-{about}={','.join(fields)}", "--format=csv,noheader,nounits"])
    if text is None:
        return None
    return [row for row in csv.reader(text.splitlines(), skipinitialspace=True) if len(row) == len(fields)]


def free_device_bytes(device: str) -> int | None:
    """Return how much of a GPU's memory nobody uses; None for a CPU, or where nothing tells."""
    if kind(device) == "cpu":
        return None
    name = gpu_env(device)["CUDA_VISIBLE_DEVICES"]
    for index, uuid, free_mib in nvidia_smi("gpu", "index", "uuid", "memory.free") or []:
        if name in (index, uuid) and free_mib.isdigit():
            return int(free_mib) * 2**20
    return None


def packages() -> dict[str, str]:
    """Return the versions of the harness's own tools and of everything that belongs to the backends' requirements.

    These are the parent's packages; what other interpreters have, `interpreters.record` tells.
    """
    modules = {module for entry in registry.variants().values() for module in entry.variant.requires}
    return probe.packages(modules, TOOLS)


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return (commit, nothing changed and nothing untracked), or (None, None) if `folder` is not a checkout's root."""
    answer = _output(["git", "-C", str(folder), "rev-parse", "--show-toplevel", "HEAD"])
    if answer is None:
        return None, None
    top, commit = answer.splitlines()
    if Path(top).resolve() != folder.resolve():  # an installed copy that happens to lie inside another project
        return None, None
    status = _output(["git", "-C", str(folder), "status", "--porcelain"])
    return commit, None if status is None else not status.strip()


# ---------------------------------------------------------------- what the workers are told


def default_num_threads() -> int:
    """Return how many threads to use if nobody says: one per physical core that this process may use."""
    limits = [len(cores(available_cpus())), psutil.cpu_count(logical=False), cpu_quota()]
    return max(1, int(min(limit for limit in limits if limit)))


def kind(device: str) -> str:
    """Return "cpu" or "gpu", of a device that may be one of several: "gpu:1"."""
    return device.partition(":")[0]


def worker_env(num_threads: int, device: str = "cpu") -> dict[str, str]:
    """Return the environment variables that a worker gets before it imports a framework.

    Raises:
        ValueError: fewer than one thread.
    """
    env = thread_env(num_threads) | gpu_env(device)
    # hide TensorFlow's start-up notes, but keep its warnings and errors for the cell's stderr_tail
    env["TF_CPP_MIN_LOG_LEVEL"] = "1"
    return env | {name: os.environ[name] for name in INHERITED if name in os.environ}


def gpu_env(device: str) -> dict[str, str]:
    """Return the environment variables that leave a framework one GPU, or on a CPU none, whatever it was built for.

    The first GPU is 0, in the order of `nvidia-smi`; among those of the user's `CUDA_VISIBLE_DEVICES`, if that is set.
    """
    if kind(device) == "cpu":
        return {"CUDA_VISIBLE_DEVICES": ""}
    index = int(device.partition(":")[2] or 0)
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    name = str(index) if chosen is None else chosen.split(",")[index].strip()
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": name}


def thread_env(num_threads: int) -> dict[str, str]:
    """Return the environment variables that set the number of threads; each that the user set is overridden.

    Raises:
        ValueError: fewer than one thread.
    """
    _check(num_threads)
    threads = str(num_threads)
    return {
        # OpenMP: PyTorch's own kernels, and oneDNN within it
        "OMP_NUM_THREADS": threads,
        # OpenMP and MKL may otherwise start fewer threads than asked for when they think that the machine is busy
        "OMP_DYNAMIC": "FALSE",
        "MKL_DYNAMIC": "FALSE",
        # matrix products: MKL in PyTorch, OpenBLAS in NumPy and SciPy, Accelerate in both on macOS
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "VECLIB_MAXIMUM_THREADS": threads,
        # pandas and others may evaluate through numexpr, which starts a pool when it is imported
        "NUMEXPR_NUM_THREADS": threads,
        # TensorFlow: within an operation, and operations side by side; the affinity keeps both pools on the same cores
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        # size of the thread pool that XLA's CPU client makes; it reads none of the above, and has no flag for it
        "NPROC": threads,
    }


def choose_cpus(num_threads: int) -> list[int] | None:
    """Return the CPUs to bind a worker to: `num_threads` that this process may use, or all if there are fewer.

    The first CPU of every physical core comes before any core's second. Threads that a framework starts in spite of
    `worker_env` then share these CPUs, so that no variant gets more.

    Returns:
        None where the platform cannot bind processes (macOS, Windows).

    Raises:
        ValueError: fewer than one thread.
    """
    _check(num_threads)
    if not hasattr(os, "sched_setaffinity"):
        return None
    by_core = chain.from_iterable(zip_longest(*cores(available_cpus())))
    return sorted([cpu for cpu in by_core if cpu is not None][:num_threads])


def _check(num_threads: int) -> None:
    if num_threads < 1:
        raise ValueError(f"the number of threads must be at least 1, not {num_threads}")


# ---------------------------------------------------------------- where that is read


def read_sys(name: str) -> str:
    """Return the text of a file below /sys, or "" where there is none."""
    return _read(_SYS / name)


def read_sys_all(pattern: str) -> list[str]:
    """Return the texts of all files below /sys that match, in order of their names."""
    return [_read(path) for path in sorted(_SYS.glob(pattern))]


def read_proc(name: str) -> str:
    """Return the text of a file below /proc, or "" where there is none."""
    return _read(_PROC / name)


def _read(path: Path) -> str:
    """Return a small file's text, or "" where there is no such file: /proc and /sys differ between systems."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _counts(path: Path) -> dict[str, int]:
    """Return what a file with a name and a number on each line counts."""
    lines = [line.split() for line in _read(path).splitlines()]
    return {line[0]: int(line[1]) for line in lines if len(line) == 2}


def _output(command: list[str]) -> str | None:
    """Return what a command prints, or None where it is not installed, fails, or hangs."""
    try:
        # git would take these, which it sets for its hooks, for the checkout to look at
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, env=env)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
