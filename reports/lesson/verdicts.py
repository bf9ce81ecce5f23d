"""A claim's verdict: computed from the data by a rule that the page states beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.words import listed

HOLDS, ONLY, NOT_REPRODUCED, NOT_MEASURED = "holds", "only", "not-reproduced", "not-measured"
MOST_NAMED = 4
"""So many at most are named for which a claim held, and for which it did not."""
LEAST = 2
"""A verdict needs so many frameworks (or ways) for which the data decide."""


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Attributes:
        outcome: one of the four above.
        condition: of "only", what follows "holds only"; of "not-measured", what is missing.
        told: sentences with the figures that decided.
    """

    outcome: str
    condition: Markup | str = ""
    told: tuple[Markup, ...] = ()

    @property
    def text(self) -> Markup:
        """Return the verdict as a reader meets it."""
        if self.outcome == ONLY:
            return Markup("Holds only {}").format(self.condition)
        plain = {HOLDS: "Holds", NOT_REPRODUCED: "Not reproduced", NOT_MEASURED: "Not measured"}[self.outcome]
        return Markup("{}: {}").format(plain, self.condition) if self.condition else Markup(plain)


def decided(holds: bool, fails: bool) -> bool | None:
    """Return whether a claim held in one place; None where the data show neither."""
    return True if holds else False if fails else None


def over(
    found: Mapping[str, bool | None], told: Sequence[Markup | str] = (), form: str = "in {yes}, not in {no}"
) -> Verdict:
    """Return the verdict of a claim that was tried in several frameworks, or ways.

    Args:
        found: by name, whether the claim held; None where the data do not decide.
        told: the figures behind it.
        form: the condition of a claim that held in some, with their names for {yes} and those of the others for {no}.
    """
    sentences = tuple(Markup("{}").format(sentence) for sentence in told)
    known = {name: held for name, held in found.items() if held is not None}
    if len(known) < LEAST:
        gave = Markup("{} alone").format(listed(known)) if known else "none"
        missing = Markup("the rule asks for {} answers at least, and the data give {}").format(LEAST, gave)
        return Verdict(NOT_MEASURED, missing, sentences)
    if unknown := [name for name, held in found.items() if held is None]:
        names = listed(unknown) if len(unknown) <= MOST_NAMED else f"{len(unknown)} others"
        sentences += (Markup("The figures do not decide for {}.").format(names),)
    if all(known.values()):
        return Verdict(HOLDS, told=sentences)
    if not any(known.values()):
        return Verdict(NOT_REPRODUCED, told=sentences)
    yes, no = ([name for name, held in known.items() if held is wanted] for wanted in (True, False))
    those = listed(yes) if len(yes) <= MOST_NAMED else f"{len(yes)} of {len(known)}"
    others = listed(no) if len(no) <= MOST_NAMED else f"{len(no)} others"
    return Verdict(ONLY, Markup(form).format(yes=those, no=others), sentences)
