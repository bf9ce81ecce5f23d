"""matplotlib's SVG made small, and made dark."""

import base64
import re

from reports.palette import DARK, LIGHT

FONT_STACK = "system-ui,'DejaVu Sans',sans-serif"
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
    svg = re.sub(r'<path [^>]*style="fill: none"/>', "", svg)
    svg = re.sub(
        r"; stroke-linejoin: miter|; stroke-linecap: butt|; text-anchor: start", "", svg
    )  # they are the default
    svg = re.sub(r'<g id="[^"]*"/?>|</?g>|<defs>\s*</defs>', "", svg)
    names: dict[str, str] = {}
    svg = re.sub(
        r'(?:xlink:)?(id="|href="#)(m[0-9a-f]{10})(?=")',
        lambda marker: marker[1] + names.setdefault(marker[2], f"m{len(names)}"),
        re.sub(r' xmlns:xlink="[^"]*"| version="1.1"', "", svg),
    )
    svg = re.sub(r">\s+<", "><", re.sub(r"[ \t]*\n[ \t]*", " ", svg))
    styles: dict[str, str] = {}
    svg = re.sub(r'style="([^"]*)"', lambda style: f'class="{styles.setdefault(style[1], f"c{len(styles)}")}"', svg)
    svg = _merged(svg, {name for style, name in styles.items() if "fill: none" in style and "opacity" not in style})
    rules = "".join(f".{name}{{{style.replace(': ', ':').replace('; ', ';')}}}" for style, name in styles.items())
    return re.sub(r"<style[^>]*>.*?</style>", f"<style>text{{font-family:{FONT_STACK}}}{rules}</style>", svg, count=1)


def _merged(svg: str, lines: set[str]) -> str:
    """Make one path of neighbours of the same class, if it is one of `lines`, which have no area to overlap."""

    def merge(found: re.Match[str]) -> str:
        paths = re.findall(r' d="([^"]*)"', found[0])
        if found[1] not in lines or not all(path.startswith(("m", "M")) for path in paths):
            return found[0]
        return f'<path d="{"".join(path.replace("m", "M", 1) for path in paths)}" class="{found[1]}"/>'

    return re.sub(r'<path d="[^"]*" class="(c\d+)"/>(?:<path d="[^"]*" class="\1"/>)+', merge, svg)


def _shorten(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _relative(path: str) -> str:
    """Rewrite a path of straight lines in steps from point to point, which take fewer digits; tighten any other."""
    if re.search(r"[^MLhz\s\d.-]|z\s*\S", path):
        return _tight(path)
    words = []
    at = 0, 0  # in tenths of a pixel, so that no rounding adds up
    for command, numbers in re.findall(r"([MLhz])([^MLhz]*)", path):
        if command in "hz":
            words.append({"h": "h0", "z": "z"}[command])
            continue
        x, y = (round(10 * float(number)) for number in numbers.split())
        words.append(_step(command.lower(), (x - at[0]) / 10, (y - at[1]) / 10))
        at = x, y
    return _tight("".join(words))


def _step(command: str, x: float, y: float) -> str:
    if command == "l" and (x == 0 or y == 0):
        return f"h{x:g}" if y == 0 else f"v{y:g}"
    return f"{command}{x:g} {y:g}"


def _tight(path: str) -> str:
    """Leave out what a reader of a path does not need: zeros before a point, spaces around letters and before signs."""
    path = re.sub(r"(?<![\d.])0(?=\.)", "", re.sub(r"\s*([A-Za-z])\s*", r"\1", path))
    return re.sub(r"\s+(?=-)", "", path).strip()


def darken(svg: str) -> str:
    """Replace each colour of the light scheme by its namesake of the dark one."""
    return re.sub(r"#[0-9a-f]{6}", lambda found: _DARK_OF.get(found[0], found[0]), svg)


def address(svg: str) -> str:
    """Return the SVG as a data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
