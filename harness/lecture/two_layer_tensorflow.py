"""The lecture's TensorFlow program: a graph is defined once, then a Session runs it 500 times.

It is TensorFlow 1 code, kept alive by `tf.compat.v1`, and can be run as it is: `python two_layer_tensorflow.py`.
"""

from collections.abc import Iterator

import numpy as np
import tensorflow.compat.v1 as tf

N, D_in, H, D_out = 64, 1000, 100, 10
LEARNING_RATE = 1e-6
NUM_STEPS = 500


def train(
    x_values: np.ndarray,
    y_values: np.ndarray,
    w1_values: np.ndarray,
    w2_values: np.ndarray,
    learning_rate: float = LEARNING_RATE,
    num_steps: int = NUM_STEPS,
) -> Iterator[dict[str, np.ndarray]]:
    """Yield, step by step: y_pred, loss and gradients from before the update, and the new weights."""
    with tf.Graph().as_default():
        x = tf.placeholder(x_values.dtype, shape=x_values.shape)  # (N, D_in)
        y = tf.placeholder(y_values.dtype, shape=y_values.shape)  # (N, D_out)
        w1 = tf.Variable(w1_values, use_resource=True)  # (D_in, H)
        w2 = tf.Variable(w2_values, use_resource=True)  # (H, D_out)

        h = tf.maximum(tf.matmul(x, w1), 0)  # (N, H)
        y_pred = tf.matmul(h, w2)  # (N, D_out)
        loss = tf.reduce_sum(tf.square(y_pred - y))  # ()
        grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])

        new_w1 = w1.assign(w1 - learning_rate * grad_w1)
        new_w2 = w2.assign(w2 - learning_rate * grad_w2)
        fetches = {
            "y_pred": y_pred,
            "loss": loss,
            "grad_w1": grad_w1,
            "grad_w2": grad_w2,
            "w1": new_w1,
            "w2": new_w2,
        }

        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for _ in range(num_steps):
                yield session.run(fetches, feed_dict={x: x_values, y: y_values})


if __name__ == "__main__":
    shapes = (N, D_in), (N, D_out), (D_in, H), (H, D_out)
    x, y, w1, w2 = (np.random.randn(*shape).astype(np.float32) for shape in shapes)
    for t, step in enumerate(train(x, y, w1, w2)):
        print(t, step["loss"])
