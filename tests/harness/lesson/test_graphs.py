"""Graphs as plain values: counted, and with a text that fits on a page."""

from harness.lesson import graphs
from impls.graphs import NET, Graph, Node, as_lines

NODES = [Node("x", "argument", "x"), Node("y", "tanh", "tanh", ("x",))]


def test_a_graph_becomes_plain_values() -> None:
    def way(spec, params, batch):
        assert spec.model == "two_layer"
        assert set(params) == {"w1", "w2"}
        assert set(batch) == {"x", "y"}
        return [Graph(NET, "list", "before", NODES, as_lines(NODES))]

    (found,) = graphs.probe(way)["graphs"]
    assert found["nodes"][1] == {"id": "y", "op": "tanh", "label": "tanh", "inputs": ["x"]}
    assert found["num_nodes"] == 2
    assert found["text"] == "x = argument()\ny = tanh(x)"


def test_a_long_text_ends_behind_a_line() -> None:
    lines = [f"line {number}" for number in range(1000)]
    short = graphs.shortened("\n".join(lines))
    assert len(short) <= graphs.MAX_TEXT_CHARACTERS
    kept, last = short.splitlines()[:-1], short.splitlines()[-1]
    assert kept == lines[: len(kept)]
    assert last == f"… and {1000 - len(kept)} more lines"
    assert graphs.shortened("short") == "short"
