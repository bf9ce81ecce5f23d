"""The clinic: benchmarks that run, print a figure, and are wrong. Importing this imports none of them.

Each is a program, `python -m harness.lesson.clinic.NAME`, whose docstring holds its title, the symptom, and what a
reader is to find out: diagnosis and remedy. Its `measure()` returns the figures that it prints.
"""

import ast
import re
from dataclasses import asdict, dataclass
from pathlib import Path

PROGRAMS = (
    "returns_early",
    "first_call",
    "traced_again",
    "python_number",
    "dead_code",
    "half_the_bytes",
    "data_inside",
    "growing_graph",
    "tiny_numbers",
)
"""In the order in which they are shown."""

PARTS = ("symptom", "diagnosis", "remedy")


@dataclass(frozen=True)
class Case:
    """A broken benchmark, as it is shown.

    Attributes:
        name: of its module.
        code: without the docstring.
        symptom: what it prints, and what is strange about that.
        diagnosis, remedy: to be hidden until the reader asks.
    """

    name: str
    title: str
    code: str
    symptom: str
    diagnosis: str
    remedy: str

    def as_dict(self) -> dict[str, str]:
        """Return what the result document carries."""
        return {name: text for name, text in asdict(self).items() if name != "name"}


def cases() -> list[Case]:
    """Read the programs, without running them."""
    return [_case(name) for name in PROGRAMS]


def _case(name: str) -> Case:
    source = (Path(__file__).parent / f"{name}.py").read_text()
    tree = ast.parse(source)
    title, *paragraphs = (ast.get_docstring(tree) or "").split("\n\n")
    parts = {}
    for paragraph in paragraphs:
        part, _, words = paragraph.partition(":")
        parts[part.lower()] = re.sub(r"\s+", " ", words).strip()
    code = "\n".join(source.splitlines()[tree.body[0].end_lineno :]).strip() + "\n"
    return Case(name, title.rstrip("."), code, *(parts[part] for part in PARTS))
