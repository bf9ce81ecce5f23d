"""One HTML file from one result document: self-contained, offline, the same bytes every time."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports import (
    advice,
    answers,
    breakeven,
    charts,
    cold,
    commands,
    drift,
    gpu,
    lanes,
    ledger,
    limits,
    modes,
    numbers,
    proof,
    samples,
    scaling,
    tables,
    words,
)
from reports.palette import DARK, LIGHT, STAGES, css_variables
from reports.sections import LANES, PHASE_TITLES, Document, Net, Section, have_charts, nets, title
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
    return fill(
        "report.html.j2",
        run=run,
        has_lesson=bool(block.get("lesson")),
        environment=block["environment"],
        arithmetic=words.ARITHMETIC[run.get("precision", "fp32")],
        answers=[(net, _answer(net)) for net in found],
        overview=_overview(run, largest),
        filters=_filters(block),
        proven=words.proven(block),
        missing=words.missing(block) if run["status"] != "complete" else [],
        warnings=general,
        doctor={
            "warnings": advice.warnings(block),
            "blurs": advice.by_figure(block),
            "rows": advice.table(block),
            "command": commands.doctor(run),
        },
        flags=_flags(block),
        nets=[_net(block, net, warnings[net.anchor], models.count(net.model) > 1) for net in found],
        limits={"chart": limits.chart(block["roof"], largest), "rows": limits.table(block["roof"])},
        harness_cost=limits.harness_cost(block),
        proofs=proof.tables(block),
        conventions=proof.conventions(block),
        samples={"packed": samples.packed(block), "num": samples.count(block), "digits": samples.DIGITS},
    )


def _answer(net: Net) -> list[Markup]:
    return answers.answer(net.sizes[0]) if net.parameter is None else scaling.told(net)


def _overview(run: dict[str, Any], largest: list[Section]) -> dict[str, Any]:
    cells = [cell for section in largest for one in section.shown_phases[:1] for cell in one.shown if cell["headline"]]
    return {
        "chart": charts.overview(largest),
        "modes": [mode for mode in MARKERS if mode in {cell["mode"] for cell in cells}],
        "command": commands.timing(run),
    }


def _filters(document: Document) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return what the tables can be filtered by: (attribute, label, choices); not by what is the same throughout."""
    cells = document["cells"]
    models = dict.fromkeys(cell["model"] for cell in cells)
    found = [
        ("model", "Net", [(model, title(model)) for model in models]),
        ("phase", "Phase", [(name, name) for key, name in PHASE_TITLES.items() if _any(cells, "phase", key)]),
        ("lane", "Lane", [(lane, lane) for lane in LANES if _any(cells, "lane", lane)]),
    ]
    return [one for one in found if len(one[2]) > 1]


def _any(cells: list[dict[str, Any]], key: str, value: str) -> bool:
    return any(cell[key] == value for cell in cells)


def fill(template: str, **values: Any) -> str:
    """Return a page made from one of the templates; all have the same colours, filters and constants."""
    colours = {"light": Markup(css_variables(LIGHT)), "dark": Markup(css_variables(DARK))}
    return _environment().get_template(template).render(**colours, **values)


@cache
def _environment() -> Environment:
    folder = Path(__file__).with_name("templates")
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "bytes": numbers.bytes_text,
        "code": words.code,
        "commands": _commands,
        "sentence": _sentence,
        "check_anchor": advice.anchor,
    }
    made.globals |= {
        "count": numbers.count_text,
        "markers": MARKERS,
        "most_dots": charts.MOST_DOTS,
        "most_points": drift.MOST_POINTS,
        "narrow_below": NARROW_BELOW_PX,
        "stages": [(stage, cold.LABELS[stage]) for stage in STAGES],
    }
    return made


def _sentence(text: str) -> str:
    """Return `text` with a full stop, for strings that others wrote."""
    return text if text.endswith((".", "!", "?", ".)")) else f"{text}."


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
    is_whole = have_charts(len(net.sizes))
    return {
        "net": net,
        "is_one_of_many": is_one_of_many,
        "warnings": warnings,
        "command": commands.timing(document["run"], [net.model]),
        "scaling": scaling.chart(net) if net.parameter else None,
        "scaling_tables": scaling.tables(net) if net.parameter else [],
        "num_brief": is_whole.count(False),
        "sizes": [
            _tables(document, net, size) | (_charts(size) if whole else dict.fromkeys(CHARTS))
            for size, whole in zip(net.sizes, is_whole, strict=True)
        ],
    }


CHARTS = ("ratios", "times", "drift", "stages", "break_even_chart", "break_even_more")


def _charts(section: Section) -> dict[str, Any]:
    """Return the charts of one net in one size, by the names in `CHARTS`."""
    drawn = (
        charts.ratio_chart(section),
        charts.time_chart(section),
        drift.chart(section),
        cold.stage_chart(section),
        *breakeven.charts(section),
    )
    return dict(zip(CHARTS, drawn, strict=True))


def _tables(document: Document, net: Net, section: Section) -> dict[str, Any]:
    """Return all but the charts of one net in one size."""
    comparisons = list(section.comparisons.values())
    cells = [cell for comparison in comparisons for cell in comparison.shown]
    tuning = lanes.table(section)
    tuned = dict.fromkeys(name for row in tuning for name in (row["tuned"], row["written"]))
    return {
        "section": section,
        "name": scaling.point_name(net, section) if net.parameter else "",
        "found": [answers.found(comparison) for comparison in comparisons],
        "described": words.described(section),
        "command": commands.timing(document["run"], [section.model]),
        "modes": [mode for mode in MARKERS if _any(cells, "mode", mode)],
        "is_relaunched": any(comparison.num_launches > 1 for comparison in comparisons),
        "is_binned": any(len(cell["rounds_s"]) > drift.MOST_POINTS for cell in cells),
        "is_thinned": any(sum(map(len, cell["rounds_s"])) > charts.MOST_DOTS for cell in cells),
        "tables": [tables.times(comparison, document["roof"]) for comparison in comparisons if comparison.shown],
        "lanes": tuning,
        "lanes_command": commands.timing(document["run"], [section.model], tuned),
        "mode_tables": modes.tables(section),
        "activity_tables": gpu.activity(section),
        "energy_tables": gpu.energy(section),
        "stage_rows": cold.table(section),
        "has_warm": any(cell["warm_stages"] for cell in cells),
        "break_even_tables": breakeven.tables(section),
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
