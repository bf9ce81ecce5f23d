"""What does the harness itself cost: is a step as slow in its worker as in a bare loop in a fresh process?"""

from collections.abc import Callable

import pytest

from harness.bare_loop import Cost

MARGIN = 0.01


@pytest.mark.measures_the_harness
def test_harness_cost(harness_cost: Cost, side: str, replay_rounds: Callable[[list[list[float]], int], None]) -> None:
    replay_rounds(harness_cost.harness if side == "harness" else harness_cost.bare, harness_cost.num_iterations)
    ratio = harness_cost.ratio
    assert ratio.low <= 1 <= ratio.high or abs(ratio.ratio - 1) <= MARGIN, (
        f"the harness's step takes {ratio.ratio:.3f} times the bare loop's [{ratio.low:.3f}, {ratio.high:.3f}]"
    )
