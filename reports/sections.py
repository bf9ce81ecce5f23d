"""The result document, cut the way a reader meets it: one section a net, one comparison a phase.

"No certificate, no bar" is enforced here once more: a cell counts as shown only when it is timed and the document holds
certificates for its net and variant, all passed.
"""

import math
import statistics
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
Cell = dict[str, Any]
Group = dict[str, Any]

PHASES = ("train_step", "forward")
PHASE_TITLES = {"train_step": "Training step", "forward": "Forward pass"}
LANES = ("as-written", "tuned")
TITLES = {"two_layer": "Two-layer net", "unet": "U-Net", "autoencoder": "Autoencoder", "recurrent": "Recurrent net"}
UNCERTIFIED = "uncertified"
MARGIN = 0.02
"""Below it a single launch claims no difference: processes of one program differ by so much. A test ties it to the
harness."""

MOST_WHOLE_SIZES = 4
"""Of a net with more sizes, the smallest and the largest have charts; a page with all of them would be too large."""


def have_charts(num_sizes: int) -> list[bool]:
    """Tell which of a net's sizes, in order, have charts."""
    return [num_sizes <= MOST_WHOLE_SIZES or place in (0, num_sizes - 1) for place in range(num_sizes)]


def title(model: str) -> str:
    """Return a net's name for people; an unknown one keeps its own."""
    return TITLES.get(model, model.replace("_", " "))


@dataclass(frozen=True)
class Comparison:
    """The cells of one net and phase, with the group that says how they were measured (None: none was)."""

    phase: str
    group: Group | None
    cells: tuple[Cell, ...]
    certified: frozenset[str]

    def is_shown(self, cell: Cell) -> bool:
        """Tell whether the cell may have a bar and a time."""
        return cell["status"] == "timed" and cell["variant"] in self.certified and cell["step_time_s"] is not None

    @property
    def shown(self) -> list[Cell]:
        """Return the cells with a bar, fastest first."""
        return sorted(filter(self.is_shown, self.cells), key=lambda cell: (cell["step_time_s"], cell["variant"]))

    def lane(self, lane: str) -> list[Cell]:
        """Return the cells of one lane that have a bar, fastest first."""
        return [cell for cell in self.shown if cell["lane"] == lane]

    @property
    def lanes(self) -> list[tuple[str, list[Cell]]]:
        """Return the lanes that have a bar, each with its cells."""
        return [(lane, cells) for lane in LANES if (cells := self.lane(lane))]

    def status(self, cell: Cell) -> str:
        """Return the cell's status, or "uncertified" for one that claims a time without a certificate."""
        if cell["status"] == "timed" and not self.is_shown(cell):
            return UNCERTIFIED if cell["variant"] not in self.certified else "not timed"
        return str(cell["status"])

    @property
    def baseline(self) -> Cell | None:
        """Return the cell that ratios refer to, if it has a bar itself."""
        name = self.group["baseline"] if self.group else None
        return next((cell for cell in self.shown if cell["variant"] == name), None)

    def ratio(self, cell: Cell) -> tuple[float, float, float] | None:
        """Return (ratio, low, high) to the baseline; None without a baseline or an interval."""
        if self.baseline is None:
            return None
        if cell["variant"] == self.baseline["variant"]:
            return 1.0, 1.0, 1.0
        values = cell["ratio"], cell["ratio_low"], cell["ratio_high"]
        return None if None in values else values

    @property
    def control(self) -> tuple[float, float] | None:
        """Return the interval of the A/A control's ratio; None without a usable control."""
        control = self.group["control"] if self.group else None
        if control is None or control["ratio_low"] is None or control["ratio_high"] is None:
            return None
        return control["ratio_low"], control["ratio_high"]

    @property
    def num_launches(self) -> int:
        """Return how often every variant was started anew."""
        return len(self.group["launches"]) if self.group else 0

    def rounds_of_launches(self, cell: Cell) -> list[int]:
        """Return how many of a cell's rounds each launch took; all at once where a cell missed some of the group's."""
        planned = [launch["num_rounds"] for launch in self.group["launches"]] if self.group else []
        num_rounds = len(cell["rounds_s"])
        return planned if sum(planned) == num_rounds else [num_rounds]

    def times_of_rounds(self, cell: Cell) -> list[float]:
        """Return one time for each of a cell's rounds, in seconds: the minimum or median, as the group is summed up."""
        is_min = self.group is not None and self.group["statistic"] == "min"
        return [(min if is_min else statistics.median)(samples) for samples in cell["rounds_s"]]

    @property
    def noise_floor(self) -> float:
        """Return how far from 1 this run cannot tell a ratio from 1, as |log|; the same as the harness's."""
        reach = max((abs(math.log(end)) for end in self.control or ()), default=0.0)
        return reach if self.control and self.num_launches > 1 else max(reach, math.log1p(MARGIN))

    def claim(self, cell: Cell) -> str | None:
        """Return the verdict, unless it claims a difference and its interval reaches into the A/A band."""
        verdict, ratio = cell["verdict"], self.ratio(cell)
        if self.baseline is None or (verdict in ("faster", "slower") and ratio is None):
            return None
        if verdict in ("faster", "slower") and ratio is not None:
            _, low, high = ratio
            distance = math.log(low) if verdict == "slower" else -math.log(high)
            return verdict if distance > self.noise_floor else "too wide to say"
        return None if verdict is None else str(verdict)

    def leaders(self, cells: list[Cell]) -> list[Cell]:
        """Return those of `cells` that none of the others was shown to beat, in order of their ratios."""
        found = [(ratio[0], cell) for cell in cells if (ratio := self.ratio(cell)) is not None]
        ranked = [cell for _, cell in sorted(found, key=lambda pair: pair[0])]
        return [
            cell for place, cell in enumerate(ranked) if not any(self.is_apart(best, cell) for best in ranked[:place])
        ]

    def is_apart(self, best: Cell, rival: Cell) -> bool:
        """Tell whether `best`, which has the smaller ratio, was shown to be faster than `rival`."""
        if self.baseline in (best, rival):
            return self.claim(rival if best is self.baseline else best) in ("faster", "slower")
        best_ratio, rival_ratio = self.ratio(best), self.ratio(rival)
        if best_ratio is None or rival_ratio is None:
            return False
        return math.log(rival_ratio[1]) - math.log(best_ratio[2]) > self.noise_floor


@dataclass(frozen=True)
class Section:
    """One net in one size, batch and precision."""

    model: str
    size: str
    batch_size: int
    precision: str
    comparisons: dict[str, Comparison] = field(default_factory=dict)

    @property
    def changes(self) -> dict[str, int]:
        """Return the sizes that a sweep has changed; none where nothing was timed."""
        groups = (comparison.group for comparison in self.comparisons.values())
        return next((dict(group["changes"]) for group in groups if group), {})

    @property
    def title(self) -> str:
        """Return the net's name."""
        return title(self.model)

    @property
    def anchor(self) -> str:
        """Return an id that is unique in the page."""
        raw = f"{self.model}-{self.size}-{self.batch_size}-{self.precision}"
        return "net-" + "".join(char if char.isalnum() else "-" for char in raw)

    @property
    def shown_phases(self) -> list[Comparison]:
        """Return the comparisons with at least one bar, training first."""
        return [comparison for comparison in self.comparisons.values() if comparison.shown]

    def variants(self) -> list[str]:
        """Return every variant, those with a bar first and the fastest of them on top."""
        names = [cell["variant"] for comparison in self.shown_phases for cell in comparison.shown]
        names += [cell["variant"] for comparison in self.comparisons.values() for cell in comparison.cells]
        return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Net:
    """A net in all the sizes that the run gave it: one, unless it swept.

    Attributes:
        parameter: what varies, "batch" or "width"; None: nothing.
    """

    model: str
    parameter: str | None
    sizes: tuple[Section, ...]

    @property
    def title(self) -> str:
        """Return the net's name."""
        return title(self.model)

    @property
    def anchor(self) -> str:
        """Return an id that is unique in the page."""
        return self.sizes[0].anchor if self.parameter is None else f"scaling-{self.sizes[0].anchor}"


def certified_variants(document: Document, model: str, size: str) -> frozenset[str]:
    """Return the variants whose certificates for `model` in `size` all passed; at least one must exist."""
    passed: dict[str, bool] = {}
    for certificate in document["certificates"]:
        if (certificate["model"], certificate["size"]) == (model, size):
            variant = certificate["variant"]
            passed[variant] = passed.get(variant, True) and certificate["passed"]
    return frozenset(variant for variant, all_passed in passed.items() if all_passed)


def _key(entry: dict[str, Any]) -> tuple[str, str, int, str]:
    return entry["model"], entry["size"], entry["batch_size"], entry["precision"]


def sections(document: Document) -> list[Section]:
    """Return the document's nets, in the order in which the run names them."""
    order = {model: index for index, model in enumerate(document["run"]["models"])}
    keys = list(dict.fromkeys(map(_key, [*document["groups"], *document["cells"]])))
    keys.sort(key=lambda key: order.get(key[0], len(order)))
    found = []
    for key in keys:
        certified = certified_variants(document, *key[:2])
        comparisons = {}
        for phase in PHASES:
            groups = [group for group in document["groups"] if _key(group) == key and group["phase"] == phase]
            cells = tuple(cell for cell in document["cells"] if _key(cell) == key and cell["phase"] == phase)
            if groups or cells:
                comparisons[phase] = Comparison(phase, groups[0] if groups else None, cells, certified)
        found.append(Section(*key, comparisons))
    return found


def nets(document: Document) -> list[Net]:
    """Return the document's nets, each with its sizes; those of a sweep in order."""
    sweep = document["run"]["sweep"]
    if sweep is None:
        return [Net(section.model, None, (section,)) for section in sections(document)]
    found: dict[str, list[Section]] = {}
    for section in sections(document):
        found.setdefault(section.model, []).append(section)
    return [
        Net(model, sweep["parameter"], tuple(sorted(sizes, key=lambda section: tuple(section.changes.values()))))
        for model, sizes in found.items()
    ]
