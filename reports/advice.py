"""What the doctor found on the machine: its warnings beside the figures that they blur, and the whole list."""

from typing import Any

from reports.sections import Document

Finding = dict[str, Any]

MARKS = {"warning": "⚠\ufe0e", "unknown": "?", "fine": "✓"}


def warnings(document: Document) -> list[Finding]:
    """Return the warnings that blur a figure, in the doctor's order."""
    return [finding for finding in document["doctor"] if finding["status"] == "warning"]


def by_figure(document: Document) -> dict[str, list[str]]:
    """Return the names of the checks that warn, by the figures that they blur.

    What a GPU's times suffer from counts for all times, since the run that they are of has no others.
    """
    found: dict[str, list[str]] = {}
    for finding in warnings(document):
        figures = ["times" if figure == "gpu times" else figure for figure in finding["affects"]]
        for figure in dict.fromkeys(figures):
            found.setdefault(figure, []).append(finding["check"])
    return found


def anchor(check: str) -> str:
    """Return the id of a check's row in the list."""
    return "doctor-" + "".join(char if char.isalnum() else "-" for char in check)


def table(document: Document) -> list[dict[str, Any]]:
    """Return every finding, warnings first."""
    order = list(MARKS)
    findings = sorted(document["doctor"], key=lambda finding: order.index(finding["status"]))
    return [finding | {"mark": MARKS[finding["status"]], "anchor": anchor(finding["check"])} for finding in findings]
