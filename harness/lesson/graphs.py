"""The graphs themselves: the two-layer net, its gradients and a chain of operations, as each framework keeps them.

A way is a function of the spec, the parameters and a batch (NumPy, in canonical layout) that returns the graphs.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from harness.problem import Problem
from impls.contract import Arrays
from impls.graphs import Graph
from impls.specs import ModelSpec

MAX_TEXT_CHARACTERS = 3000

Way = Callable[[ModelSpec, Arrays, Arrays], list[Graph]]


def probe(way: Way) -> dict[str, Any]:
    """Return {"graphs": the graphs as plain values, each with `num_nodes`}; texts are cut off behind a line."""
    problem = Problem.of("two_layer", "original", seed=0)
    return {"graphs": [_plain(graph) for graph in way(problem.spec, problem.params, problem.batches[0])]}


def _plain(graph: Graph) -> dict[str, Any]:
    nodes = [{**asdict(node), "inputs": list(node.inputs)} for node in graph.nodes]
    return {**asdict(graph), "nodes": nodes, "num_nodes": len(nodes), "text": shortened(graph.text)}


def shortened(text: str) -> str:
    """Return as many whole lines as fit into `MAX_TEXT_CHARACTERS`, and how many are left out."""
    if len(text) <= MAX_TEXT_CHARACTERS:
        return text
    kept = text[: MAX_TEXT_CHARACTERS - 40].rsplit("\n", 1)[0]
    return f"{kept}\n… and {text.count(chr(10)) - kept.count(chr(10))} more lines"
