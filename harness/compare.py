"""Two runs compared: what became of each variant's ratio to the baseline, and what may be said about it.

Times of two runs differ by what the machine did in between. It hardly shows in a ratio, which was taken within rounds.
So ratios are compared, cell by cell. Pure functions on result documents.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from harness import pairing, results, stats
from harness.options import OptionError
from harness.pairing import Place, Record

Verdict = Literal["slower", "faster", "no change shown", "too wide to say"]
Loss = Literal["refused", "crashed", "missing"]

LOSSES: dict[str, Loss] = {
    "refused": "refused",
    "crashed": "crashed",
    "timed out": "crashed",
    "failed": "crashed",
    "broken": "crashed",
}
"""How a gate calls the loss of a time, by the cell's new status; any other is "missing"."""
NOT_IN_RUN = "not in the run"


@dataclass(frozen=True)
class Estimate:
    """A ratio, or a time in seconds, with its 95 % interval; the bounds are None with too few rounds."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Shift:
    """One quantity in two runs, and the new value over the old."""

    old: Estimate
    new: Estimate
    change: Estimate


@dataclass(frozen=True)
class Change:
    """What became of a variant's ratio to the baseline; a change above 1: slower than before."""

    variant: str
    mode: str
    headline: bool
    ratio: Shift
    verdict: Verdict


@dataclass(frozen=True)
class GroupChange:
    """What became of one net in one phase.

    Attributes:
        baseline: what the ratios of both runs refer to; None if neither run's own was timed in both.
        is_rebased: one of the runs had another baseline, and its ratios were taken anew.
        baseline_time_s: for information: the state of the machine is in it.
        noise_floor: the larger of both runs', as |log|; no change within it is claimed.
        moved: all variants have this verdict, so that the baseline is to be suspected.
        changes: worst first.
    """

    place: Place
    baseline: str | None
    is_rebased: bool
    baseline_time_s: Shift | None
    noise_floor: float
    moved: Literal["slower", "faster"] | None
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class StatusChange:
    """A cell that has a time in one run only.

    Attributes:
        old, new: its status in each run; `NOT_IN_RUN` where there is no such cell.
        reason: why it has no time, where the document says so.
        loss: what a gate calls it; None where the time is new.
    """

    place: Place
    variant: str
    old: str
    new: str
    reason: str | None
    loss: Loss | None


@dataclass(frozen=True)
class Comparison:
    """Everything that `python -m harness compare` says.

    Attributes:
        old, new: id, start, status, preset and commit of each run.
        differences: in machine and sizes, which the user has allowed.
        versions: of packages, where they differ.
        answer: all of it in a sentence or two.
        failures: cells by the condition of `--fail-if` that they meet; conditions that none meets are left out.
    """

    old: Record
    new: Record
    differences: list[str]
    versions: list[str]
    groups: list[GroupChange]
    statuses: list[StatusChange]
    answer: str
    failures: dict[str, list[str]]


@dataclass(frozen=True)
class Condition:
    """One `--fail-if`.

    Attributes:
        text: as it was written.
        word: a verdict or a loss.
        margin: how far beyond 1 the whole interval must be: 0.05 is more than 1.05 times, or less than 1 / 1.05 times.
    """

    text: str
    word: str
    margin: float

    def is_met_by(self, found: Change | StatusChange) -> bool:
        """Tell whether this is what must not happen."""
        if isinstance(found, StatusChange):
            return found.loss == self.word
        low, high = found.ratio.change.low, found.ratio.change.high
        if found.verdict != self.word or low is None or high is None:
            return False
        return (low if self.word == "slower" else 1 / high) > 1 + self.margin


# ---------------------------------------------------------------- what the user asks for


def load(path: str) -> Record:
    """Read a run from its `results.json`, or from the folder that holds one.

    Raises:
        OptionError: there is none, or it is not of this program's version.
    """
    file = Path(path) / "results.json" if Path(path).is_dir() else Path(path)
    try:
        return results.load(file)["likeforlike"]
    except results.ResultError as error:
        raise OptionError(str(error)) from error


def parse_condition(text: str) -> Condition:
    """Read the value of one `--fail-if`: "slower:5%", "faster", "refused".

    Raises:
        OptionError: it is none of these.
    """
    found = re.fullmatch(r"(slower|faster)(?::(\d+(?:\.\d+)?)%)?|refused|crashed|missing", text)
    if found is None:
        raise OptionError(f"--fail-if {text}: write slower:5%, faster:5%, refused, crashed or missing")
    return Condition(text, found[1] or text, float(found[2] or 0) / 100)


def compare(
    old: Record,
    new: Record,
    conditions: Sequence[Condition] = (),
    allow_other_machine: bool = False,
    allow_other_sizes: bool = False,
) -> Comparison:
    """Compare two runs.

    Raises:
        OptionError: they differ in machine or sizes and that was not allowed, or they have no cell in common.
    """
    machine, sizes = pairing.machine_differences(old, new), pairing.size_differences(old, new)
    if machine and not allow_other_machine:
        _refuse("other machines", machine, "--allow-other-machine")
    if sizes and not allow_other_sizes:
        _refuse("other sizes of a net", list(sizes.values()), "--allow-other-sizes")
    new = pairing.at_sizes_of(old, new, sizes)
    if not pairing.cells(old).keys() & pairing.cells(new).keys():
        raise OptionError("the runs have no net, phase and variant in common: compare runs of the same variants")
    groups, statuses = list(_group_changes(old, new)), list(_status_changes(old, new))
    return Comparison(
        old=_summary(old),
        new=_summary(new),
        differences=[*machine, *sizes.values()],
        versions=pairing.version_differences(old, new),
        groups=groups,
        statuses=statuses,
        answer=_answer(groups, statuses),
        failures=_failures(groups, statuses, conditions),
    )


def _refuse(what: str, differences: list[str], option: str) -> None:
    raise OptionError(f"the runs are of {what} ({'; '.join(differences)}); to compare them all the same: {option}")


def _summary(block: Record) -> Record:
    keys = "id", "started_utc", "status", "preset"
    return {key: block["run"][key] for key in keys} | {"commit": block["environment"]["commit"]}


def _answer(groups: Iterable[GroupChange], statuses: Sequence[StatusChange]) -> str:
    verdicts = [change.verdict for group in groups for change in group.changes]
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in get_args(Verdict))
    num_lost = sum(status.loss is not None for status in statuses)
    return f"Of {len(verdicts)} ratios: {counts}. Times lost: {num_lost}, new: {len(statuses) - num_lost}."


def _failures(
    groups: Iterable[GroupChange], statuses: Iterable[StatusChange], conditions: Iterable[Condition]
) -> dict[str, list[str]]:
    found: dict[str, Change | StatusChange] = {
        f"{group.place} {change.variant}": change for group in groups for change in group.changes
    }
    found |= {f"{status.place} {status.variant}": status for status in statuses}
    met = {each.text: [cell for cell, one in found.items() if each.is_met_by(one)] for each in conditions}
    return {text: cells for text, cells in met.items() if cells}


# ---------------------------------------------------------------- ratios


def shift(old: Estimate, new: Estimate) -> Shift:
    """Return the new estimate over the old, which was measured independently.

    The bounds pair the low end of one 95 % interval with the high end of the other. So their widths add up, while
    independent errors only add in quadrature: it covers at least 95 % where medians are near normal, and 0.95² whatever
    happens. In simulation it covers 95.9 % or more, also with few, skewed and heavy-tailed rounds that scatter more in
    one run. The Hodges–Lehmann interval is about half as wide, but supposes that both runs scatter alike: where one
    scatters four times as much, it covers 81 to 99 %.
    """
    value = new.value / old.value
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return Shift(old, new, Estimate(value, None, None))
    return Shift(old, new, Estimate(value, new.low / old.high, new.high / old.low))


def verdict(change: Estimate, noise: stats.Ratio | None) -> Verdict:
    """Put a change into words, by the rule of `stats.verdict`.

    Args:
        change: new over old.
        noise: the A/A control of the noisier run. Two processes of one program differ by an offset that no interval
            within a launch can see; the controls are what the documents know of it. In simulation, with 12 rounds of
            one launch, 0.8 % of unchanged variants are called changed where offsets are as large as the rounds' noise,
            21 % where four times as large: then it takes several launches.
    """
    found = stats.verdict(stats.Ratio(change.value, change.low, change.high, (), None), noise)
    return "no change shown" if found == "no difference shown" else found


def _group_changes(old: Record, new: Record) -> Iterator[GroupChange]:
    """Yield what became of each group that is in both runs, in the order of the new one."""
    before, after = pairing.timed(old), pairing.timed(new)
    old_groups = {pairing.place_of(group): group for group in old["groups"]}
    for group in new["groups"]:
        place = pairing.place_of(group)
        if place in old_groups:
            both = {key[1]: (before[key], after[key]) for key in before if key in after and key[0] == place}
            yield _group_change(place, old_groups[place], group, both)


def _group_change(
    place: Place, old_group: Record, new_group: Record, both: Mapping[str, tuple[Record, Record]]
) -> GroupChange:
    """Compare one group; `both` holds the old and the new cell of each variant that was timed in both runs."""
    own = old_group["baseline"], new_group["baseline"]
    baseline = next((variant for variant in own if variant in both), None)
    # A ratio of minima is not one of medians; where the runs chose differently, both take what any block has.
    chosen = {group["statistic"] for group in (old_group, new_group)}
    statistic: stats.Statistic = chosen.pop() if len(chosen) == 1 else "median"
    noise = max((_control(group) for group in (old_group, new_group)), key=stats.noise_floor)
    changes: list[Change] = []
    baseline_time_s = None
    if baseline is not None:
        references = both[baseline]
        baseline_time_s = shift(*(_time_s(cell, statistic) for cell in references))
        for variant, cells in both.items():
            if variant != baseline:
                runs = zip(cells, references, (old_group, new_group), strict=True)
                ratio = shift(*(_ratio(cell, reference, group, statistic) for cell, reference, group in runs))
                marks = cells[1]["mode"], cells[1]["headline"]
                changes.append(Change(variant, *marks, ratio, verdict(ratio.change, noise)))
    return GroupChange(
        place=place,
        baseline=baseline,
        is_rebased=baseline is not None and own != (baseline, baseline),
        baseline_time_s=baseline_time_s,
        noise_floor=stats.noise_floor(noise),
        moved=common_direction([change.verdict for change in changes]),
        changes=tuple(sorted(changes, key=lambda change: -change.ratio.change.value)),
    )


def _time_s(cell: Record, statistic: stats.Statistic) -> Estimate:
    return Estimate(*stats.median_interval(cell["rounds_s"], statistic))


def _ratio(cell: Record, reference: Record, group: Record, statistic: stats.Statistic) -> Estimate:
    launches = list(zip(_launches(cell, group), _launches(reference, group), strict=True))
    ratio = stats.over_launches(launches, statistic)
    if ratio.ratio is None:
        raise OptionError(f"{cell['variant']} and {reference['variant']} have no round in common: a damaged document")
    return Estimate(ratio.ratio, ratio.low, ratio.high)


def _launches(cell: Record, group: Record) -> list[list[list[float]]]:
    """Return the rounds of each launch, which lie one after the other in the document."""
    rounds = iter(cell["rounds_s"])
    return [list(itertools.islice(rounds, launch["num_rounds"])) for launch in group["launches"]]


def _control(group: Record) -> stats.Ratio | None:
    control = group["control"]
    if control is None:
        return None
    return stats.Ratio(control["ratio"], control["ratio_low"], control["ratio_high"], (), None)


def common_direction(verdicts: Sequence[Verdict]) -> Literal["slower", "faster"] | None:
    """Return the direction that all of several variants have moved in, if there is one.

    They share nothing but the baseline, so one that moved the other way explains it more simply.
    """
    for direction in ("slower", "faster"):
        if len(verdicts) > 1 and set(verdicts) == {direction}:
            return direction
    return None


def _status_changes(old: Record, new: Record) -> Iterator[StatusChange]:
    """Yield the cells that have a time in one run and none in the other."""
    before, after = pairing.cells(old), pairing.cells(new)
    absent = {"status": NOT_IN_RUN, "reason": None}
    for key in {**before, **after}:
        cells = before.get(key, absent), after.get(key, absent)
        statuses = cells[0]["status"], cells[1]["status"]
        if statuses.count("timed") == 1:
            is_lost = statuses[0] == "timed"
            reason = cells[1 if is_lost else 0]["reason"]
            yield StatusChange(*key, *statuses, reason, LOSSES.get(statuses[1], "missing") if is_lost else None)
