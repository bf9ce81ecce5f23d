"""The static graph that gets slower.

Symptom: a step in a Session takes longer the more steps were taken, and the process grows.

Diagnosis: the step's operations are written inside the loop. A static graph forgets nothing: each turn adds nodes, and
after each change the Session prepares the whole graph anew.

Remedy: build all operations once, before the loop, and only `run` inside it; `graph.finalize()` makes adding an error.
"""

import time

import tensorflow as tf

NUM_STEPS = 20


def measure():
    """Return seconds and the number of nodes, after each step."""
    seconds, num_nodes = [], []
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        w = tf.Variable(tf.ones((8, 8)))
        session.run(tf.compat.v1.global_variables_initializer())
        for _ in range(NUM_STEPS):
            start = time.perf_counter()
            session.run(w.assign(0.9 * w))
            seconds.append(time.perf_counter() - start)
            num_nodes.append(len(graph.get_operations()))
    return {"seconds": seconds, "num_nodes": num_nodes}


if __name__ == "__main__":
    print(f"{1e3 * sum(measure()['seconds']) / NUM_STEPS:.3f} ms per step")
