"""The options that `pytest --benchmark` and `python -m harness` share, and what is wrong with a value."""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from harness import presets

if TYPE_CHECKING:
    from impls.registry import Entry


DEFAULTS = {
    "preset": "default",
    "models": None,
    "variants": None,
    "threads": None,
    "device": "auto",
    "precision": "fp32",
    "seed": "0",
    "csv": None,
    "sweep": None,
    "python": None,
}
"""All that decides what a run measures, and how; None leaves it to the preset or to the machine."""


class OptionError(ValueError):
    """A bad value; the message is one line that says what to write instead."""


def add_to(add: Callable[..., Any]) -> None:
    """Declare the shared options with an `add_argument`-like function. Values are checked in `parse`."""
    known = ", ".join(presets.PRESETS)
    add("--preset", metavar="NAME", default=DEFAULTS["preset"], help=f"how much to do: {known} (default: default)")
    add("--models", "--model", metavar="M,…", help="nets, separated by commas (default: the preset's)")
    add("--variants", "--variant", metavar="V,…", help="variants, separated by commas (default: the preset's)")
    add_machine_to(add)
    add("--precision", metavar="P", default=DEFAULTS["precision"], help="fp32, tf32 or bf16 (default: fp32)")
    add("--seed", metavar="N", default=DEFAULTS["seed"], help="seed of parameters, batches and order (default: 0)")
    add("--csv", metavar="FILE", help="sign-language MNIST for the autoencoder, instead of scikit-learn's digits")


def add_machine_to(add: Callable[..., Any]) -> None:
    """Declare those of the shared options that say what of the machine is used. Values are checked in `machine`."""
    add("--threads", metavar="N", help="threads of every framework (default: the physical cores)")
    add("--device", metavar="D", default=DEFAULTS["device"], help="auto, cpu, gpu, or gpu:1 and so on (default: auto)")
    add_python_to(add)


def add_python_to(add: Callable[..., Any]) -> None:
    """Declare the option that says which Python runs what. Its value is checked in `all_variants` and `parse`."""
    add("--python", metavar="B=PYTHON,…", help="the Python of a backend or variant that has an environment of its own")


def machine(values: argparse.Namespace, is_here: bool = True) -> dict[str, Any]:
    """Return `num_threads` and `device`.

    Args:
        values: of the options.
        is_here: all workers run on this machine, so that it must have what they are to use.

    Raises:
        OptionError: for a bad value.
    """
    from harness import environment

    num_threads = (
        environment.default_num_threads() if values.threads is None else _whole(values.threads, "--threads", 1)
    )
    return {"num_threads": num_threads, "device": _device(values.device, is_here)}


def all_variants(values: argparse.Namespace) -> "list[Entry]":
    """Return every variant, with the interpreter that was chosen for it.

    Raises:
        OptionError: for a bad `--python`.
    """
    from harness import interpreters
    from impls import registry

    return interpreters.attach(registry.find_variants(), values.python)


def parse(values: argparse.Namespace) -> dict[str, Any]:
    """Turn option values into the arguments of `run.Run` (all but `command`).

    Raises:
        OptionError: for the first bad value.
    """
    from harness import environment, interpreters, places
    from impls import registry, specs

    try:
        preset = presets.get(values.preset)
        models = names(values.models) or [name for name in preset.sizes if name not in preset.only_if_named]
        for model in models:
            if model not in specs.MODELS:
                raise OptionError(f"unknown model {model!r}; choose from {', '.join(specs.MODELS)}")
            if model not in preset.sizes:
                raise OptionError(f"preset {preset.name!r} has no {model}; choose from {', '.join(preset.sizes)}")
        variant_names = names(values.variants)
        variants = registry.find_variants(variant_names)
    except ValueError as error:
        raise OptionError(str(error)) from error
    if variant_names is None and preset.headline_only:
        variants = [entry for entry in variants if entry.variant.headline]
    if variant_names is None and preset.as_written_only:
        variants = [entry for entry in variants if entry.variant.lane == "as-written"]
    variants = interpreters.attach(variants, values.python)
    settings = machine(values, is_here=not any(places.is_elsewhere(entry) for entry in variants))
    if variant_names is None and environment.kind(settings["device"]) == "cpu":
        variants = [entry for entry in variants if not entry.variant.gpu_only]
    left_out = set() if variant_names is not None else left_out_cells(preset, variants)
    if values.csv is not None:
        _check_csv(values.csv)
    return {
        "preset": preset,
        "models": models,
        "variants": variants,
        "left_out": left_out,
        **settings,
        "precision": _precision(values.precision, preset, settings["device"]),
        "seed": _whole(values.seed, "--seed", 0),
        "csv": values.csv,
    }


def _precision(name: str, preset: presets.Preset, device: str) -> str:
    from harness import environment
    from impls.contract import PRECISIONS

    if name not in PRECISIONS:
        raise OptionError(f"unknown precision {name!r}; choose from {', '.join(PRECISIONS)}")
    if name == "tf32" and environment.kind(device) == "cpu":
        raise OptionError("--precision tf32: a CPU has no such products; use --device gpu, or fp32 or bf16")
    if name != "fp32" and preset.with_lesson:
        raise OptionError(f"--precision {name}: the lesson is measured in fp32; leave one of them out")
    return name


@dataclass(frozen=True)
class Sweep:
    """One size that varies: the batch, or each net's width."""

    parameter: Literal["batch", "width"]
    values: tuple[int, ...]

    @property
    def points(self) -> list[str]:
        """Names of the values: "batch=4"."""
        return [f"{self.parameter}={value}" for value in self.values]

    def changes(self, model: str, point: str) -> dict[str, int]:
        """Return the sizes of a net that a point changes, for `specs.get`."""
        from impls import specs

        size = "batch_size" if self.parameter == "batch" else specs.WIDTHS[model]
        return {size: self.values[self.points.index(point)]}


def parse_sweep(text: str | None) -> Sweep | None:
    """Read `batch=1,4,16` or `width=…`; raises OptionError."""
    if text is None:
        return None
    parameter, _, values = text.partition("=")
    if parameter not in ("batch", "width"):
        raise OptionError(f"--sweep {text}: write batch=1,4,16 or width=8,16,32")
    numbers = [_whole(value, f"--sweep {parameter}", 1) for value in names(values) or []]
    if not numbers:
        raise OptionError(f"--sweep {text}: name at least one value, as in {parameter}=1,4,16")
    return Sweep(cast(Literal["batch", "width"], parameter), tuple(sorted(numbers)))


def left_out_cells(preset: presets.Preset, variants: "Iterable[Entry]") -> set[tuple[str, str]]:
    """Return (model, variant) that a preset has no time for."""
    left_out = set()
    for entry in variants:
        variant = entry.variant
        if not preset.with_slow:
            left_out |= {(model, entry.name) for model in variant.slow_models}
        if preset.is_narrow and not variant.headline and variant.lane == "as-written":
            left_out |= {(model, entry.name) for model in preset.sizes}
    return left_out


def check_writable(folder: Path) -> None:
    """Make sure that a file can be written below `folder` before hours of measuring; raises OptionError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OptionError(f"cannot write to {folder} ({error.strerror}); choose another folder") from error


def _check_csv(path: str) -> None:
    """Read the file once before anything is measured."""
    from harness import data

    try:
        data.load_sign_mnist(path)
    except ValueError as error:
        raise OptionError(f"--csv: {error}") from error


def names(value: str | None) -> list[str] | None:
    """Split a comma-separated list; an empty one counts as not given, a repeated name once."""
    if value is None:
        return None
    return list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip())) or None


def _whole(text: str, option: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise OptionError(f"{option} {text}: give a whole number, {least} or more")
    most = os.cpu_count() or 1
    if option == "--threads" and number > most:
        raise OptionError(f"--threads {text}: this machine has {most} logical cores; give {most} or fewer")
    return number


def _device(name: str, is_here: bool) -> str:
    """Return "cpu", "gpu", or one of several by its index: "gpu:1"; what there is elsewhere, a worker will find out."""
    from harness import environment

    kind, colon, index = name.partition(":")
    if kind not in ("auto", "cpu", "gpu") or (colon and not (kind == "gpu" and index.isdecimal())):
        raise OptionError(f"unknown device {name!r}; choose from auto, cpu, gpu, gpu:0, gpu:1 and so on")
    if kind == "cpu" or (kind == "gpu" and not is_here):
        return name
    gpus = environment.visible_gpus()
    if kind == "auto":
        return "gpu" if gpus else "cpu"
    if not gpus and "CUDA_VISIBLE_DEVICES" in os.environ and environment.gpus():
        raise OptionError(f"--device {name}: CUDA_VISIBLE_DEVICES hides all GPUs; unset it, or use --device cpu")
    if not gpus:
        raise OptionError(f"--device {name}: nvidia-smi lists no GPU here; install its driver, or use --device cpu")
    if colon and int(index) >= len(gpus):
        raise OptionError(f"--device {name}: the last of the GPUs here is gpu:{len(gpus) - 1}")
    return name
