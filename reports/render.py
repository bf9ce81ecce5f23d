"""One HTML file from one result document: self-contained, offline, the same bytes every time."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports import (
    advice,
    breakeven,
    charts,
    cold,
    lanes,
    ledger,
    limits,
    modes,
    numbers,
    proof,
    scaling,
    tables,
    words,
)
from reports.palette import DARK, LIGHT, STAGES, css_variables
from reports.sections import Document, Net, Section, nets
from reports.tables import MARKERS

NARROW_BELOW_PX = 860


def render(document: Document) -> str:
    """Return the page for a result document (pytest-benchmark's JSON, or its `likeforlike` block alone).

    Raises:
        KeyError: the document does not follow the schema.
    """
    block = document.get("likeforlike", document)
    run, found = block["run"], nets(block)
    models = [net.model for net in found]
    general, warnings = _place_warnings(run["warnings"], found)
    largest = [net.sizes[-1] for net in found]
    return _template().render(
        run=run,
        environment=block["environment"],
        answers=[(net, _answer(net)) for net in found],
        proven=words.proven(block),
        missing=words.missing(block) if run["status"] != "complete" else [],
        warnings=general,
        doctor={"warnings": advice.warnings(block), "blurs": advice.by_figure(block), "rows": advice.table(block)},
        flags=_flags(block),
        nets=[_net(block, net, warnings[net.anchor], models.count(net.model) > 1) for net in found],
        limits={"chart": limits.chart(block["roof"], largest), "rows": limits.table(block["roof"])},
        harness_cost=limits.harness_cost(block),
        proofs=proof.tables(block),
        conventions=proof.conventions(block),
        light=Markup(css_variables(LIGHT)),
        dark=Markup(css_variables(DARK)),
    )


def _answer(net: Net) -> list[Markup]:
    return words.answer(net.sizes[0]) if net.parameter is None else scaling.told(net)


@cache
def _template() -> Any:
    folder = Path(__file__).with_name("templates")
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "bytes": numbers.bytes_text,
        "code": words.code,
        "commands": _commands,
        "sentence": _sentence,
        "check_anchor": advice.anchor,
    }
    environment.globals |= {
        "count": numbers.count_text,
        "markers": MARKERS,
        "narrow_below": NARROW_BELOW_PX,
        "stages": [(stage, cold.LABELS[stage]) for stage in STAGES],
    }
    return environment.get_template("report.html.j2")


def _sentence(text: str) -> str:
    """Return `text` with a full stop, for strings that others wrote."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _commands(text: str) -> Markup:
    """Show as code what stands between backticks."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _place_warnings(warnings: list[str], found: list[Net]) -> tuple[list[str], dict[str, list[str]]]:
    """Put a warning that names a net beside that net, and all others on top."""
    placed: dict[str, list[str]] = {net.anchor: [] for net in found}
    general = []
    for warning in warnings:
        homes = [one for one in found if re.search(rf"\b({re.escape(one.model)}|{re.escape(one.title)})\b", warning)]
        for net in homes:
            placed[net.anchor].append(warning)
        if not homes:
            general.append(warning)
    return general, placed


def _net(document: Document, net: Net, warnings: list[str], is_one_of_many: bool) -> dict[str, Any]:
    return {
        "net": net,
        "is_one_of_many": is_one_of_many,
        "warnings": warnings,
        "scaling": scaling.chart(net) if net.parameter else None,
        "scaling_tables": scaling.tables(net) if net.parameter else [],
        "sizes": [_size(document, net, section) for section in net.sizes],
    }


def _size(document: Document, net: Net, section: Section) -> dict[str, Any]:
    comparisons = list(section.comparisons.values())
    used = {cell["mode"] for comparison in comparisons for cell in comparison.shown}
    headline_chart, everyone_chart = breakeven.charts(section)
    return {
        "section": section,
        "name": scaling.point_name(net, section) if net.parameter else "",
        "found": [words.found(comparison, brief=True) for comparison in comparisons],
        "described": words.described(section),
        "modes": [mode for mode in MARKERS if mode in used],
        "ratios": charts.ratio_chart(section),
        "times": charts.time_chart(section),
        "tables": [tables.times(comparison, document["roof"]) for comparison in comparisons if comparison.shown],
        "lanes": lanes.table(section),
        "mode_tables": modes.tables(section),
        "stages": cold.stage_chart(section),
        "stage_rows": cold.table(section),
        "has_warm": any(cell["warm_stages"] for comparison in comparisons for cell in comparison.shown),
        "break_even": {"chart": headline_chart, "more": everyone_chart, "tables": breakeven.tables(section)},
        "ledger": ledger.table(section),
        "absent": tables.absent(section),
        "pictures": [tables.picture(one) for one in document["pictures"] if _is_of(one, section)],
    }


def _flags(document: Document) -> list[tuple[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for cell in document["cells"]:
        found.setdefault(cell["variant"], {}).update({name: str(value) for name, value in cell["flags"].items()})
    return [(variant, ", ".join(f"{k} = {v}" for k, v in flags.items())) for variant, flags in found.items() if flags]


def _is_of(picture: dict[str, Any], section: Section) -> bool:
    return picture["model"] == section.model and picture["size"] == section.size
