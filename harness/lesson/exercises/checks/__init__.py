"""The checks: `REQUIRES`, `HINTS`, and `check(solution)`, which returns what it found or raises `UnsolvedError`."""


class UnsolvedError(Exception):
    """A file does not do what is asked; the message says what was found."""
