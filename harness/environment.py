"""The machine a run happens on: what it is, what the workers are told about it, and what on it would blur the times."""

import csv
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from impls import registry

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("execnet", "numpy", "pandas", "pillow", "psutil", "pytest", "pytest-benchmark", "scikit-learn", "scipy")

INHERITED = (
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "LD_PRELOAD",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_PROC_BIND",
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


def describe(num_threads: int) -> dict[str, Any]:
    """Return the `environment` of the result document as it is now; the caller renews `load_at_end` at the end.

    Args:
        num_threads: that the workers will be given.
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
        "worker_env": worker_env(num_threads),
    }


def load_average() -> list[float]:
    """Return the mean number of running or waiting processes over 1, 5 and 15 minutes."""
    return [round(load, 2) for load in psutil.getloadavg()]


def available_cpus() -> list[int]:
    """Return the logical CPUs that this process may use, in order; all of them where the platform does not say."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cpu_quota() -> float | None:
    """Return how many CPUs' worth of time the container may use (cgroup v2 or v1); None without a limit."""
    version_2 = _read(_SYS / "fs/cgroup/cpu.max").split()  # "max 100000" or "150000 100000"
    version_1 = [_read(_SYS / f"fs/cgroup/cpu/cpu.cfs_{name}_us").strip() for name in ("quota", "period")]  # -1: none
    for quota in (version_2, version_1):
        if len(quota) == 2 and all(number.isdigit() for number in quota):
            return int(quota[0]) / int(quota[1])
    return None


def cpu_model() -> str:
    """Return the processor's marketing name, or at least its architecture."""
    for line in _read(_PROC / "cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        name = _output(["sysctl", "-n", "machdep.cpu.brand_string"])
        if name:
            return name.strip()
    return platform.processor() or platform.machine()


def gpus() -> list[dict[str, Any]]:
    """Return each NVIDIA GPU's name, memory_bytes (None if not told) and driver; [] where `nvidia-smi` finds none."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    found = []
    for row in csv.reader((_output(query) or "").splitlines(), skipinitialspace=True):
        if len(row) == 3:
            name, memory_mib, driver = row
            memory_bytes = int(memory_mib) * 2**20 if memory_mib.isdigit() else None
            found.append({"name": name, "memory_bytes": memory_bytes, "driver": driver})
    return found


def packages() -> dict[str, str]:
    """Return the versions of the harness's own tools and of everything that belongs to the backends' requirements.

    A distribution belongs to a required module when its name begins with the module's: a framework's compiled part or
    its build for one device is often a distribution of its own. These are the parent's packages; a backend with an
    interpreter of its own reports its versions in its cells.
    """
    modules = {module for entry in registry.variants().values() for module in entry.variant.requires}
    prefixes = tuple(module.replace("_", "-") for module in modules)
    found = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name in TOOLS or name.startswith(prefixes):
            found[name] = distribution.version
    return dict(sorted(found.items()))


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
    limits = [len(available_cpus()), psutil.cpu_count(logical=False), cpu_quota()]
    return max(1, int(min(limit for limit in limits if limit)))


def worker_env(num_threads: int) -> dict[str, str]:
    """Return the environment variables that a worker gets before it imports a framework.

    Raises:
        ValueError: fewer than one thread.
    """
    _check(num_threads)
    threads = str(num_threads)
    env = {
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
        # hide TensorFlow's start-up notes, but keep its warnings and errors for the cell's stderr_tail
        "TF_CPP_MIN_LOG_LEVEL": "1",
    }
    return env | {name: os.environ[name] for name in INHERITED if name in os.environ}


def choose_cpus(num_threads: int) -> list[int] | None:
    """Return the CPUs to bind a worker to: the first `num_threads` that this process may use, all if there are fewer.

    Threads that a framework starts in spite of `worker_env` then share these cores, so that no variant gets more.

    Returns:
        None where the platform cannot bind processes (macOS, Windows).

    Raises:
        ValueError: fewer than one thread.
    """
    _check(num_threads)
    return available_cpus()[:num_threads] if hasattr(os, "sched_setaffinity") else None


def _check(num_threads: int) -> None:
    if num_threads < 1:
        raise ValueError(f"the number of threads must be at least 1, not {num_threads}")


# ---------------------------------------------------------------- what would blur the times


def warnings(num_threads: int) -> list[str]:
    """Return what on this machine would blur the times now, one line each with its remedy."""
    found = []
    num_cpus, load, quota = len(available_cpus()), load_average()[0], cpu_quota()
    if num_threads > num_cpus:
        found.append(
            f"{num_threads} threads on {num_cpus} available CPUs wait for each other: use --threads {num_cpus} or fewer"
        )
    if load >= 0.5 and load + num_threads > num_cpus:
        found.append(
            f"load average {load:.1f} + {num_threads} threads exceed the {num_cpus} available CPUs: close other "
            "programs, wait until they end, or lower --threads"
        )
    if quota is not None and quota < num_threads:
        found.append(
            f"the container may use only {quota:g} CPUs' worth of time and is paused when {num_threads} threads use it "
            "up: raise its CPU limit or lower --threads"
        )
    governors = {_read(path).strip() for path in _SYS.glob("devices/system/cpu/cpu*/cpufreq/scaling_governor")}
    slow = sorted(governors - {"performance", ""})
    if slow:
        found.append(
            f"the CPU frequency governor is {' and '.join(slow)}, so that clocks rise and fall with the load: "
            "run `sudo cpupower frequency-set -g performance`"
        )
    # psutil lacks the function on some platforms
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is not None and battery.power_plugged is False:
        found.append("the machine runs on battery, which lowers its clocks: plug it in")
    return found


def _read(path: Path) -> str:
    """Return a small file's text, or "" where there is no such file: /proc and /sys differ between systems."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _output(command: list[str]) -> str | None:
    """Return what a command prints, or None where it is not installed, fails, or hangs."""
    try:
        # git would take these, which it sets for its hooks, for the checkout to look at
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, env=env)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
