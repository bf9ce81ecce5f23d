"""Starts workers, talks to them, times them out and buries them. What runs inside one is `worker.py`."""

import contextlib
import ctypes
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import execnet
from execnet.gateway_bootstrap import HostNotFound

from harness import environment, places
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

    After `start`, `facts` holds what the runtime reported: device, versions, flags, `import_s`. `device` is "cpu",
    "gpu" or "gpu:1". `cache` is the folder of the framework's compile cache, which is off without it. `precision` is
    one of `impls.contract.PRECISIONS`.
    """

    def __init__(
        self, entry: Entry, num_threads: int, device: str, cache: str | None = None, precision: str = "fp32"
    ) -> None:
        self.entry = entry
        self.precision = precision
        self.cache = cache
        self.num_threads = num_threads
        self.device = environment.kind(device)
        self._settings = {"num_threads": num_threads, "device": device}
        self.place = places.of(entry)
        self.python = sys.executable if entry.interpreter is None else entry.interpreter.python
        self.pid: int | None = None
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        # Removed with its content by the parent: a worker that is killed cleans nothing up.
        self._folder: str = self._ask("make_folder")
        self._stderr = f"{self._folder}/stderr"
        self._group = execnet.Group()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._group.terminate(timeout=1)
        with contextlib.suppress(ConnectionError):  # what holds the folder of a lost machine removes it there
            self.place.ask("remove", folder=self._folder)

    def start(self, timeout_s: float = 120) -> dict[str, Any]:
        """Start the process and import the framework.

        Raises:
            WorkerError: the process ended, hung or raised, or a second framework was found in it.
        """
        try:
            gateway = self._group.makegateway(self.place.gateway(self.python))
            source = BOOTSTRAP.format(root=self.place.root, stderr=self._stderr, parent=self.place.parent)
            self._channel = gateway.remote_exec(source)
        except (OSError, HostNotFound) as error:
            raise self._error("failed", f"cannot start {self.python}: {error}") from error
        self.pid = self._receive("start", timeout_s)["pid"]
        self.facts = self.call(
            "start",
            timeout_s,
            backend=self.entry.backend,
            variant=self.entry.name,
            num_threads=self.num_threads,
            device=self.device,
            precision=self.precision,
            scratch=self._folder,
            cache=self.cache,
            **self._ask("settings", **self._settings),
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
        if self.pid is not None:
            with contextlib.suppress(ConnectionError):  # then it ends with the connection
                self.place.ask("kill", pid=self.pid)

    def stderr_tail(self, num_bytes: int = 4000) -> str:
        """Return the end of what the worker wrote to standard error, so far."""
        with contextlib.suppress(ConnectionError):  # it is lost with the machine
            return self.place.ask("tail", path=self._stderr, num_bytes=num_bytes)
        return ""

    def _ask(self, task: str, **arguments: Any) -> Any:
        try:
            return self.place.ask(task, **arguments)
        except ConnectionError as error:
            raise WorkerError("crashed", str(error), "") from error

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
