"""The two-layer training step as TensorFlow's tutorials teach it, for the question whether ours is as fast."""

from collections.abc import Callable

import tensorflow as tf

from impls.contract import Arrays
from impls.specs import ModelSpec


def session(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Version 1's placeholders, `tf.gradients`, assignments in a group, and a Session that is fed."""
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        x, y = (v1.placeholder(tf.float32, batch[name].shape) for name in ("x", "y"))
        w1, w2 = (tf.Variable(params[name]) for name in ("w1", "w2"))
        y_pred = tf.matmul(tf.maximum(tf.matmul(x, w1), 0), w2)
        loss = tf.reduce_sum((y_pred - y) ** 2)
        grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])
        learning_rate = spec.optimizer.learning_rate
        new_w1, new_w2 = w1.assign(w1 - learning_rate * grad_w1), w2.assign(w2 - learning_rate * grad_w2)
        updates = tf.group(new_w1, new_w2)
        opened = v1.Session()
        opened.run(v1.global_variables_initializer())

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            opened.run([loss, updates], feed_dict={x: batch["x"], y: batch["y"]})

    return steps
