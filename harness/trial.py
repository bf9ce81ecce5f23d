"""`gpu-trial`: the whole project on a GPU machine that is lent for minutes.

One run of `pytest --benchmark` certifies and times whatever frameworks are installed there. It is stopped in time, as
by Ctrl-C: what it has measured by then is kept and reported.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.folders import RESULTS
from harness.results import ResultError, load

STOP_S = 45.0
"""What a run that was told to stop may take to end its workers and to write its report."""

LEAST_MINUTES = 2 * STOP_S / 60

INTERRUPTED = 2
"""pytest's exit status after Ctrl-C."""


def run(out: Path, minutes: float, options: Sequence[str]) -> tuple[int, dict | None]:
    """Measure for so many minutes at most, the report included.

    Args:
        out: the folder that the run's own folder is made in, with `latest` beside it.
        minutes: after which nothing runs any more.
        options: of `pytest --benchmark`.

    Returns:
        The exit status (0, or 1 if something was refused or nothing was measured), and the result document; None
        without one.
    """
    command = [sys.executable, "-m", "pytest", "--benchmark", *options, f"--report-dir={out.absolute()}"]
    before = _latest(out)
    # A session of its own: Ctrl-C at the terminal would reach it twice.
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], start_new_session=True) as process:
        status = _wait(process, 60 * minutes)
    folder = _latest(out)
    if folder is None or folder == before:
        return 1, None
    try:
        document = load(folder / RESULTS)
    except ResultError:
        return 1, None
    return (0 if status == INTERRUPTED else status), document


def _latest(out: Path) -> Path | None:
    link = out / "latest"
    return link.resolve() if link.is_symlink() else None


def _wait(process: subprocess.Popen, budget_s: float) -> int:
    """Return a run's exit status; when its time is over, or on Ctrl-C, tell it to stop, and if it does not, kill it."""
    try:
        return process.wait(budget_s - STOP_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.terminate()  # not SIGINT, which a shell's background jobs ignore, and all that they start
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()
