"""Counts the nodes of a recurrence's graph at two lengths."""

from typing import Any

import numpy as np

from harness.lesson.exercises.checks import UnsolvedError

REQUIRES = ("tensorflow",)
HINTS = (
    "What does `range` know at the time when the graph is made, and what does a tensor know?",
    "AutoGraph turns a `for` into a loop of the graph if it goes over a tensor.",
    "`for x in xs:`, `for t in tf.range(tf.shape(xs)[0]):`, `tf.while_loop` and `tf.scan` all do.",
)
H, LENGTHS = 8, (5, 50)


def check(solution: Any) -> str:
    """Trace at two lengths, compare the results with NumPy's and the numbers of nodes with each other."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    w = random.standard_normal((H, H), np.float32) / np.float32(np.sqrt(H))
    function = tf.function(solution.final_state)
    num_nodes = []
    for length in LENGTHS:
        xs = random.standard_normal((length, H), np.float32)
        expected = np.zeros((1, H), np.float32)
        for x in xs:
            expected = np.tanh(expected @ w + x)
        if not np.allclose(function(tf.constant(w), tf.constant(xs)), expected, atol=1e-4):
            raise UnsolvedError(f"the last state of {length} steps is not what it was")
        graph = function.get_concrete_function(tf.constant(w), tf.constant(xs)).graph.as_graph_def()
        num_nodes.append(len(graph.node) + sum(len(inner.node_def) for inner in graph.library.function))
    short, long = num_nodes
    if long > short:
        raise UnsolvedError(
            f"{short} nodes for {LENGTHS[0]} steps, {long} for {LENGTHS[1]}: the graph grows with the loop"
        )
    return f"{long} nodes, for {LENGTHS[0]} steps as for {LENGTHS[1]}."
