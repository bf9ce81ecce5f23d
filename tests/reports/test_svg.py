"""Charts made small: the lines stay where matplotlib drew them."""

import re

import pytest

from reports import svg


def points(path: str) -> list[tuple[float, float]]:
    """Follow a path of steps; returns every point that it comes to."""
    at = start = 0.0, 0.0
    found = []
    for command, numbers in re.findall(r"([Mmlhvz])([^Mmlhvz]*)", path):
        step = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
        assert len(step) == {"h": 1, "v": 1, "z": 0}.get(command, 2), path
        across, down = {"h": [*step, 0.0], "v": [0.0, *step], "z": [start[0] - at[0], start[1] - at[1]]}.get(
            command, step
        )
        at = (across, down) if command == "M" else (at[0] + across, at[1] + down)
        start = at if command in "Mm" else start
        found.append(at)
    return found


def test_a_line_in_steps_comes_to_the_same_points() -> None:
    drawn = [(59.34, 604.0), (59.3, 603.51), (60.26, 604.449), (1.05, -0.3), (101.0, 9.96), (101.0, 9.96)]
    path = "M " + " \nL ".join(f"{x} {y}" for x, y in drawn) + " \n"
    tidied = svg.tidy(f'<svg><style></style><path d="{path}"/></svg>')
    (short,) = re.findall(' d="([^"]*)"', tidied)
    assert len(short) < 0.7 * len(path)
    for (x, y), (wanted_x, wanted_y) in zip(points(short), drawn, strict=True):
        assert (x, y) == pytest.approx((wanted_x, wanted_y), abs=0.0501)


def test_curves_are_left_alone_and_markers_found_again() -> None:
    source = (
        '<svg xmlns:xlink="http://www.w3.org/1999/xlink"><style></style><defs>'
        '<path id="m0123456789" d="M 0 3 C 1 3 2 2 3 0 z"/></defs><use xlink:href="#m0123456789" x="1.26"/>'
        "<text>m0123456789</text></svg>"
    )
    tidied = svg.tidy(source)
    assert 'd="M0 3C1 3 2 2 3 0z"' in tidied
    assert '<path id="m0" ' in tidied
    assert '<use href="#m0" x="1.3"/>' in tidied
    assert "<text>m0123456789</text>" in tidied, "a name that looks like a marker's was changed"


def test_a_box_and_its_neighbour_keep_their_corners() -> None:
    boxes = ["M 1 60 L 11.5 60 L 11.5 75 L 1 75 z ", "M 11.5 60 L 20 60 L 20 75 L 11.5 75 z "]
    drawn = "".join(f'<path d="{box}" style="fill: #787d87"/>' for box in boxes)
    short = re.findall(' d="([^"]*)"', svg.tidy(f"<svg><style></style>{drawn}</svg>"))
    assert [points(path) for path in short] == [
        [(1, 60), (11.5, 60), (11.5, 75), (1, 75), (1, 60)],
        [(11.5, 60), (20, 60), (20, 75), (11.5, 75), (11.5, 60)],
    ]


def test_neighbouring_lines_become_one_path_and_what_cannot_be_seen_goes() -> None:
    line = '<path d="M {0} 5 \nL {0} 9 \n" style="fill: none; stroke: #d9d7cf"/>'
    unseen = '<path d="M 0 9 L 9 9 L 9 0 L 0 0 z " style="fill: none"/>'
    faint = '<path d="M {0} 5 \nL {0} 9 \n" style="fill: none; stroke: #d9d7cf; opacity: 0.6"/>'
    drawn = unseen + line.format(1) + line.format(2) + faint.format(3) + faint.format(4)
    merged, *apart = re.findall(' d="([^"]*)"', svg.tidy(f"<svg><style></style>{drawn}</svg>"))
    assert points(merged) == [(1, 5), (1, 9), (2, 5), (2, 9)]
    assert len(apart) == 2, "where two lines that can be seen through cross, they must stay two"
