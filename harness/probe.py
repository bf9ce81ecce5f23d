"""Says what an interpreter is and what is installed there: `python - '["MODULE", …]' < probe.py` prints it as JSON.

It is sent to interpreters that have nothing of this project, and that may be too old for it.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Collection, Iterable


def describe(modules: list[str]) -> dict[str, object]:
    """Return what this interpreter is and, unless it is too old, which modules it finds and its packages' versions."""
    found: dict[str, object] = {
        "version": platform.python_implementation() + " " + platform.python_version(),
        "prefix": sys.prefix,
        "is_too_old": sys.version_info < (3, 11),
    }
    if not found["is_too_old"]:
        found["modules"] = [module for module in modules if is_installed(module)]
        found["packages"] = packages(modules)
    return found


def is_installed(module: str) -> bool:
    """Tell whether a top-level module is installed (a bare folder of that name is not one)."""
    from importlib.util import find_spec

    spec = find_spec(module)
    return spec is not None and spec.origin is not None


def packages(modules: Iterable[str], names: Collection[str] = ()) -> dict[str, str]:
    """Return the versions of the distributions called `names`, and of those that belong to modules.

    A distribution belongs to a module when its name begins with the module's: a framework's compiled part or its build
    for one device is often a distribution of its own. So are the libraries that NVIDIA builds for all of them.
    """
    from importlib.metadata import distributions  # here: a Python without it must still tell what it is

    prefixes = ("nvidia-", *(module.replace("_", "-") for module in modules))
    found = {}
    for distribution in distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name in names or name.startswith(prefixes):
            found[name] = distribution.version
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print(json.dumps(describe(json.loads(sys.argv[1]))))
