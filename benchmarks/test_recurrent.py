"""How long does a step of the recurrent net take: many small products that wait for each other, and a loop?"""

from collections.abc import Callable

import pytest


@pytest.mark.compares("recurrent")
def test_recurrent(replay: Callable[[], None]) -> None:
    replay()
