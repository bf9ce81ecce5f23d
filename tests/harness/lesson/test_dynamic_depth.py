"""The net of a changing depth: its gradient by hand is right, and a way that has another is refused."""

import numpy as np
import pytest

from harness.lesson import dynamic_depth
from impls.reference.experiments.dynamic_depth import plain


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_the_gradient_is_that_of_the_loss(depth: int) -> None:
    """Central differences in float64, along a random direction of each parameter."""
    params, x, y = dynamic_depth.problem()
    params = {name: array.astype(np.float64) for name, array in params.items()}
    _, grads = plain(params)(x, y, depth)
    random = np.random.default_rng(0)
    for name, array in params.items():
        direction = random.standard_normal(array.shape)
        h = 1e-6 / np.linalg.norm(direction)
        losses = [plain(params | {name: array + sign * h * direction})(x, y, depth)[0] for sign in (1, -1)]
        expected = (losses[0] - losses[1]) / (2 * h)
        assert np.sum(grads[name] * direction) == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_every_step_is_timed_in_the_order_of_the_depths() -> None:
    found = dynamic_depth.probe(plain)
    assert found["max_depths"] == list(dynamic_depth.MAX_DEPTHS)
    for max_depth, depths, seconds in zip(*found.values(), strict=True):
        assert len(depths) == len(seconds) == dynamic_depth.NUM_STEPS
        assert 0 <= min(depths) <= max(depths) <= max_depth
        assert len(set(depths)) > max_depth / 2


def test_the_deepest_net_has_numbers_to_compare() -> None:
    params, x, y = dynamic_depth.problem()
    loss, grads = plain(params)(x, y, max(dynamic_depth.MAX_DEPTHS))
    assert np.isfinite(loss)
    assert all(1e-6 < np.abs(grad).max() < 1e9 for grad in grads.values())


def test_a_way_that_skips_a_layer_is_refused() -> None:
    def shallow(params):
        step = plain(params)
        return lambda x, y, depth: step(x, y, max(depth - 1, 0))

    with pytest.raises(AssertionError):
        dynamic_depth.probe(shallow)
