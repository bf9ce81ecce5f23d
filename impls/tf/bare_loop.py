"""The two-layer training step in a loop of its own, as one would write it without this project."""

from collections.abc import Callable

from impls.contract import Arrays
from impls.specs import ModelSpec
from impls.tf import two_layer


def loop(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Return a function that takes so many training steps; `Session.run` returns when a step is done."""
    net = two_layer.static_graph(spec, params)
    x, y = net.placeholders["x"], net.placeholders["y"]
    with net.session.graph.as_default():
        loss = two_layer.train_step(net, net.placeholders)

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            net.session.run(loss, feed_dict={x: batch["x"], y: batch["y"]})

    return steps
