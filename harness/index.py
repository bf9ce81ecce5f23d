"""The index over all runs: reads their result documents, compares neighbours, and writes one page that leads to all."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

from harness import compare, results, stats
from harness.folders import PARTIAL, RESULTS
from harness.options import OptionError
from reports import comparison, index
from reports.index import Figure, Run

PAGE = "index.html"
COMPARISONS = "comparisons"


@dataclass(frozen=True)
class Found:
    """A run that could be read, and the folder it lies in."""

    folder: Path
    run: Run


def write(runs: Path, only_latest: bool = False) -> Path:
    """Write the index of the runs in a folder, and of those in `published` beside it; return where it is.

    Each run gets a page, in `comparisons`, that compares it with the one before it of the same machine and variants.

    Args:
        runs: the folder that has a folder a run.
        only_latest: compare only the latest run with the one before it, to save time.
    """
    found, broken = [], []
    for folder in _folders(runs):
        try:
            found.append(_read(folder, runs))
        except results.ResultError as error:
            broken.append((_address(folder, runs), str(error).replace(str(folder / RESULTS), RESULTS)))
    found = list(_compared(found, runs, only_latest))
    results.write_atomically(runs / PAGE, index.render([one.run for one in found], broken, change))
    return runs / PAGE


def change(old: Figure, new: Figure) -> str:
    """Say what became of a ratio, by the rule of `compare`."""
    ratio = compare.shift(*(compare.Estimate(one.ratio, one.low, one.high) for one in (old, new)))
    controls = (stats.Ratio(1.0, *one.control, (), None) if one.control else None for one in (old, new))
    return compare.verdict(ratio.change, max(controls, key=stats.noise_floor))


def _folders(runs: Path) -> Iterator[Path]:
    """Yield the folders of the runs, also of those that have no results yet."""
    for folder in sorted(runs.glob("*/")):
        if not folder.is_symlink() and ((folder / RESULTS).exists() or (folder / PARTIAL).exists()):
            yield folder
    yield from sorted(path.parent for path in (runs.parent / "published").rglob(RESULTS))


def _address(path: Path, runs: Path) -> str:
    return quote(Path(os.path.relpath(path, runs)).as_posix())


def _read(folder: Path, runs: Path) -> Found:
    """Read one run.

    The schema is checked only where something is missing: it takes longer than everything else for a folder of runs.

    Raises:
        ResultError: there are no results, or they cannot be used.
    """
    path = folder / RESULTS
    if not path.exists():
        raise results.ResultError(
            f"it goes on, or was killed; to measure the rest: pytest --benchmark --resume {folder.name}"
        )
    report = folder / PAGE
    problem: Exception | None = None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["likeforlike"]["schema_version"] == results.SCHEMA_VERSION:
            return Found(folder, index.summary(document, _address(report, runs) if report.exists() else None))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        problem = error
    results.load(path)  # raises, and says what is wrong
    raise results.ResultError(f"{path} fits the schema and cannot be summed up: {problem!r}") from problem


def _compared(found: Sequence[Found], runs: Path, only_latest: bool) -> Iterator[Found]:
    """Yield the runs, those in `runs` with the page that compares them with an earlier one."""
    own = sorted((one for one in found if one.folder.parent == runs), key=lambda one: one.run.started_utc)
    yield from (one for one in found if one not in own)
    for place, one in enumerate(own):
        old = next((old for old in reversed(own[:place]) if _are_alike(old.run, one.run)), None)
        if old is None:
            yield one
            continue
        page = runs / COMPARISONS / f"{old.folder.name}-to-{one.folder.name}.html"
        if not page.exists() and (one is own[-1] or not only_latest):
            _compare(old, one, page)
        compared = (old.run.id, _address(page, runs)) if page.exists() else None
        yield replace(one, run=replace(one.run, compared=compared))


def _are_alike(old: Run, new: Run) -> bool:
    """Tell whether two runs are of one machine and have a ratio in common."""
    ratios = [{(one.place, one.variant, one.baseline) for one in run.figures} for run in (old, new)]
    return old.machine == new.machine and not ratios[0].isdisjoint(ratios[1])


def _compare(old: Found, new: Found, page: Path) -> None:
    """Write the page of two runs, if they can be compared."""
    try:
        found = compare.compare(compare.load(str(old.folder)), compare.load(str(new.folder)))
    except OptionError:  # other sizes, or nothing in common
        return
    results.write_atomically(page, comparison.render(asdict(found)))
