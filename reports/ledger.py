"""The fairness ledger: what may have sped a variant up or slowed it down, with the differences in sight."""

from typing import Any

from reports.sections import PHASE_TITLES, Section


def table(section: Section) -> dict[str, Any] | None:
    """Return what all variants have in common, and for each thing that differs who has which; None without entries.

    The phases' entries are shown as one where they are equal. Of what differs, the most common comes first; it is
    marked if more than half of the variants have it.
    """
    entries: dict[str, dict[str, dict[str, str]]] = {}
    for comparison in section.shown_phases:
        for cell in comparison.shown:
            for key, value in cell["ledger"].items():
                entries.setdefault(cell["variant"], {}).setdefault(key, {})[PHASE_TITLES[comparison.phase]] = value
    if not entries:
        return None
    common, differing = [], []
    for key in dict.fromkeys(key for mine in entries.values() for key in mine):
        owners: dict[str, list[str]] = {}
        for variant, mine in entries.items():
            owners.setdefault(_text(mine.get(key, {})), []).append(variant)
        if len(owners) == 1:
            common.append((key, *owners))
        else:
            differing.append((key, _ranked(owners)))
    return {"common": common, "differing": differing}


def _ranked(owners: dict[str, list[str]]) -> list[dict[str, Any]]:
    num_variants = sum(map(len, owners.values()))
    return [
        {"text": text or "not known", "variants": variants, "is_usual": 2 * len(variants) > num_variants}
        for text, variants in sorted(owners.items(), key=lambda one: -len(one[1]))
    ]


def _text(by_phase: dict[str, str]) -> str:
    if len(set(by_phase.values())) <= 1:
        return next(iter(by_phase.values()), "")
    return "; ".join(f"{phase.lower()}: {value}" for phase, value in by_phase.items())
