"""The two-layer training step in a loop of its own, as one would write it without this project."""

from collections.abc import Callable

from impls.contract import Arrays
from impls.keras import two_layer
from impls.specs import ModelSpec


def loop(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Return a function that takes so many training steps; each returns its loss, so there is nothing to wait for."""
    net = two_layer.build(spec, params)

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            net.train_on_batch(batch["x"], batch["y"])

    return steps
