"""What to type to make a figure again: the run's own options, restricted to what the figure shows."""

import shlex
from collections.abc import Iterable
from typing import Any

Run = dict[str, Any]

LEFT_TO_DEFAULT = {"device": "auto", "seed": "0"}


def timing(run: Run, models: Iterable[str] = (), variants: Iterable[str] = ()) -> str:
    """Return the command that certifies and times nets anew; without names, what the run itself did."""
    return _command(["pytest", "--benchmark"], run, {"models": models, "variants": variants}, ("csv", "sweep"))


def certificates(run: Run, model: str, optimizer: str | None = None) -> str:
    """Return the command that repeats the certificates of a net, of all variants unless the run was given some."""
    only: dict[str, Iterable[str]] = {"models": [model], "variants": _asked(run, "variants")}
    if optimizer is not None:
        only["optimizers"] = [optimizer]
    return _command(["python", "-m", "harness", "check"], run, only, ("csv",))


def doctor(run: Run) -> str:
    """Return the command that looks at the machine again."""
    return _joined(["python", "-m", "harness", "doctor"], {"threads": run["options"].get("threads")})


def _command(words: list[str], run: Run, only: dict[str, Iterable[str]], more: Iterable[str]) -> str:
    options = run["options"]
    chosen = {"preset": run["preset"]}
    for name, values in only.items():
        chosen[name] = ",".join(values) or options.get(name)
    kept = {name: options.get(name) for name in ("threads", "device", "seed", "python", *more)}
    return _joined(words, chosen | {name: value for name, value in kept.items() if LEFT_TO_DEFAULT.get(name) != value})


def _asked(run: Run, name: str) -> list[str]:
    return [value for value in (run["options"].get(name) or "").split(",") if value]


def _joined(words: list[str], options: dict[str, str | None]) -> str:
    return shlex.join(
        [*words, *(word for name, value in options.items() if value for word in (f"--{name}", str(value)))]
    )
