"""Goes on with a run that was stopped or killed: the nets that it finished are kept, and all others are measured.

A net is measured as a whole, since its ratios come from rounds in which all its variants take part.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import options, results
from harness.folders import PARTIAL, RESULTS
from harness.options import OptionError

CHANGING = ("load_at_start", "load_at_end")
"""What of the environment says nothing about whether it is the same one."""


def load(run: str, parent: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the block of a run.

    Args:
        run: its id in `parent`, its folder or its document.
        parent: where runs are.

    Raises:
        OptionError: there is no such run, or its document cannot be read.
    """
    for place in (Path(run), parent / run):
        folder = (place.parent if place.is_file() else place).resolve()
        for name in (PARTIAL, RESULTS):  # both are there if it was killed after it had been resumed
            if (folder / name).is_file():
                try:
                    return folder, results.load(folder / name)["likeforlike"]
                except results.ResultError as error:
                    raise OptionError(f"--resume: {error}") from error
    known = ", ".join(sorted(path.parent.name for path in parent.glob(f"*/{PARTIAL}") if not path.parent.is_symlink()))
    raise OptionError(f"--resume {run}: no such run in {parent}" + (f"; unfinished are {known}" if known else ""))


def adopt(values: argparse.Namespace, block: Mapping[str, Any]) -> None:
    """Give options the values that the run was started with; raises OptionError for one that now says otherwise."""
    for name, earlier in block["run"]["options"].items():
        given = getattr(values, name)
        if given not in (options.DEFAULTS[name], earlier):
            told = "the default" if earlier is None else earlier
            raise OptionError(f"--{name} {given}: the run to be resumed had {told}; leave the option out")
        setattr(values, name, earlier)


def require_same(block: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
    """Raise OptionError unless this is the machine, the code, the interpreters and the packages that the run had."""
    for key, earlier in block["environment"].items():
        now = environment[key]
        if key in CHANGING or now == earlier:
            continue
        while isinstance(now, dict) and isinstance(earlier, dict):
            key, earlier, now = next(
                (name, earlier.get(name), now.get(name))
                for name in sorted(earlier.keys() | now.keys())
                if earlier.get(name) != now.get(name)
            )
        raise OptionError(
            f"--resume: {key} was {earlier} and is {now} now; one run cannot mix them, so start a new one"
        )
