"""Is our training step at least as fast as the ones that tutorials and public repositories write?"""

from collections.abc import Callable
from typing import Any

import pytest

from harness.bare_loop import Cost
from harness.plugin import CLOCK

MARGIN = 0.01
TUTORIALS = [
    ("two_layer", "jax-jit", "jit"),
    ("two_layer", "jax-jit", "optax"),
    ("two_layer", "keras-tf", "sequential"),
    ("two_layer", "tf-graph", "session"),
    ("two_layer", "torch-eager", "autograd"),
    ("two_layer", "torch-eager", "nn"),
    ("autoencoder", "jax-jit", "flax"),
    ("autoencoder", "keras-tf", "sequential"),
    ("autoencoder", "tf-graph", "session"),
    ("autoencoder", "torch-eager", "nn"),
    ("unet", "jax-jit", "flax"),
    ("unet", "keras-tf", "functional"),
    ("unet", "tf-graph", "session"),
    ("unet", "torch-eager", "nn"),
]
"""Nets, variants, and the ends of the names of functions in `impls/BACKEND/tutorials.py`."""


@pytest.mark.measures_the_harness(only_by_name=True)
@pytest.mark.benchmark(group="training steps of tutorials", timer=CLOCK)
@pytest.mark.parametrize(("model", "variant", "tutorial"), TUTORIALS)
def test_tutorial(
    model: str,
    variant: str,
    tutorial: str,
    against: Callable[[str, str, str], Cost],
    replay_rounds: Callable[[list[list[float]], int], None],
    benchmark: Any,
) -> None:
    cost = against(variant, model, f"tutorials.{model}_{tutorial}")
    ratio = cost.ratio
    benchmark.extra_info |= {"ours over the tutorial's": [ratio.low, ratio.ratio, ratio.high]}
    replay_rounds(cost.bare, cost.num_iterations)
    assert ratio.low <= 1 or ratio.ratio <= 1 + MARGIN, (
        f"our step takes {ratio.ratio:.3f} times the tutorial's [{ratio.low:.3f}, {ratio.high:.3f}]"
    )
