"""A directed graph laid out in layers, data flowing down, and drawn as a small SVG in the page's own colours.

The method is Sugiyama’s (1981): layers by the longest path, waypoints where an edge passes a layer, neighbours in the
order of the mean of what they hang on. The page’s style sheet colours the drawing, so one serves both schemes.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from markupsafe import Markup

ROW, HEIGHT, GAP = 44, 24, 12
"""Distance of layers, height of a node, and the least gap between neighbours, in pixels."""
LETTER, PADDING = 6.7, 16
LONGEST = 24
NUM_SWEEPS = 6


@dataclass(frozen=True)
class Node:
    """An operation and the nodes that it takes its inputs from."""

    id: str
    label: str
    title: str
    inputs: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the label as it is drawn."""
        return self.label if len(self.label) <= LONGEST else f"{self.label[: LONGEST - 1]}…"


@dataclass
class Layout:
    """Where everything is.

    Attributes:
        layers: ids from top to bottom, from left to right; a waypoint's is (from, to, layer).
        middles: of each id, in pixels.
        widths: likewise.
    """

    layers: list[list[object]]
    middles: dict[object, float] = field(default_factory=dict)
    widths: dict[object, float] = field(default_factory=dict)

    @property
    def width(self) -> float:
        """Return the width of the drawing."""
        return max(self.middles[one] + self.widths[one] / 2 for layer in self.layers for one in layer)


@dataclass(frozen=True)
class Drawing:
    """A graph as an SVG element, and how wide it is, in pixels."""

    svg: Markup
    width: int


def draw(nodes: Sequence[Node], alt: str) -> Drawing:
    """Return the graph as an SVG element whose text alternative is `alt`."""
    edges = [(source, node.id) for node in nodes for source in dict.fromkeys(node.inputs)]
    layout, paths = lay_out(nodes, edges)
    level_of = {one: level for level, layer in enumerate(layout.layers) for one in layer}
    width, height = round(layout.width) + 2, ROW * (len(layout.layers) - 1) + HEIGHT + 2
    start = '<svg class="graph-drawing" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">'
    parts = [Markup(start).format(alt, width, height, width, height)]
    parts.append(
        Markup('<path class="edges" d="{}"/>').format("".join(_path(path, layout, level_of) for path in paths))
    )
    for node in nodes:
        left = layout.middles[node.id] - layout.widths[node.id] / 2 + 1
        top = ROW * level_of[node.id] + 1
        kind = "node" if node.inputs else "node source"
        box = '<rect class="{}" x="{:.0f}" y="{}" width="{:.0f}" height="{}" rx="5"><title>{}</title></rect>'
        parts.append(Markup(box).format(kind, left, top, layout.widths[node.id], HEIGHT, node.title))
        text = '<text x="{:.0f}" y="{}">{}</text>'
        parts.append(Markup(text).format(layout.middles[node.id] + 1, top + 16, node.text))
    parts.append(Markup("</svg>"))
    return Drawing(Markup("").join(parts), width)


def lay_out(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> tuple[Layout, list[list[object]]]:
    """Return the layout, and each edge as the ids that it goes through; one from nowhere, or back, has none."""
    levels = _levels(nodes)
    layers: list[list[object]] = [[] for _ in range(max(levels.values()) + 1)]
    for node in nodes:
        layers[levels[node.id]].append(node.id)
    paths = []
    for source, target in edges:
        if source in levels and levels[source] < levels[target]:
            between: list[object] = [(source, target, level) for level in range(levels[source] + 1, levels[target])]
            for level, waypoint in enumerate(between, levels[source] + 1):
                layers[level].append(waypoint)
            paths.append([source, *between, target])
    layout = Layout(layers)
    for node in nodes:
        layout.widths[node.id] = max(40.0, LETTER * len(node.text) + PADDING)
    _order(layout, paths)
    return layout, paths


def _levels(nodes: Sequence[Node]) -> dict[str, int]:
    """Return each node's layer: below all its inputs, and what has no inputs right above what uses it first."""
    inputs = {node.id: [one for one in node.inputs if one != node.id] for node in nodes}
    levels: dict[str, int] = {}
    waiting = list(inputs)
    while waiting:
        ready = [one for one in waiting if all(source in levels or source not in inputs for source in inputs[one])]
        ready = ready or waiting[:1]  # a loop: begin it at its first node
        for one in ready:
            levels[one] = 1 + max((levels[source] for source in inputs[one] if source in levels), default=-1)
        waiting = [one for one in waiting if one not in levels]
    users: dict[str, list[int]] = {}
    for one, sources in inputs.items():
        for source in sources:
            users.setdefault(source, []).append(levels[one])
    for one, sources in inputs.items():
        if not sources and one in users:
            levels[one] = max(0, min(users[one]) - 1)
    return levels


def _order(layout: Layout, paths: Sequence[Sequence[object]]) -> None:
    """Move neighbours to the mean of what they hang on, down and up in turn, and give everything its place."""
    above: dict[object, list[object]] = {}
    below: dict[object, list[object]] = {}
    for path in paths:
        for upper, lower in itertools.pairwise(path):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    for layer in layout.layers:
        _place(layout, layer, {})
    for sweep in range(NUM_SWEEPS):
        is_down = sweep % 2 == 0
        for layer in layout.layers if is_down else reversed(layout.layers):
            hangs_on = above if is_down else below
            wanted = {one: fmean(layout.middles[other] for other in hangs_on[one]) for one in layer if one in hangs_on}
            layer.sort(key=lambda one: wanted.get(one, layout.middles[one]))
            _place(layout, layer, wanted)
    left = min(layout.middles[one] - layout.widths.get(one, 0) / 2 for layer in layout.layers for one in layer)
    for one in layout.middles:
        layout.middles[one] -= left
        layout.widths.setdefault(one, 0.0)


def _place(layout: Layout, layer: Sequence[object], wanted: Mapping[object, float]) -> None:
    """Set the middles of a layer: near where each wants to be, none upon another, centred on the whole."""
    place, middles = 0.0, []
    for index, one in enumerate(layer):
        half = layout.widths.get(one, 0.0) / 2
        place = max(place + half + (GAP if index else 0), wanted.get(one, -1e9)) if index else wanted.get(one, 0.0)
        middles.append(place)
        place += half
    shift = fmean([wanted[one] - middle for one, middle in zip(layer, middles, strict=True) if one in wanted] or [0.0])
    for one, middle in zip(layer, middles, strict=True):
        layout.middles[one] = middle + shift


def _path(path: Sequence[object], layout: Layout, level_of: Mapping[object, int]) -> str:
    """Return an edge as curves from the bottom of one box to the top of another."""
    words = []
    for upper, lower in itertools.pairwise(path):
        x, y = layout.middles[upper] + 1, ROW * level_of[upper] + HEIGHT + 1
        to_x, to_y = layout.middles[lower] + 1, ROW * level_of[lower] + 1
        bend = (to_y - y) / 2
        words.append(f"M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y:.0f}")
        if layout.widths[lower] == 0:
            words.append(f"M{to_x:.0f} {to_y:.0f}V{to_y + HEIGHT:.0f}")
    return "".join(words)
