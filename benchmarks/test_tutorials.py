"""Is our two-layer step at least as fast as the ones that the frameworks' tutorials teach?"""

from collections.abc import Callable
from typing import Any

import pytest

from harness.bare_loop import Cost
from harness.plugin import CLOCK

MARGIN = 0.01
TUTORIALS = [
    ("jax-jit", "jit_update"),
    ("jax-jit", "optax_sgd"),
    ("keras-tf", "sequential"),
    ("tf-graph", "session"),
    ("torch-eager", "autograd"),
    ("torch-eager", "nn_and_optim"),
]
"""Variants, and functions of `impls/BACKEND/tutorials.py`."""


@pytest.mark.measures_the_harness
@pytest.mark.benchmark(group="two-layer step of tutorials", timer=CLOCK)
@pytest.mark.parametrize(("variant", "tutorial"), TUTORIALS)
def test_tutorial(
    variant: str,
    tutorial: str,
    against: Callable[[str, str], Cost],
    replay_rounds: Callable[[list[list[float]], int], None],
    benchmark: Any,
) -> None:
    cost = against(variant, f"tutorials.{tutorial}")
    ratio = cost.ratio
    benchmark.extra_info |= {"ours over the tutorial's": [ratio.low, ratio.ratio, ratio.high]}
    replay_rounds(cost.bare, cost.num_iterations)
    assert ratio.low <= 1 or ratio.ratio <= 1 + MARGIN, (
        f"our step takes {ratio.ratio:.3f} times the tutorial's [{ratio.low:.3f}, {ratio.high:.3f}]"
    )
