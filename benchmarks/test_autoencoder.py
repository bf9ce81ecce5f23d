"""How long does a step of the denoising autoencoder take: matrix products and a stateful optimizer?"""

from collections.abc import Callable

import pytest


@pytest.mark.compares("autoencoder")
def test_autoencoder(replay: Callable[[], None]) -> None:
    replay()
