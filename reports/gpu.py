"""What a GPU did during a step, what it drew, and what its clock did meanwhile."""

from collections.abc import Callable
from typing import Any

from reports import numbers
from reports.sections import PHASE_TITLES, Cell, Comparison, Section

Figure = tuple[str, str]
Row = dict[str, Any]


def activity(section: Section) -> list[dict[str, Any]]:
    """Return a table per phase of which a profiler recorded the kernels, the fastest variant first."""
    return _tables(section, "activity", lambda cells: cells, _activity_row)


def energy(section: Section) -> list[dict[str, Any]]:
    """Return a table per phase in which the energy of a step was read, the thriftiest variant first."""
    return _tables(section, "energy", lambda cells: sorted(cells, key=_step_energy_j), _energy_row)


def _tables(
    section: Section, record: str, order: Callable[[list[Cell]], list[Cell]], row: Callable[[Cell], Row]
) -> list[dict[str, Any]]:
    return [
        {"title": PHASE_TITLES[comparison.phase], "rows": [_of(cell) | row(cell) for cell in order(known)]}
        for comparison in section.shown_phases
        if (known := _with(comparison, record))
    ]


def _with(comparison: Comparison, record: str) -> list[Cell]:
    """Return the shown cells that have a record. Documents from before it existed have none."""
    return [cell for cell in comparison.shown if cell.get(record)]


def _of(cell: Cell) -> Row:
    return {"variant": cell["variant"], "lane": cell["lane"], "headline": cell["headline"]}


def _activity_row(cell: Cell) -> Row:
    found, step_s = cell["activity"], cell["step_time_s"]
    return {
        "figures": [
            (numbers.time_text(step_s), ""),
            (numbers.significant(found["num_kernels"]), ""),
            (numbers.time_text(found["busy_s"]), _share(found["busy_s"] / step_s)),
            (numbers.time_text(found["idle_s"]), _share(found["idle_s"] / step_s)),
        ]
    }


def _share(share: float) -> str:
    return f"{100 * share:.0f}{numbers.NBSP}%"


def _step_energy_j(cell: Cell) -> float:
    return float(cell["energy"]["step_energy_j"])


def _energy_row(cell: Cell) -> Row:
    found = cell["energy"]
    lowest, median, highest = (numbers.big_text(hertz, "Hz") for hertz in found["clock_hz"])
    return {
        "figures": [
            (_energy_text(found["step_energy_j"]), ""),
            (f"{numbers.significant(found['power_w'])}{numbers.NBSP}W", ""),
            (median, "" if lowest == highest else f"{lowest} – {highest}"),
            (f"{found['temperature_c']:.0f}{numbers.NBSP}°C", ""),
        ],
        "slowdowns": ", ".join(found["slowdowns"]),
    }


def _energy_text(joules: float) -> str:
    """Return "45.0 mJ"."""
    size, unit = next((one for one in ((1.0, "J"), (1e-3, "mJ")) if joules >= one[0]), (1e-6, "µJ"))
    return f"{numbers.significant(joules / size)}{numbers.NBSP}{unit}"
