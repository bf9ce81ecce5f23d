"""The folder of a run: one process's own, with what was measured so far, whatever becomes of the process."""

import fcntl
import itertools
import os
import time
from pathlib import Path
from typing import Any, Self

from harness import results

RESULTS = "results.json"
PARTIAL = "partial.json"
"""The block of the nets that are finished, as long as the run goes on, and of a run that was killed."""
LOCK = ".running"
NUM_TRIES = 10


class InUseError(Exception):
    """Another process has the folder."""


class RunFolder:
    """A folder below `parent` that this process has locked. The kernel ends the lock with the process, however it ends.

    Attributes:
        path: whose name is the run's id.
    """

    def __init__(self, path: Path) -> None:
        """Lock an existing folder; raises InUseError."""
        self.path = path
        self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        for _ in range(NUM_TRIES):  # another run that looks whether this one goes on holds the lock for a moment
            if _has_locked(self._lock, fcntl.LOCK_EX):
                return
            time.sleep(0.01)
        os.close(self._lock)
        raise InUseError(f"the run {path.name} is still going on")

    @classmethod
    def make(cls, parent: Path, name: str) -> Self:
        """Make a folder. Of runs that begin in the same second, the later ones' names end in -2, -3 and so on."""
        for number in itertools.count(1):
            path = parent / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            return cls(path)
        raise AssertionError("there is always another number")

    def keep(self, block: dict[str, Any]) -> None:
        """Write down what was measured so far."""
        results.write_atomically(self.path / PARTIAL, results.dumps({"likeforlike": block}))

    def others(self) -> set[str]:
        """Return the ids of the other runs that go on beside this folder at the moment."""
        folders = (lock.parent for lock in self.path.parent.glob(f"*/{LOCK}"))
        own = (self.path, self.path.parent / "latest")
        return {folder.name for folder in folders if folder not in own and _is_held(folder / LOCK)}

    def release(self) -> None:
        """Give the folder back; one with nothing in it is removed, and so is `PARTIAL` beside the whole results."""
        if (self.path / RESULTS).exists():
            (self.path / PARTIAL).unlink(missing_ok=True)
        (self.path / LOCK).unlink(missing_ok=True)
        os.close(self._lock)
        if not any(self.path.iterdir()):
            self.path.rmdir()


def _is_held(lock: Path) -> bool:
    """Tell whether a process holds the lock."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return False  # just released
    try:
        return not _has_locked(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _has_locked(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
