"""The colours of the page and its charts: a light and a dark scheme with the same names.

The hues of the modes follow Okabe and Ito (2008), made darker or lighter until each stands out from its background and
from the others for the colour-blind too; a marker's shape says the same. Charts are drawn in LIGHT and recoloured, so
no two names may share a value.
"""

LIGHT = {
    "background": "#fdfdfb",
    "panel": "#f4f3ee",
    "ink": "#1b1d22",
    "muted": "#585d66",
    "line": "#d9d7cf",
    "rule": "#7d818a",
    "band": "#e9e4d3",
    "link": "#0b5cad",
    "eager": "#0b4fa0",
    "graph": "#b84a00",
    "compiled": "#00805c",
    "import": "#787d87",
    "build": "#6b1f55",
    "trace": "#2a9d8f",
    "compile": "#c8601c",
    "first_step": "#11528f",
    "second_step": "#4a90cf",
    "good": "#1a6e46",
    "warn": "#8a5200",
    "bad": "#b3261e",
    "warn_panel": "#fff4de",
    "bad_panel": "#fdecea",
}

DARK = {
    "background": "#15171b",
    "panel": "#1e2126",
    "ink": "#eceae4",
    "muted": "#a9adb6",
    "line": "#34383f",
    "rule": "#8b8f98",
    "band": "#35322a",
    "link": "#8cc4ff",
    "eager": "#4a9df0",
    "graph": "#f08a35",
    "compiled": "#4fe0b0",
    "import": "#868b95",
    "build": "#e6c0dc",
    "trace": "#2fa898",
    "compile": "#f0893c",
    "first_step": "#4aa8e8",
    "second_step": "#c9e4ff",
    "good": "#6fd3a2",
    "warn": "#f0b75e",
    "bad": "#ff9a90",
    "warn_panel": "#2e2616",
    "bad_panel": "#341f1d",
}

SCHEMES = {"light": LIGHT, "dark": DARK}
MODES = ("eager", "graph", "compiled")
STAGES = ("import", "build", "trace", "compile", "first_step", "second_step")
TEXT = ("ink", "muted", "link", "good", "warn", "bad")


def css_variables(scheme: dict[str, str]) -> str:
    """Return the scheme as CSS custom properties, one a name."""
    return " ".join(f"--{name.replace('_', '-')}: {value};" for name, value in scheme.items())
