"""What a run leaves behind: files in a folder of its own, `latest` beside it, and a table on the terminal."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import results
from harness.bare_loop import Against, Cost
from harness.folders import RESULTS
from harness.lesson import EXPERIMENTS

LESSON = "lesson.html"


def write(document: dict[str, Any], folder: Path, render: Callable[[dict[str, Any]], str]) -> list[str]:
    """Write `results.json`, `index.html` and a lesson's page, and point `latest` at them. Returns lines that say where.

    The results come first: whatever happens while the report is made, the measurements are safe.
    """
    results.write_atomically(folder / RESULTS, results.dumps(document))
    results.write_atomically(folder / "index.html", render(document))
    lines = [f"results: {folder / RESULTS}", f"report:  {folder / 'index.html'}"]
    if (page := write_lesson(document, folder)) is not None:
        lines.append(f"lesson:  {page}")
    point_latest_at(folder)
    return lines


def write_lesson(document: dict[str, Any], folder: Path) -> Path | None:
    """Write `lesson.html` and return where it is; None for a document without a lesson."""
    if document["likeforlike"].get("lesson") is None:
        return None
    from reports import lesson

    results.write_atomically(folder / LESSON, lesson.render(document))
    return folder / LESSON


def point_latest_at(folder: Path) -> None:
    """Make `latest` beside `folder` a link to it, replacing an older link in one step."""
    link = folder.parent / "latest"
    temporary = folder.parent / f".latest-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name, target_is_directory=True)
    os.replace(temporary, link)


def headline(block: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a table: a group per net, size and phase; in it the as-written lane, and apart the tuned one.

    A lane has its fastest variant first, each with its ratio and verdict.
    """
    for group in block["groups"]:
        cells = [cell for cell in block["cells"] if _place(cell) == _place(group)]
        yield f"{group['model']} ({group['size']}), {group['phase']}, ratio to {group['baseline']}"
        for lane in ("as-written", "tuned"):
            timed = [cell for cell in cells if cell["status"] == "timed" and cell["lane"] == lane]
            if timed and lane == "tuned":
                yield "  tuned:"
            for cell in sorted(timed, key=lambda cell: cell["step_time_s"]):
                yield f"  {cell['variant']:<22}{_time(cell['step_time_s'])}  {_ratio(cell)}  {_verdict(cell)}"
        absent: dict[tuple[str, str], list[str]] = {}
        for cell in cells:
            if cell["status"] != "timed":
                absent.setdefault((cell["status"], cell["reason"]), []).append(cell["variant"])
        for (status, reason), variants in absent.items():
            yield f"  {', '.join(variants)}: {status}, {reason}"
    certificates = block["certificates"]
    failed = sum(not certificate["passed"] for certificate in certificates)
    yield f"certificates: {len(certificates) - failed} quantities passed, {failed} failed"
    if block.get("lesson"):
        yield from _lesson(block["lesson"])


def _lesson(lesson: dict[str, Any]) -> Iterator[str]:
    """Yield how many ways were measured, and a line for each that was not."""
    measured = [found for found in lesson["measurements"] if found["status"] == "measured"]
    experiments = {found["experiment"] for found in lesson["measurements"]}
    yield f"lesson: {len(measured)} measurements, in {len(experiments)} of {len(EXPERIMENTS)} experiments"
    for found in lesson["measurements"]:
        if found["status"] != "measured":
            way = ", ".join(filter(None, (found["framework"], found["way"])))
            yield f"  {found['experiment']}, {way}: {found['status']}, {found['reason']}"


def costs(found: Mapping[Against, Cost]) -> Iterator[str]:
    """Yield the lines of a table: what a training step takes in a worker, over the same step in a loop of its own."""
    if found:
        yield "training step in a worker, ratio to a loop in a process of its own"
    for (variant, model, loop), cost in found.items():
        about = {"ratio": cost.ratio.ratio, "ratio_low": cost.ratio.low, "ratio_high": cost.ratio.high}
        yield f"  {variant:<22}{_ratio(about)}{model}, {loop}"


def _place(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[key] for key in ("model", "size", "batch_size", "phase", "precision"))


def _verdict(cell: dict[str, Any]) -> str:
    notes = ["launches disagree"] if cell["launches_agree"] is False else []
    return ", ".join([cell["verdict"] or "", *notes]).removeprefix(", ")


def _time(seconds: float) -> str:
    for unit, factor in (("s ", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:8.2f} {unit}"
    return f"{seconds * 1e6:8.1f} µs"


def _ratio(cell: dict[str, Any]) -> str:
    if cell["ratio"] is None:
        return " " * 24
    if cell["ratio_low"] is None:
        return f"{cell['ratio']:6.2f}×" + " " * 17
    return f"{cell['ratio']:6.2f}× [{cell['ratio_low']:.2f}, {cell['ratio_high']:.2f}]".ljust(24)
