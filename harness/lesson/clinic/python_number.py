"""A training loop that TensorFlow complains about.

Symptom: a step of a tiny net takes tens of milliseconds, and after the fifth step TensorFlow warns of retracing.

Diagnosis: the number of the step is a Python number. `tf.function` makes it a constant of the graph, so that each step
has a graph of its own, which is traced anew.

Remedy: hand it over as a tensor, `tf.constant(step)`, or a `tf.Variable`; then it is an input of one graph.
"""

import time

import tensorflow as tf

NUM_STEPS = 20


def measure():
    """Return seconds per step, and how many graphs there are."""
    w = tf.Variable(tf.ones((8, 8)))

    @tf.function
    def train_step(x, step):
        rate = 0.1 / (1 + step)
        w.assign_sub(rate * tf.matmul(x, x @ w, transpose_a=True))
        return tf.reduce_sum(w)

    x = tf.ones((4, 8))
    train_step(x, 0)
    start = time.perf_counter()
    for step in range(1, NUM_STEPS + 1):
        train_step(x, step)
    seconds = (time.perf_counter() - start) / NUM_STEPS
    return {"seconds": seconds, "num_traces": train_step.experimental_get_tracing_count()}


if __name__ == "__main__":
    print(f"{1e3 * measure()['seconds']:.3f} ms per step")
