"""A recurrence over examples of different lengths, h = tanh(h·W + x_t): loops in Python or in the graph, and masks."""

import tensorflow as tf


def recurrence(w, xs, lengths):  # noqa: ARG001 - one example at a time needs no mask
    """Return the last h (1, H) of an example (1, length, H)."""
    h = tf.zeros((1, w.shape[0]))
    for x in tf.unstack(xs, axis=1):
        h = tf.tanh(h @ w + x)
    return h


def while_loop(w, xs, lengths):
    """Return each example's h (N, H) after its own last step; what comes behind it is computed and not kept."""

    def step(t, h):
        return t + 1, tf.where((t < lengths)[:, None], tf.tanh(h @ w + xs[:, t]), h)

    _, h = tf.while_loop(lambda t, _: t < tf.shape(xs)[1], step, (0, tf.zeros((tf.shape(xs)[0], w.shape[0]))))
    return h


def one_by_one(w):
    """Let each example have a Python loop of its own length."""
    w = tf.constant(w)
    return "as they are", lambda xs, lengths: recurrence(w, tf.constant(xs), lengths).numpy(), lambda: None


def unrolled(w):
    """Trace the Python loop for each length that comes."""
    return "as they are", *traced(tf.function(recurrence), w)


def padded(w):
    """Trace the loop once, for the longest."""
    return "padded", *traced(tf.function(while_loop), w)


def bucketed(w):
    """Trace the loop for a few lengths."""
    return "bucketed", *traced(tf.function(while_loop), w)


def of_any_length(w):
    """Trace the loop once, for any length: None."""
    H = w.shape[0]
    signature = [tf.TensorSpec((H, H)), tf.TensorSpec((None, None, H)), tf.TensorSpec((None,), tf.int32)]
    return "as they are", *traced(tf.function(while_loop, input_signature=signature), w)


def one_batch(w):
    """Loop over the steps of all examples at once."""
    return "one batch", *traced(tf.function(while_loop), w)


def traced(function, w):
    """Return the traced function, and what counts its traces."""
    w = tf.constant(w)

    def run(xs, lengths):
        return function(w, tf.constant(xs), tf.constant(lengths)).numpy()

    return run, function.experimental_get_tracing_count


WAYS = {
    "eager, one by one": one_by_one,
    "tf.function, unrolled one by one": unrolled,
    "tf.function, tf.while_loop padded": padded,
    "tf.function, tf.while_loop bucketed": bucketed,
    "tf.function, tf.while_loop of any length": of_any_length,
    "tf.function, tf.while_loop of one masked batch": one_batch,
}
