"""A recurrence over the rows of xs, h = tanh(h·W + x_t): a Python loop, eager or unrolled, and loops in the graph."""

import tensorflow as tf

from impls.tf.experiments.graphs import graph_nodes


def python_loop(w, xs):
    """Return the last h (1, H); `tf.unstack` makes a Python list of the rows."""
    h = tf.zeros((1, w.shape[0]))
    for x in tf.unstack(xs):
        h = tf.tanh(h @ w + x)
    return h


def autograph_loop(w, xs):
    """Return the last h (1, H); of a `for` over a tensor, `tf.function` makes a loop in the graph."""
    h = tf.zeros((1, w.shape[0]))
    for x in xs:
        h = tf.tanh(h @ w + x)
    return h


def while_loop(w, xs):
    """Return the last h (1, H)."""

    def step(t, h):
        return t + 1, tf.tanh(h @ w + xs[t])

    _, h = tf.while_loop(lambda t, _: t < tf.shape(xs)[0], step, (0, tf.zeros((1, w.shape[0]))))
    return h


def scan(w, xs):
    """Return the last h (1, H); `tf.scan` keeps all of them."""
    return tf.scan(lambda h, x: tf.tanh(h @ w + x), xs, tf.zeros((1, w.shape[0])))[-1]


def eager(w, xs):
    """Let Python run the loop."""
    w, xs = tf.constant(w), tf.constant(xs)
    return lambda: python_loop(w, xs).numpy(), lambda: None


def unrolled(w, xs):
    """Let Python run the loop once, and write down every step."""
    return traced(tf.function(python_loop), w, xs)


def with_autograph(w, xs):
    """Write down one step, and that it is repeated, as Python's `for` says."""
    return traced(tf.function(autograph_loop), w, xs)


def with_while_loop(w, xs):
    """Write down one step, and that it is repeated."""
    return traced(tf.function(while_loop), w, xs)


def with_scan(w, xs):
    """Write down one step, and that it is repeated for every row."""
    return traced(tf.function(scan), w, xs)


def with_xla(w, xs):
    """Let XLA compile the loop."""
    return traced(tf.function(while_loop, jit_compile=True), w, xs)


def traced(function, w, xs):
    """Return the traced function, and what counts its nodes."""
    w, xs = tf.constant(w), tf.constant(xs)
    return lambda: function(w, xs).numpy(), lambda: len(
        graph_nodes(function.get_concrete_function(w, xs).graph.as_graph_def())
    )


WAYS = {
    "eager": eager,
    "tf.function, unrolled": unrolled,
    "tf.function, for over a tensor": with_autograph,
    "tf.function, tf.while_loop": with_while_loop,
    "tf.function, tf.scan": with_scan,
    "tf.function + XLA, tf.while_loop": with_xla,
}
