"""matplotlib's SVG made small, and made dark."""

import base64
import re

from reports.palette import DARK, LIGHT

FONT_STACK = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
_DARK_OF = {LIGHT[name]: DARK[name] for name in LIGHT}


def tidy(svg: str) -> str:
    """Shorten an SVG to about a fifth: no metadata or clipping, one decimal, styles as classes, the page's font.

    Clip paths are dropped, so a chart must draw nothing outside its axes. A path of one point becomes a dot.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<clipPath.*?</clipPath>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d+", _shorten, tag[0]), svg)
    svg = re.sub(r"M ([-\d.]+) ([-\d.]+) \nL \1 \2 \n", r"M\1 \2h0", svg)
    svg = re.sub(r'(?<= d=")[^"]*', lambda path: _relative(path[0]), svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"| clip-path="[^"]*"', "", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r'<g id="[^"]*"/?>|</?g>|<defs>\s*</defs>', "", svg)
    names: dict[str, str] = {}
    svg = re.sub(
        r'(?:xlink:)?(id="|href="#)(m[0-9a-f]{10})(?=")',
        lambda marker: marker[1] + names.setdefault(marker[2], f"m{len(names)}"),
        svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', ""),
    )
    svg = re.sub(r">\s+<", "><", re.sub(r"[ \t]*\n[ \t]*", " ", svg))
    styles: dict[str, str] = {}
    svg = re.sub(r'style="([^"]*)"', lambda style: f'class="{styles.setdefault(style[1], f"c{len(styles)}")}"', svg)
    rules = "".join(f".{name}{{{style.replace(': ', ':').replace('; ', ';')}}}" for style, name in styles.items())
    return re.sub(r"<style[^>]*>.*?</style>", f"<style>text{{font-family:{FONT_STACK}}}{rules}</style>", svg, count=1)


def _shorten(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _relative(path: str) -> str:
    """Rewrite a path of straight lines in steps from point to point, which take fewer digits; leave any other."""
    if re.search(r"[^MLh\s\d.-]", path):
        return path
    words = []
    at = 0, 0  # in tenths of a pixel, so that no rounding adds up
    for command, numbers in re.findall(r"([MLh])([^MLh]*)", path):
        if command == "h":
            words.append("h0")
            continue
        x, y = (round(10 * float(number)) for number in numbers.split())
        words.append(f"{command.lower()}{(x - at[0]) / 10:g} {(y - at[1]) / 10:g}")
        at = x, y
    return re.sub(r"(?<![\d.])0(?=\.)| (?=-)", "", "".join(words))


def darken(svg: str) -> str:
    """Replace each colour of the light scheme by its namesake of the dark one."""
    return re.sub(r"#[0-9a-f]{6}", lambda found: _DARK_OF.get(found[0], found[0]), svg)


def address(svg: str) -> str:
    """Return the SVG as a data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
