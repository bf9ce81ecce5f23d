"""The nets' training steps as programs for TensorFlow 1 write them, run by TensorFlow 2: is ours as fast?"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from impls.contract import Arrays
from impls.specs import ModelSpec
from impls.tf.net import from_numpy

v1 = tf.compat.v1


def two_layer_session(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Placeholders, `tf.gradients`, assignments in a group, and a Session that is fed."""
    with tf.Graph().as_default():
        x, y = (v1.placeholder(tf.float32, batch[name].shape) for name in ("x", "y"))
        w1, w2 = (tf.Variable(params[name]) for name in ("w1", "w2"))
        y_pred = tf.matmul(tf.maximum(tf.matmul(x, w1), 0), w2)
        loss = tf.reduce_sum((y_pred - y) ** 2)
        grad_w1, grad_w2 = tf.gradients(loss, [w1, w2])
        learning_rate = spec.optimizer.learning_rate
        new_w1, new_w2 = w1.assign(w1 - learning_rate * grad_w1), w2.assign(w2 - learning_rate * grad_w2)
        return _steps([loss, tf.group(new_w1, new_w2)], {x: batch["x"], y: batch["y"]})


def autoencoder_session(spec: ModelSpec, _: Arrays, batch: Arrays) -> Callable[[int], None]:
    """Matrix products and biases, `AdamOptimizer.minimize`, and a Session that is fed."""
    pixels, hidden, code = (spec.sizes[name] for name in ("pixels", "hidden", "code"))
    with tf.Graph().as_default():
        x, y = (v1.placeholder(tf.float32, batch[name].shape) for name in ("x", "y"))
        h = x
        for width, activation in ((hidden, tf.nn.relu), (code, tf.nn.relu), (hidden, tf.nn.relu), (pixels, tf.sigmoid)):
            h = activation(tf.matmul(h, _weights((h.shape[1], width))) + tf.Variable(tf.zeros(width)))
        loss = tf.reduce_mean((h - y) ** 2)
        update = v1.train.AdamOptimizer(spec.optimizer.learning_rate).minimize(loss)
        return _steps([loss, update], {x: batch["x"], y: batch["y"]})


def unet_session(spec: ModelSpec, _: Arrays, batch: Arrays) -> Callable[[int], None]:
    """`tf.nn`'s convolutions, the fused BatchNorm, dropout, `MomentumOptimizer.minimize`, and a Session that is fed."""
    widths = [spec.sizes["channels"] * 2**level for level in range(5)]
    images = {name: from_numpy(batch[name], "image") for name in ("x", "y")}
    with tf.Graph().as_default():
        x, y = (v1.placeholder(tf.float32, images[name].shape) for name in ("x", "y"))
        h, skips = x, list[Any]()
        for width in widths:
            h = _double_conv(tf.nn.max_pool2d(h, 2, 2, "VALID") if skips else h, width)
            skips.append(h)
        h = tf.nn.dropout(skips.pop(), 0.5)
        for width in widths[-2::-1]:
            n, height, depth = h.shape[0], 2 * h.shape[1], h.shape[3]
            h = tf.nn.conv2d_transpose(h, _weights((2, 2, depth, depth)), (n, height, height, depth), 2, "VALID")
            skip = skips.pop()
            crop = (skip.shape[1] - height) // 2
            h = _double_conv(tf.concat([skip[:, crop:-crop, crop:-crop], h], axis=-1), width)
        logits = tf.nn.conv2d(h, _weights((1, 1, widths[0], 1)), 1, "VALID") + tf.Variable(tf.zeros(1))
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))
        settings = spec.optimizer
        with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
            update = v1.train.MomentumOptimizer(settings.learning_rate, settings.momentum).minimize(loss)
        return _steps([loss, update], {x: images["x"], y: images["y"]})


def _double_conv(x: Any, channels: int) -> Any:
    for _ in range(2):
        h = tf.nn.conv2d(x, _weights((3, 3, x.shape[3], channels)), 1, "VALID")
        scale, offset = tf.Variable(tf.ones(channels)), tf.Variable(tf.zeros(channels))
        h, mean, variance = v1.nn.fused_batch_norm(h, scale, offset)
        for value, initial in ((mean, 0.0), (variance, 1.0)):
            average = tf.Variable(tf.fill([channels], initial), trainable=False)
            v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, average.assign_sub(0.1 * (average - value)))
        x = tf.nn.relu(h)
    return x


def _weights(shape: tuple[int, ...]) -> tf.Variable:
    return tf.Variable(tf.random.truncated_normal(shape, stddev=0.1))


def _steps(fetches: list[Any], feeds: dict[Any, Any]) -> Callable[[int], None]:
    """Open a Session on the default graph."""
    session = v1.Session()
    session.run(v1.global_variables_initializer())

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            session.run(fetches, feed_dict=feeds)

    return steps
