"""What a worker's parent does on the worker's machine: here, or elsewhere in a process that `places` has started."""

import contextlib
import os
import shutil
import tempfile
from typing import Any

import psutil

from harness import environment

FACTS = ("cpu", "num_physical_cores", "num_logical_cores", "affinity", "memory_bytes", "gpus", "os", "worker_env")
"""What the result document says about a machine elsewhere, of that about this one."""


def make_folder() -> str:
    """Make an empty folder, and return its path."""
    return tempfile.mkdtemp(prefix="likeforlike-worker-")


def remove(folder: str) -> None:
    """Remove a folder with all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def tail(path: str, num_bytes: int) -> str:
    """Return the end of a text file, "" if there is none."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - num_bytes))
        return file.read().decode(errors="replace")
    return ""


def kill(pid: int) -> None:
    """End a process and its children at once."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        process.kill()


def settings(num_threads: int, device: str) -> dict[str, Any]:
    """Return what a worker is told before it imports a framework: the CPUs that are its own, and its environment."""
    return {"cpus": environment.choose_cpus(num_threads), "env": environment.worker_env(num_threads, device)}


def machine(num_threads: int, device: str) -> dict[str, Any]:
    """Return what there is to know about the machine."""
    found = environment.describe(num_threads, device)
    return {fact: found[fact] for fact in FACTS}
