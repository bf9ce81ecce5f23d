"""How long does a step of the lecture's two-layer net take: almost no arithmetic, so mostly the framework itself?"""

from collections.abc import Callable

import pytest


@pytest.mark.compares("two_layer")
def test_two_layer(replay: Callable[[], None]) -> None:
    replay()
