"""Says what runs, what is left and about how long: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn


class Display:
    """Progress over stages of known weight (their expected seconds).

    The time left is the expected seconds of what is left, times how the run has kept to them so far.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        file = file or sys.stderr
        # A notebook is no terminal, whatever FORCE_COLOR says there: it has no cursor to move.
        is_terminal = file.isatty()
        self.console = Console(
            file=file, highlight=False, soft_wrap=True, force_terminal=is_terminal, force_jupyter=False
        )
        self._started = time.monotonic()
        self._expected_s = 0.0
        self._done_s = 0.0
        self._current_s = 0.0
        self._bar: Progress | None = None

    def expect(self, seconds: float) -> None:
        """Add to what the whole run is expected to take."""
        self._expected_s += seconds

    def open(self) -> None:
        """Show the live line (on a terminal; elsewhere stages print lines of their own)."""
        if self._done_s == 0:
            self._started = time.monotonic()
        if self.console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._task = self._bar.add_task("starting", total=self._expected_s, left="")
            self._bar.start()
        else:
            self.console.print()

    def stage(self, text: str, expected_s: float) -> None:
        """Say what starts now; the stage before it is done."""
        self._done_s += self._current_s
        self._current_s = expected_s
        self.update(text, 0.0)
        if self._bar is None:
            self.console.print(f"[{self.elapsed_s:5.0f} s] {text} ({self.left()})", markup=False)

    def update(self, text: str, fraction: float) -> None:
        """Move on within the stage; `fraction` of it is done."""
        done_s = self._done_s + min(fraction, 1.0) * self._current_s
        if self._bar is not None:
            self._bar.update(self._task, description=text, completed=done_s, left=self.left())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first `open`."""
        return time.monotonic() - self._started

    def left(self) -> str:
        """Return the estimate in words."""
        # The first stages say little about the pace; trust the expectation until a tenth is done.
        pace = self.elapsed_s / self._done_s if self._done_s > 0.1 * self._expected_s else 1.0
        left_s = (self._expected_s - self._done_s) * pace
        if left_s <= 0:
            return "taking longer than expected"
        return f"about {left_s:.0f} s left" if left_s < 90 else f"about {left_s / 60:.0f} min left"

    def close(self) -> None:
        """Take the live line away."""
        self._done_s += self._current_s
        self._current_s = 0.0
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
