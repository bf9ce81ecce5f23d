"""The palette: contrast by WCAG 2, and the modes apart for readers with each kind of colour blindness."""

import itertools

import numpy as np
import pytest

from reports.palette import MODES, SCHEMES, STAGES, TEXT

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deuteranopia": np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    "tritanopia": np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]),
}


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    lights = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ np.clip(rgb, 0.001, 1) / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("name", SCHEMES)
def test_contrast(name: str) -> None:
    scheme = SCHEMES[name]
    for colour in (*TEXT, *MODES):  # a mode's name is written in its colour
        assert contrast(scheme[colour], scheme["background"]) >= 4.5, colour
    for panel in ("panel", "warn_panel", "bad_panel", "band"):
        assert contrast(scheme["ink"], scheme[panel]) >= 4.5, panel
    assert contrast(scheme["muted"], scheme["panel"]) >= 4.5
    for colour in (*STAGES, "rule"):
        assert contrast(scheme[colour], scheme["background"]) >= 3, colour


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("name", SCHEMES)
def test_colours_stay_apart(name: str, blindness: str) -> None:
    seen = {colour: lab(BLINDNESS[blindness] @ linear(SCHEMES[name][colour])) for colour in (*MODES, *STAGES)}
    neighbours = [*itertools.combinations(MODES, 2), *itertools.pairwise(STAGES)]
    for one, other in neighbours:
        assert np.linalg.norm(seen[one] - seen[other]) > 15, (one, other)


def test_recolouring_is_possible() -> None:
    light, dark = SCHEMES["light"], SCHEMES["dark"]
    assert light.keys() == dark.keys()
    assert len(set(light.values())) == len(light), "two names share a colour, so the dark chart would mix them up"
