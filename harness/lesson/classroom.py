"""The lesson step by step, as a class goes through it: measured when asked for, and judged by the page's rules.

`notebooks/lesson.py` is the notebook. What is measured is an ordinary run, so that its report and its lesson's page can
be written at any time.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from harness import audit, options, summary
from harness.folders import RunFolder
from harness.lesson import EXPERIMENTS, sources
from harness.lesson.runner import AUDIT_S, LECTURE, NET, Lesson
from harness.options import OptionError
from harness.progress import Display
from harness.run import Run
from harness.workers import ROOT
from reports import lesson as page
from reports import render
from reports.lesson import amortisation, cells, measured
from reports.lesson.cards import Card
from reports.lesson.cells import Shown

EXPERIMENTS_OF = {"lesson": tuple(EXPERIMENTS), "quick": ("python_runs", "per_op", "asynchrony")}
"""By preset. A notebook can ask for the others too; they are no part of what the preset promises to take."""

RUNS = ROOT / "reports" / "runs"

TIMES = {"step_s": "step_time_s", "low_s": "step_time_low_s", "high_s": "step_time_high_s"}
STAGES = ("import_s", "build_s", "trace_s", "compile_s", "first_step_s", "second_step_s")


class Classroom:
    """A run of the two-layer net and of the lesson's experiments, each when a cell asks for it.

    What was measured is kept: whoever asks again is shown the same figures. An experiment that is interrupted is
    measured anew when it is asked for again, and so is the net.

    Args:
        preset: "lesson" times every as-written variant; "quick" the headline ones, and does less of everything.

    Raises:
        OptionError: there is no such preset.
    """

    def __init__(self, preset: str = "lesson") -> None:
        if preset not in EXPERIMENTS_OF:
            raise OptionError(f"unknown preset {preset!r}; choose from {', '.join(EXPERIMENTS_OF)}")
        self.preset = preset
        self.run = self._new_run()

    def _new_run(self) -> Run:
        values = options.DEFAULTS | {"preset": self.preset, "models": NET}
        settings = options.parse(argparse.Namespace(**values))
        preset = replace(settings.pop("preset"), with_lesson=True, shares_workers=False)
        command = f"LIKEFORLIKE_PRESET={self.preset} python notebooks/lesson.py"
        return Run(preset, **settings, command=command, requested=values)

    @property
    def lesson(self) -> Lesson:
        """What measures the experiments."""
        assert self.run.lesson is not None
        return self.run.lesson

    @property
    def results(self) -> measured.Lesson:
        """What was measured so far, as the lesson's page reads it."""
        return measured.Lesson(self.run.block())

    @property
    def others(self) -> list[str]:
        """The experiments of the preset that are still to be measured."""
        return [name for name in EXPERIMENTS_OF[self.preset] if name in self.lesson.unfinished]

    @contextmanager
    def _measuring(self, expected_s: float) -> Iterator[None]:
        """Show the progress of one cell; after an interrupt, go on with what is finished, in new processes.

        The time between two cells is the class's, so each has a display of its own.
        """
        display = self.run.display = self.lesson.display = Display(sys.stdout)
        display.expect(expected_s)
        display.open()
        try:
            yield
        except KeyboardInterrupt:
            block = self.run.block()
            self.close()
            self.run = self._new_run()
            self.run.take_over(block)
            raise
        finally:
            display.close()

    def printed(self) -> Shown:
        """Return the lecture's two programs side by side, as they are printed."""
        return cells.side_by_side(
            {one.title: sources.function(LECTURE / f"{one.file}.py", "train") for one in audit.PROGRAMS[:2]}
        )

    def audit(self) -> list[dict[str, Any]]:
        """Run the lecture's programs; see `Lesson.run_audit`."""
        with self._measuring(AUDIT_S):
            return self.lesson.run_audit()

    def sources(self, tag: str) -> Shown:
        """Return one step of the net in every headline framework, side by side: one of `sources.TAGS`."""
        backends = dict.fromkeys(entry.backend for entry in self.run.variants if entry.variant.headline)
        found = [of_backend[NET] for of_backend in sources.sources(backends, NET).values()]
        return cells.side_by_side({one["title"]: one["sections"][tag] for one in found})

    def time_net(self) -> pd.DataFrame:
        """Certify and time the net's training step, and return those that passed.

        Returns:
            By variant: its mode; the seconds of a step, `step_s`, with the ends of their interval; and those of each
            cold stage (`import_s`, `build_s`, `trace_s`, `compile_s`, `first_step_s`, `second_step_s`).
        """
        if self.run.unfinished():
            with self._measuring(self.run.expected_s(NET)):
                self.run.measure(NET)
        rows = [
            [
                cell["variant"],
                cell["mode"],
                *(cell[key] for key in TIMES.values()),
                *(cell["stages"][key] for key in STAGES),
            ]
            for cell in amortisation.started(self.results)
        ]
        return pd.DataFrame(rows, columns=["variant", "mode", *TIMES, *STAGES]).set_index("variant")

    def measure(self, name: str) -> pd.DataFrame:
        """Measure an experiment; return a row a way: framework, way, mode, and what `harness/lesson/NAME.py` says."""
        if name in self.lesson.unfinished:
            with self._measuring(EXPERIMENTS[name].expected_s):
                self.lesson.measure(name)
        rows = [
            {"framework": one.framework, "way": one.way, "mode": one.mode, **one.values}
            for one in self.results.of(name)
        ]
        return pd.DataFrame(rows)

    def card(self, name: str) -> Card:
        """Return the page's card of an experiment, made from what was measured so far."""
        return importlib.import_module(f"reports.lesson.{name}").card(self.results)

    def ask(self, name: str) -> Shown:
        """Return the claim of a card and its question, which a class answers before it measures."""
        return cells.question(self.card(name))

    def verdict(self, name: str) -> Shown:
        """Return what became of the claim, by the page's rule, and why."""
        return cells.verdict(self.card(name), self.results.absent(name))

    def verdicts(self) -> pd.DataFrame:
        """Return the claims with what became of them, by the name of the card, in the order of the page."""
        results = self.results
        cards = [module.card(results) for _, modules in page.PARTS for module in modules]
        rows = [[card.id, card.claim, card.verdict.outcome, Markup(card.verdict.text).striptags()] for card in cards]
        return pd.DataFrame(rows, columns=["card", "claim", "outcome", "verdict"]).set_index("card")

    def save(self) -> Path:
        """Write results, report and the lesson's page into a folder of their own below `RUNS`; return the page."""
        folder = RunFolder.make(RUNS, self.run.id)
        try:
            summary.write({"likeforlike": self.run.block()}, folder.path, render.render)
        finally:
            folder.release()
        return folder.path / summary.LESSON

    def close(self) -> None:
        """End the processes that experiments share."""
        self.run.close()
