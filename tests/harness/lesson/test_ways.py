"""The worker's side: ways take turns, fail alone, and show the text that ran."""

import sys
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any

import pytest

from harness.lesson import ways

PLACE = "impls.stand_in.experiments"
LOG: list[str] = []


def helper() -> str:
    return "named by a way"


def quick() -> str:
    return helper()


def slow() -> str:
    return "slow"


def broken() -> str:
    raise ValueError("no such thing")


def turns(way: Callable[[], str]) -> Generator[None, None, dict[str, str]]:
    for _ in range(2):
        LOG.append(way.__name__)
        yield
    return {"said": way()}


def at_once(way: Callable[[], str]) -> dict[str, str]:
    LOG.append(way.__name__)
    return {"said": way()}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Put a probe, and a backend with three ways for it, where the worker imports them from."""
    LOG.clear()

    def install(probe: Callable[..., Any]) -> None:
        for name, content in {
            "harness.lesson.stand_in": {"probe": probe},
            f"{PLACE}.stand_in": {"WAYS": {"quick": quick, "broken": broken, "slow": slow}},
        }.items():
            module = ModuleType(name)
            vars(module).update(content)
            monkeypatch.setitem(sys.modules, name, module)
        for package in ("impls.stand_in", PLACE):
            monkeypatch.setitem(sys.modules, package, ModuleType(package))

    return install


def test_names(stand_in: Callable[..., None]) -> None:
    stand_in(at_once)
    assert ways.names("stand_in", "stand_in") == ["quick", "broken", "slow"]


@pytest.mark.parametrize(
    ("probe", "order"),
    [(turns, ["quick", "broken", "slow"] * 2), (at_once, ["quick", "broken", "slow"])],
    ids=["in turns", "at once"],
)
def test_ways_take_turns_and_fail_alone(
    probe: Callable[..., Any], order: list[str], stand_in: Callable[..., None]
) -> None:
    stand_in(probe)
    found = ways.probe("stand_in", "stand_in", ["quick", "broken", "slow"])
    assert order == LOG
    assert list(found) == ["quick", "broken", "slow"]
    assert found["quick"]["data"] == {"said": "named by a way"}
    assert found["broken"] == {"status": "failed", "reason": "ValueError: no such thing"}
    assert found["slow"]["status"] == "measured"


def test_a_source_has_what_it_calls_and_nothing_else() -> None:
    assert ways.source(quick) == (
        'def helper() -> str:\n    return "named by a way"\n\n\ndef quick() -> str:\n    return helper()\n'
    )


def test_a_source_follows_calls_into_files_beside_it() -> None:
    from impls.reference.experiments import fusion

    text = ways.source(fusion.WAYS["NumPy"])
    assert "def chain(x):" in text, "per_op.chain is called as an attribute of a module"
    assert "class Counted(np.ndarray):" in text
    assert text.index("def count(") < text.index("def chain(x):"), "one file after the other"
