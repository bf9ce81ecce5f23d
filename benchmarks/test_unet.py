"""How long does a step of the U-Net take: convolutions, where layout and fused kernels decide?"""

from collections.abc import Callable

import pytest


@pytest.mark.compares("unet")
def test_unet(replay: Callable[[], None]) -> None:
    replay()
