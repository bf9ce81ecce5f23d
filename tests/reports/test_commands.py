"""The commands below the figures: what the harness itself understands, with the run's options and no more."""

import argparse
import shlex
from typing import Any

import pytest

from harness import options
from reports import commands


def run(**given: str) -> dict[str, Any]:
    return {"preset": given.get("preset", "default"), "options": {**options.DEFAULTS, **given}}


def understood(command: str) -> dict[str, Any]:
    """Return the options as the harness reads them; it refuses an unknown one."""
    words = shlex.split(command)
    parser = argparse.ArgumentParser(exit_on_error=False)
    options.add_to(parser.add_argument)
    for name in ("--sweep", "--optimizers"):
        parser.add_argument(name)
    return vars(parser.parse_args(words[words.index("--preset") :]))


def test_a_plain_run_is_a_plain_command() -> None:
    assert commands.timing(run(), ["unet"]) == "pytest --benchmark --preset default --models unet"
    assert commands.doctor(run()) == "python -m harness doctor"


@pytest.mark.parametrize(
    "given",
    [{}, {"threads": "1", "device": "cpu", "seed": "7"}, {"variants": "jax-jit,numpy", "python": "jax=/own/python"}],
)
def test_the_harness_reads_what_the_run_was_given(given: dict[str, str]) -> None:
    expected = {**options.DEFAULTS, **given, "models": "unet", "optimizers": None}
    assert understood(commands.timing(run(**given), ["unet"])) == expected
    assert understood(commands.certificates(run(**given), "unet", "adam")) == {**expected, "optimizers": "adam"}


def test_what_a_figure_shows_goes_before_what_the_run_was_given() -> None:
    found = understood(commands.timing(run(variants="numpy", sweep="batch=1,4"), ["unet"], ["jax-jit", "jax-tuned"]))
    assert (found["variants"], found["sweep"]) == ("jax-jit,jax-tuned", "batch=1,4")


def test_a_name_with_a_space_stays_one_word() -> None:
    assert understood(commands.timing(run(csv="my signs.csv"), ["unet"]))["csv"] == "my signs.csv"
