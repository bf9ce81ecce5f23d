"""The graphs themselves, drawn from what the frameworks made: before and after they were optimised."""

from collections import Counter
from typing import Any

from reports.lesson.cards import Table
from reports.lesson.layered import Node, draw
from reports.lesson.measured import Record
from reports.numbers import count_text

MOST_NODES = 80
MOST_KINDS = 8
WIDEST_IN_COLUMN = 440
"""In pixels."""
STAGES = ("before", "after")


def subjects(graphs: list[Record]) -> list[dict[str, Any]]:
    """Return, for each subject, the table of node counts, and each framework's graphs with their drawings."""
    found: dict[str, dict[str, list[Record]]] = {}
    for graph in graphs:
        found.setdefault(graph["subject"], {}).setdefault(graph["framework"], []).append(graph)
    return [
        {
            "title": subject,
            "table": _table(of_framework),
            "frameworks": [_side_by_side(name, graphs) for name, graphs in of_framework.items()],
        }
        for subject, of_framework in found.items()
    ]


def _side_by_side(framework: str, graphs: list[Record]) -> dict[str, Any]:
    """Return one framework's graphs of a subject, before first, and whether they are too wide for two columns."""
    drawn = [_drawn(graph) for graph in sorted(graphs, key=lambda graph: STAGES.index(graph["stage"]))]
    widths = [one["drawing"].width for one in drawn if one["drawing"]]
    return {"name": framework, "graphs": drawn, "is_wide": max(widths, default=0) > WIDEST_IN_COLUMN}


def _table(of_framework: dict[str, list[Record]]) -> Table:
    rows = []
    for framework, graphs in of_framework.items():
        cells = []
        for stage in STAGES:
            mine = [graph for graph in graphs if graph["stage"] == stage]
            cells.append(", ".join(f"{graph['num_nodes']:,} ({graph['artefact']})" for graph in mine) or "–")
        rows.append((framework, cells))
    return Table("Nodes in each graph", ("framework", "before optimisation", "after"), rows, kind="text")


def _drawn(graph: Record) -> dict[str, Any]:
    nodes = [
        Node(node["id"], node["label"] or node["op"], f"{node['op']}: {node['id']}", tuple(node["inputs"]))
        for node in graph["nodes"]
    ]
    alt = f"{graph['framework']}, {graph['artefact']}, {graph['stage']} optimisation: {_described(graph)}"
    return {
        "artefact": graph["artefact"],
        "stage": graph["stage"],
        "num_nodes": graph["num_nodes"],
        "described": _described(graph),
        "drawing": draw(nodes, alt) if 0 < len(nodes) <= MOST_NODES else None,
        "text": graph["text"],
    }


def _described(graph: Record) -> str:
    """Return which operations a graph has, the most frequent first."""
    kinds = Counter(node["op"] for node in graph["nodes"]).most_common()
    listed = ", ".join(f"{number} × {kind}" if number > 1 else kind for kind, number in kinds[:MOST_KINDS])
    rest = f" and {len(kinds) - MOST_KINDS} more kinds" if len(kinds) > MOST_KINDS else ""
    return f"{count_text(graph['num_nodes'], 'node')}: {listed}{rest}."
