"""The fairness ledger: what may have sped a variant up or slowed it down, with the differences in sight."""

from collections import Counter
from typing import Any

from reports.sections import PHASE_TITLES, Section


def table(section: Section) -> dict[str, Any] | None:
    """Return a row per variant and a column per key, each value marked where most others agree; None without entries.

    The phases' entries are shown as one where they are equal.
    """
    entries: dict[str, dict[str, dict[str, str]]] = {}
    for comparison in section.shown_phases:
        for cell in comparison.shown:
            for key, value in cell["ledger"].items():
                entries.setdefault(cell["variant"], {}).setdefault(key, {})[PHASE_TITLES[comparison.phase]] = value
    if not entries:
        return None
    keys = list(dict.fromkeys(key for mine in entries.values() for key in mine))
    usual = {key: _usual([_lines(mine.get(key, {})) for mine in entries.values()]) for key in keys}
    return {
        "keys": keys,
        "rows": [
            {
                "variant": variant,
                "values": [
                    {"lines": lines, "is_usual": lines == usual[key]}
                    for key, lines in ((key, _lines(mine.get(key, {}))) for key in keys)
                ],
            }
            for variant, mine in entries.items()
        ],
    }


def _lines(by_phase: dict[str, str]) -> tuple[str, ...]:
    if len(set(by_phase.values())) <= 1:
        return tuple(by_phase.values())[:1]
    return tuple(f"{phase}: {value}" for phase, value in by_phase.items())


def _usual(values: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Return what more than half of the variants have; None: there is no such value."""
    value, count = Counter(values).most_common(1)[0]
    return value if 2 * count > len(values) else None
