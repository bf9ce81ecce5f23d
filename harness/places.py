"""Where workers run: on this machine, or on another one that ssh reaches.

The sources are sent there once, to a folder that is removed when this process ends.
"""

import os
import shlex
import threading
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import execnet
from execnet.gateway_bootstrap import HostNotFound

from harness import probe, steward
from harness.environment import ROOT
from impls.registry import Entry

ELSEWHERE = "ssh="
"""How the path of an interpreter begins that is execnet's specification of one on another machine."""

ROOMS = ("impls", "harness")
ANSWER_TIMEOUT_S = 60.0

KEEP = """
import shutil, sys, tempfile
root = tempfile.mkdtemp(prefix="likeforlike-")
try:
    channel.send(root)
    channel.receive()  # the sources are there
    sys.path.insert(0, root)
    tempfile.tempdir = root
    from harness import steward
    for task, arguments in channel:
        channel.send(getattr(steward, task)(**arguments))
finally:
    shutil.rmtree(root, ignore_errors=True)
"""


class Here:
    """This machine."""

    @property
    def root(self) -> str:
        """The folder of the sources."""
        return str(ROOT)

    @property
    def parent(self) -> str:
        """An expression for the id of the process that a worker must not outlive."""
        return str(os.getpid())

    def gateway(self, python: str) -> str:
        """Return how execnet starts an interpreter."""
        return f"popen//python={shlex.quote(python)}"

    def ask(self, task: str, **arguments: Any) -> Any:
        """Call a function of `steward`."""
        return getattr(steward, task)(**arguments)


class Elsewhere(Here):
    """A machine that ssh reaches, as one of its interpreters sees it."""

    def __init__(self, python: str) -> None:
        """Connect.

        Raises:
            ConnectionError: that cannot be done.
        """
        self._lock = threading.Lock()
        try:
            self._gateway = execnet.Group().makegateway(python)
        except (HostNotFound, OSError, ValueError, AssertionError) as error:
            raise ConnectionError("cannot be reached") from error

    def gateway(self, python: str) -> str:
        """Return how execnet starts an interpreter."""
        return python

    def probe(self, modules: list[str]) -> dict[str, Any]:
        """Return what `probe.describe` does there; raises ConnectionError."""
        source = Path(probe.__file__).read_text(encoding="utf-8")
        return self._receive(self._execute(f"{source}\nchannel.send(describe({modules!r}))"))

    def ask(self, task: str, **arguments: Any) -> Any:
        """Call a function of `steward` there; raises ConnectionError."""
        with self._lock:
            channel, _ = self._steward
            try:
                channel.send((task, arguments))
            except OSError as error:
                raise ConnectionError("the connection to the other machine is lost") from error
            return self._receive(channel)

    @property
    def root(self) -> str:
        """The folder of the sources there."""
        return self._steward[1]

    @property
    def parent(self) -> str:
        """An expression for the id of the process that a worker must not outlive there: what ssh has started."""
        return "__import__('os').getppid()"

    @cached_property
    def _steward(self) -> tuple[Any, str]:
        """Send the sources there; returns the channel to what holds them, and their folder."""
        channel = self._execute(KEEP)
        root = self._receive(channel)
        for room in ROOMS:
            sources = Sources(ROOT / room, verbose=False)
            sources.add_target(self._gateway, f"{root}/{room}")
            sources.send()
        channel.send(None)
        return channel, root

    def _execute(self, source: str) -> Any:
        try:
            return self._gateway.remote_exec(source)
        except OSError as error:  # what was started has ended
            raise ConnectionError("no Python answers there") from error

    def _receive(self, channel: Any) -> Any:
        try:
            return channel.receive(timeout=ANSWER_TIMEOUT_S)
        except (EOFError, channel.TimeoutError) as error:
            raise ConnectionError("no Python answers there") from error
        except channel.RemoteError as error:
            raise ConnectionError(str(error).strip().splitlines()[-1]) from error


class Sources(execnet.RSync):
    """The files of a room, without what Python made of them."""

    def filter(self, path: str) -> bool:
        """Tell whether a file or folder is to be sent."""
        return not path.endswith("__pycache__")


HERE = Here()
elsewhere = cache(Elsewhere)


def of(entry: Entry) -> Here:
    """Return where a variant runs."""
    return elsewhere(entry.interpreter.python) if entry.interpreter and is_elsewhere(entry) else HERE


def is_elsewhere(entry: Entry) -> bool:
    """Tell whether a variant runs on another machine."""
    return entry.interpreter is not None and entry.interpreter.python.startswith(ELSEWHERE)
