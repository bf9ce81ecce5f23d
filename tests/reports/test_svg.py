"""Charts made small: the lines stay where matplotlib drew them."""

import re

import pytest

from reports import svg


def points(path: str) -> list[tuple[float, float]]:
    """Follow a path of steps; returns every point that it comes to."""
    at = 0.0, 0.0
    found = []
    for command, numbers in re.findall(r"([mlh])([^mlh]*)", path):
        step = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", numbers)]
        assert len(step) == (1 if command == "h" else 2), path
        at = at[0] + step[0], at[1] + (0 if command == "h" else step[1])
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
    assert 'd="M 0 3 C 1 3 2 2 3 0 z"' in tidied
    assert '<path id="m0" ' in tidied
    assert '<use href="#m0" x="1.3"/>' in tidied
    assert "<text>m0123456789</text>" in tidied, "a name that looks like a marker's was changed"
