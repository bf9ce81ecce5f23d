"""A graph as a framework made it, in a form that can be drawn. `impls/<backend>/experiments/graphs.py` makes these."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Node:
    """An operation of a graph, or an argument.

    Attributes:
        id: unique in its graph.
        op: what it computes, in the framework's word.
        label: what a drawing calls it.
        inputs: ids of the nodes whose results it reads.
    """

    id: str
    op: str
    label: str
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """What a framework keeps of a function.

    Attributes:
        subject: what the function computes; the same words in every framework.
        artefact: the framework's word for such a graph.
        stage: before or after the framework optimised it.
        text: the graph as the framework prints it, or as a line per node where it prints none.
    """

    subject: str
    artefact: str
    stage: Literal["before", "after"]
    nodes: list[Node]
    text: str


NET = "two-layer net: forward"
GRADIENTS = "two-layer net: loss and gradients"
CHAIN = "chain of 20 operations"


def as_lines(nodes: list[Node]) -> str:
    """Return a line per node: its name, its operation, and what it reads."""
    return "\n".join(f"{node.id} = {node.op}({', '.join(node.inputs)})" for node in nodes)


def of_graph_def(subject: str, artefact: str, stage: Literal["before", "after"], nodes: Iterable[Any]) -> Graph:
    """Return a part of a GraphDef; the text is a line per node, where a GraphDef's own has ten."""
    kept = [Node(node.name, node.op, node.name.split("/")[-1], inputs_of(node)) for node in nodes]
    return Graph(subject, artefact, stage, kept, as_lines(kept))


def inputs_of(node: Any) -> tuple[str, ...]:
    """Return the names of nodes: of "^name:1", which is the second output, waited for and not read, "name"."""
    return tuple(dict.fromkeys(name.removeprefix("^").split(":")[0] for name in node.input))
