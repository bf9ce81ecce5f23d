"""Two runs side by side: which cells belong together, and in what their machines, sizes and versions differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.options import OptionError

Record = Mapping[str, Any]
"""A part of a result document; what has the name `old` or `new` is its block `likeforlike`."""


@dataclass(frozen=True)
class Place:
    """What the cells of one group have in common."""

    model: str
    size: str
    batch_size: int
    phase: str
    precision: str

    def __str__(self) -> str:
        return f"{self.model} ({self.size}, batch {self.batch_size}) {self.phase}"


def place_of(entry: Record) -> Place:
    """Return where a cell or group belongs."""
    return Place(entry["model"], entry["size"], entry["batch_size"], entry["phase"], entry["precision"])


def cells(block: Record) -> dict[tuple[Place, str], Record]:
    """Return the cells by place and variant. Not by device: another device counts as another machine."""
    return {(place_of(cell), cell["variant"]): cell for cell in block["cells"]}


def timed(block: Record) -> dict[tuple[Place, str], Record]:
    """Return those of the cells that have a time."""
    return {key: cell for key, cell in cells(block).items() if cell["status"] == "timed"}


# ---------------------------------------------------------------- in what they differ


def machine_differences(old: Record, new: Record) -> list[str]:
    """Return in what the machines of two runs differ, threads, devices and precision included: "threads: 2 → 4"."""
    before, after = _machine(old), _machine(new)
    found = [f"{fact}: {before[fact]} → {after[fact]}" for fact in before if before[fact] != after[fact]]
    devices = {key: cell["device"] for key, cell in timed(old).items()}
    found += [
        f"device: {devices[key]} → {cell['device']}"
        for key, cell in timed(new).items()
        if key in devices and devices[key] != cell["device"]
    ]
    return list(dict.fromkeys(found))


def _machine(block: Record) -> dict[str, Any]:
    run, environment = block["run"], block["environment"]
    return {
        "CPU": environment["cpu"],
        "physical cores": environment["num_physical_cores"],
        "logical cores": environment["num_logical_cores"],
        "usable CPUs": len(environment["affinity"]),
        "GPUs": ", ".join(str(gpu.get("name")) for gpu in environment["gpus"]) or "none",
        "threads": run["num_threads"],
        "device": run["device"],
        "precision": run.get("precision", "fp32"),
    }


def size_differences(old: Record, new: Record) -> dict[str, str]:
    """Return in words the nets of which two runs have no size in common; another number of parameters is another."""
    before, after = _sizes(old), _sizes(new)
    return {
        model: f"{model}: {_listed(before[model])} → {_listed(after[model])}"
        for model in before
        if model in after and not before[model] & after[model]
    }


def _sizes(block: Record) -> dict[str, set[tuple[str, int, int]]]:
    found: dict[str, set[tuple[str, int, int]]] = {}
    for group in block["groups"]:
        size = group["size"], group["batch_size"], group["num_params"]
        found.setdefault(group["model"], set()).add(size)
    return found


def _listed(sizes: Iterable[tuple[str, int, int]]) -> str:
    return ", ".join(f"{size} in batches of {batch}, {params:,} parameters" for size, batch, params in sorted(sizes))


def at_sizes_of(old: Record, new: Record, models: Iterable[str]) -> Record:
    """Return `new` with the size of each of `models` called as in `old`, so that its cells find each other.

    Raises:
        OptionError: a net has several sizes in a run, and nothing says which belong together.
    """
    before, after = _sizes(old), _sizes(new)
    renamed = {}
    for model in models:
        if len(before[model]) > 1 or len(after[model]) > 1:
            raise OptionError(f"{model} has several sizes in one run: compare runs that have one size of it each")
        ((size, batch_size, _),) = before[model]
        renamed[model] = {"size": size, "batch_size": batch_size}
    lists = ("groups", "cells")
    return {**new, **{part: [entry | renamed.get(entry["model"], {}) for entry in new[part]] for part in lists}}


def version_differences(old: Record, new: Record) -> list[str]:
    """Return the packages that the runs had in different versions: "numpy 2.3.0 → 2.4.6"."""
    before, after = _versions(old), _versions(new)
    return [
        f"{package} {', '.join(sorted(before[package]))} → {', '.join(sorted(after[package]))}"
        for package in sorted(before.keys() & after.keys())
        if before[package] != after[package]
    ]


def _versions(block: Record) -> dict[str, set[str]]:
    """Return versions by package. There can be several, for a backend may have an interpreter of its own."""
    found = {"python": {block["environment"]["python"]}}
    for versions in (block["environment"]["packages"], *(cell["versions"] for cell in block["cells"])):
        for package, version in versions.items():
            found.setdefault(package, set()).add(version)
    return found
