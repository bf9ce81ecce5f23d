"""The lesson's block of a result document, cut the way its cards ask for it."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reports import numbers
from reports.lanes import sign_test_interval
from reports.sections import Cell, Comparison, Document, sections

Record = dict[str, Any]

NET, PHASE = "two_layer", "train_step"
LEAST_WIDTH = 0.005
EAGER_WORDS = ("eager", "numpy", "keras.ops")
COMPILED_WORDS = ("jit", "xla", "compile")
EVERY_WAY = "every way"
"""Where a framework failed before it could tell its ways."""


@dataclass(frozen=True)
class Estimate:
    """The median of some samples, and the interval that holds the true one."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Estimate":
        """Return the median with its sign-test interval; with fewer than six samples, with their whole range."""
        low, high = sign_test_interval(samples) or (min(samples), max(samples))
        return cls(statistics.median(samples), low, high)

    def over(self, other: "Estimate") -> "Estimate":
        """Return the ratio to `other`, as wide as the two intervals allow."""
        return Estimate(self.value / other.value, self.low / other.high, self.high / other.low)

    def exceeds(self, other: "Estimate") -> bool:
        """Tell whether this one is larger, the intervals apart."""
        return self.low > other.high

    def __str__(self) -> str:
        """Return a ratio's interval, "1.94 to 2.11"; one number where there is no width to speak of."""
        is_wide = self.high > (1 + LEAST_WIDTH) * self.low
        return numbers.interval_text(self.low, self.high) if is_wide else numbers.ratio_text(self.value)


@dataclass(frozen=True)
class Measurement:
    """What one way of running gave in one experiment.

    Attributes:
        framework: its title, "JAX".
        way: the name of the way, "jit".
        mode: "eager", "graph" or "compiled".
        data: plain values, by the experiment's own names; None unless it was measured.
        source: the code that ran.
    """

    experiment: str
    framework: str
    way: str
    mode: str
    status: str
    reason: str | None
    data: Record | None
    source: str | None

    @classmethod
    def of(cls, record: Record) -> "Measurement":
        """Read one from the document."""
        texts = {name: record[name] for name in ("experiment", "framework", "status", "reason", "source")}
        way = record["way"] or EVERY_WAY
        return cls(**texts, way=way, mode=mode_of(way), data=record["data"])

    @property
    def name(self) -> str:
        """Return what it is called where several frameworks are shown together."""
        return self.way if self.framework.startswith(self.way.partition(",")[0]) else f"{self.framework} {self.way}"

    @property
    def values(self) -> Record:
        """Return the data of a measurement that has some.

        Raises:
            ValueError: it has none.
        """
        if self.data is None:
            raise ValueError(f"{self.experiment}, {self.name}: {self.status}, so there are no data")
        return self.data


def mode_of(way: str) -> str:
    """Return the mode that the name of a way tells: "eager", "compiled" or, of all others, "graph"."""
    name = way.lower()
    if any(word in name for word in EAGER_WORDS):
        return "eager"
    return "compiled" if any(word in name for word in COMPILED_WORDS) else "graph"


@dataclass(frozen=True)
class Lesson:
    """A result document with a lesson, as its pages read it."""

    block: Document

    @cached_property
    def record(self) -> Record:
        """Return the block `lesson`."""
        return dict(self.block["lesson"])

    @cached_property
    def _measurements(self) -> list[Measurement]:
        return [Measurement.of(record) for record in self.record["measurements"]]

    def all(self, experiment: str) -> list[Measurement]:
        """Return every measurement of an experiment, with data or without."""
        return [one for one in self._measurements if one.experiment == experiment]

    def of(self, experiment: str) -> list[Measurement]:
        """Return those with data."""
        return [one for one in self.all(experiment) if one.data is not None]

    def absent(self, experiment: str) -> list[Measurement]:
        """Return those without."""
        return [one for one in self.all(experiment) if one.data is None]

    @cached_property
    def nets(self) -> list[Comparison]:
        """Return the two-layer net's training step, in every size that the run gave it."""
        return [one.comparisons[PHASE] for one in sections(self.block) if one.model == NET and PHASE in one.comparisons]

    @property
    def net(self) -> Comparison | None:
        """Return that of the first size."""
        return self.nets[0] if self.nets else None

    @property
    def steps(self) -> list[Cell]:
        """Return the as-written training steps with a time, fastest first."""
        return self.net.lane("as-written") if self.net else []


def by_framework(measurements: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    """Group measurements by framework, in their order."""
    found: dict[str, list[Measurement]] = {}
    for one in measurements:
        found.setdefault(one.framework, []).append(one)
    return found


def split(ways: Iterable[Measurement]) -> tuple[list[Measurement], list[Measurement]]:
    """Return the eager ways, and all others."""
    ways = list(ways)
    return [one for one in ways if one.mode == "eager"], [one for one in ways if one.mode != "eager"]
