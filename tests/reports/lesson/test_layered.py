"""The drawing of a graph: nothing upon another, data flows down, and no input breaks it."""

import itertools
import xml.etree.ElementTree as ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from reports.lesson.layered import GAP, Node, draw, lay_out


def nodes_of(inputs: dict[str, tuple[str, ...]]) -> list[Node]:
    return [Node(name, name, f"op: {name}", sources) for name, sources in inputs.items()]


def edges_of(nodes: list[Node]) -> list[tuple[str, str]]:
    return [(source, node.id) for node in nodes for source in dict.fromkeys(node.inputs)]


graphs = st.integers(1, 14).flatmap(
    lambda num: st.fixed_dictionaries(
        {f"n{index}": st.lists(st.integers(0, num), max_size=3) for index in range(num)}
    ).map(lambda drawn: nodes_of({name: tuple(f"n{one}" for one in inputs) for name, inputs in drawn.items()}))
)


@settings(max_examples=60, deadline=None)
@given(graphs)
def test_any_graph_is_drawn_without_overlap(nodes: list[Node]) -> None:
    """Also one with loops, with several edges between two nodes, and with inputs that are not in it."""
    layout, paths = lay_out(nodes, edges_of(nodes))
    assert sorted(one for layer in layout.layers for one in layer if isinstance(one, str)) == sorted(
        n.id for n in nodes
    )
    for layer in layout.layers:
        for left, right in itertools.pairwise(layer):
            room = layout.widths[left] / 2 + layout.widths[right] / 2 + GAP
            assert layout.middles[right] - layout.middles[left] >= room - 1e-6
    level_of = {one: level for level, layer in enumerate(layout.layers) for one in layer}
    for path in paths:
        levels = [level_of[one] for one in path]
        assert levels == list(range(levels[0], levels[-1] + 1)), "an edge goes down, a layer at a time"


def test_an_acyclic_graph_keeps_every_edge() -> None:
    nodes = nodes_of({"x": (), "w": (), "h": ("x", "w"), "y": ("h", "x")})
    _, paths = lay_out(nodes, edges_of(nodes))
    assert {(path[0], path[-1]) for path in paths} == {("x", "h"), ("w", "h"), ("h", "y"), ("x", "y")}


def test_drawing_is_one_svg_with_a_text_alternative_and_escaped_labels() -> None:
    nodes = [Node("a", "<b>", 'op: "a"', ()), Node("c", "a very long label that would not fit", "op", ("a",))]
    root = ElementTree.fromstring(draw(nodes, 'A "graph" & its text').svg)
    assert root.get("aria-label") == 'A "graph" & its text'
    assert root.get("role") == "img"
    texts = [one.text for one in root.iter() if one.tag.endswith("text")]
    assert texts[0] == "<b>"
    assert texts[1].endswith("…")
    left, top, width, height = map(float, root.get("viewBox", "").split())
    for box in (one for one in root.iter() if one.tag.endswith("rect")):
        x, y = float(box.get("x", "nan")), float(box.get("y", "nan"))
        assert left <= x <= x + float(box.get("width", "nan")) <= width
        assert top <= y <= y + float(box.get("height", "nan")) <= height
