"""Starts workers, talks to them, times them out and buries them. What runs inside one is `worker.py`."""

import contextlib
import ctypes
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import execnet
import psutil

from harness import environment
from impls.registry import Entry

ROOT = Path(__file__).resolve().parent.parent

# The source that an interpreter without this project on its path runs first.
BOOTSTRAP = """
import sys
sys.path.insert(0, {root!r})
from harness.worker import serve
serve(channel, {stderr!r}, {parent})
"""

M_ARENA_MAX = -8  # its number in glibc's malloc.h


def share_one_heap() -> None:
    """Let all threads of this process allocate from one heap.

    Each worker's connection has a thread here, glibc gives each thread a heap of its own, and each heap keeps about
    what the largest message took. A C library without this setting has no such heaps to merge.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


Failure = Literal["crashed", "timed out", "failed", "broken"]


class WorkerError(Exception):
    """What a worker did instead of answering; it costs the cell and nothing else.

    Attributes:
        status: the cell's status in the result document.
        stderr_tail: the last lines that the worker wrote to standard error.
    """

    def __init__(self, status: Failure, reason: str, stderr_tail: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.stderr_tail = stderr_tail


class Worker:
    """A process of its own for one variant. Use it as a context manager: it never outlives the block.

    After `start`, `facts` holds what the runtime reported: device, versions, flags, `import_s`. `cache` is the folder
    of the framework's compile cache, which is off without it.
    """

    def __init__(
        self, entry: Entry, num_threads: int, device: str, python: str = sys.executable, cache: str | None = None
    ) -> None:
        self.entry = entry
        self.cache = cache
        self.num_threads = num_threads
        self.device = device
        self.python = python
        self.pid: int | None = None
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        # Removed with its content here, in the parent: a worker that is killed cleans nothing up.
        self._folder = tempfile.TemporaryDirectory(prefix="likeforlike-worker-", ignore_cleanup_errors=True)
        self._stderr = Path(self._folder.name) / "stderr"
        self._group = execnet.Group()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._group.terminate(timeout=1)
        self._folder.cleanup()

    def start(self, timeout_s: float = 120) -> dict[str, Any]:
        """Start the process and import the framework.

        Raises:
            WorkerError: the process ended, hung or raised, or a second framework was found in it.
        """
        try:
            gateway = self._group.makegateway(f"popen//python={self.python}")
        except OSError as error:
            raise self._error("failed", f"cannot start {self.python}: {error.strerror}") from error
        source = BOOTSTRAP.format(root=str(ROOT), stderr=str(self._stderr), parent=os.getpid())
        self._channel = gateway.remote_exec(source)
        self.pid = self._receive("start", timeout_s)["pid"]
        cpus = environment.choose_cpus(self.num_threads)
        self.facts = self.call(
            "start",
            timeout_s,
            backend=self.entry.backend,
            variant=self.entry.name,
            num_threads=self.num_threads,
            device=self.device,
            cpus=cpus,
            env=environment.worker_env(self.num_threads),
            scratch=self._folder.name,
            cache=self.cache,
        )
        if self.facts["foreign"]:
            raise self._error("failed", f"other frameworks were imported as well: {', '.join(self.facts['foreign'])}")
        if self.facts["device"] != self.device:
            raise self._error("failed", f"asked for {self.device}, ran on {self.facts['device']}")
        return self.facts

    def call(self, name: str, /, timeout_s: float = 120, **arguments: Any) -> Any:
        """Call a method of `worker.Worker` there and return its answer.

        Raises:
            WorkerError: it raised ("failed"), ended ("crashed") or did not answer in time ("timed out"; then the
                process is killed, since nothing can be known about it any more).
        """
        try:
            self._channel.send({"call": name, "arguments": arguments})
        except OSError as error:
            raise self._error("crashed", f"{self._exit_words()} before {name}") from error
        reply = self._receive(name, timeout_s)
        if "error" in reply:
            # A backend or a model file that cannot even be imported is broken; all else is an error of this run.
            status: Failure = "broken" if name in ("start", "load") else "failed"
            raise self._error(status, f"{reply['error']} (in {name})")
        return reply["value"]

    def _receive(self, name: str, timeout_s: float) -> Any:
        try:
            return self._channel.receive(timeout=timeout_s)
        except self._channel.TimeoutError as error:
            self.kill()
            raise self._error("timed out", f"no answer within {timeout_s:g} s in {name}; killed") from error
        except EOFError as error:
            raise self._error("crashed", f"{self._exit_words()} in {name}") from error
        except self._channel.RemoteError as error:
            raise self._error("failed", str(error).strip().splitlines()[-1]) from error

    def is_alive(self) -> bool:
        """Tell whether the process still runs."""
        return self.pid is not None and self._popen().poll() is None

    def _popen(self) -> Any:
        return self._group[0]._io.popen  # execnet keeps the exit status nowhere else

    def kill(self) -> None:
        """End the process and its children at once."""
        if self.pid is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            for child in process.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()

    def stderr_tail(self, num_characters: int = 4000) -> str:
        """Return the end of what the worker wrote to standard error, so far."""
        with contextlib.suppress(OSError), self._stderr.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - num_characters))
            return file.read().decode(errors="replace")
        return ""

    def _exit_words(self) -> str:
        """Say how the process ended."""
        deadline = time.monotonic() + 5
        while (code := self._popen().poll()) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if code is None:
            return "the worker closed its connection"
        if code == -signal.SIGKILL:
            return "the worker was ended by SIGKILL, as the kernel does when memory runs out,"
        if code < 0:
            return f"the worker was ended by {signal.Signals(-code).name}"
        return f"the worker ended with exit status {code}"

    def _error(self, status: Failure, reason: str) -> WorkerError:
        return WorkerError(status, reason, self.stderr_tail())
