"""The U-Net in TensorFlow, images NHWC."""

import math

import tensorflow as tf

from impls.contract import Arrays
from impls.specs import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, DROPOUT_RATE, ModelSpec
from impls.tf import optimizers
from impls.tf.net import Batch, Net, variables

Tensors = dict[str, tf.Tensor]


def build(spec: ModelSpec, params: Arrays) -> Net:
    """Make the variables: kernels (HWIO), BatchNorm's scales, offsets and running statistics, the optimizer's slots."""
    net = Net(spec, variables(spec.params, params), variables(spec.statistics, params))
    net.optimizer = optimizers.make(spec.optimizer, net.params)
    return net


def static_graph(spec: ModelSpec, params: Arrays) -> Net:
    """Build the net in a graph of its own, with placeholders for the batch and a Session to run it (tf-graph)."""
    with tf.Graph().as_default():
        net = build(spec, params)
        for name, (N, C, H, W) in spec.inputs.items():
            net.placeholders[name] = tf.compat.v1.placeholder(net.params["head.w"].dtype, (N, H, W, C), name=name)
        net.session = tf.compat.v1.Session()
        net.session.run(tf.compat.v1.global_variables_initializer())
    return net


# [forward]
def unet(net: Net, x: tf.Tensor, dropout: tf.Tensor | None = None) -> tuple[tf.Tensor, Tensors]:
    """Return (logits, BatchNorm's batch statistics); with a mask of kept units in train mode, else in eval mode."""
    seen: Tensors | None = None if dropout is None else {}
    skip1 = double_conv(net, "down1", x, seen)  # (N, H1, W1, C)
    skip2 = double_conv(net, "down2", max_pool(skip1), seen)  # (N, H2, W2, 2 * C)
    skip3 = double_conv(net, "down3", max_pool(skip2), seen)  # (N, H3, W3, 4 * C)
    skip4 = double_conv(net, "down4", max_pool(skip3), seen)  # (N, H4, W4, 8 * C)
    h = double_conv(net, "bottleneck", max_pool(skip4), seen)  # (N, H5, W5, 16 * C)
    if dropout is not None:
        h = h * dropout / (1 - DROPOUT_RATE)  # (N, H5, W5, 16 * C)
    h = up(net, "up4", h, skip4, seen)  # (N, 2 * H5 - 4, 2 * W5 - 4, 8 * C)
    h = up(net, "up3", h, skip3, seen)  # (N, 4 * H5 - 12, 4 * W5 - 12, 4 * C)
    h = up(net, "up2", h, skip2, seen)  # (N, 8 * H5 - 28, 8 * W5 - 28, 2 * C)
    h = up(net, "up1", h, skip1, seen)  # (N, H_out, W_out, C)
    logits = tf.nn.conv2d(h, net.params["head.w"], 1, "VALID")  # (N, H_out, W_out, 1)
    return tf.nn.bias_add(logits, net.params["head.b"]), seen or {}


def double_conv(net: Net, block: str, x: tf.Tensor, seen: Tensors | None) -> tf.Tensor:
    """Twice a valid 3×3 convolution, BatchNorm and ReLU: (N, H + 2, W + 2, C_in) to (N, H - 2, W - 2, C)."""
    h = tf.nn.conv2d(x, net.params[f"{block}.conv1.w"], 1, "VALID")  # (N, H, W, C)
    h = tf.nn.relu(batch_norm(net, f"{block}.bn1", h, seen))  # (N, H, W, C)
    h = tf.nn.conv2d(h, net.params[f"{block}.conv2.w"], 1, "VALID")  # (N, H - 2, W - 2, C)
    return tf.nn.relu(batch_norm(net, f"{block}.bn2", h, seen))  # (N, H - 2, W - 2, C)


def up(net: Net, block: str, x: tf.Tensor, skip: tf.Tensor, seen: Tensors | None) -> tf.Tensor:
    """Upsample x (N, H / 2, W / 2, C_in), concatenate it to the middle of the skip connection, convolve twice."""
    H, W = 2 * x.shape[1], 2 * x.shape[2]
    h = tf.nn.conv2d_transpose(
        x, net.params[f"{block}.up.w"], (x.shape[0], H, W, x.shape[3]), 2, "VALID"
    )  # (N, H, W, C_in)
    top, left = (skip.shape[1] - H) // 2, (skip.shape[2] - W) // 2
    skip = tf.slice(skip, [0, top, left, 0], [-1, H, W, -1])  # (N, H, W, C)
    h = tf.concat([skip, h], axis=-1)  # (N, H, W, C + C_in)
    return double_conv(net, block, h, seen)  # (N, H - 4, W - 4, C)


def max_pool(x: tf.Tensor) -> tf.Tensor:
    """Halve height and width."""
    return tf.nn.max_pool2d(x, 2, 2, "VALID")  # (N, H, W, C)


def batch_norm(net: Net, layer: str, x: tf.Tensor, seen: Tensors | None) -> tf.Tensor:
    """Normalise x (N, H, W, C) with the running statistics, or with its own, which are then added to `seen`."""
    train, is_fused = seen is not None, x.dtype != tf.float64  # the fused kernel has no float64
    scale, offset = net.params[f"{layer}.scale"], net.params[f"{layer}.offset"]
    mean, var = (None, None) if train else (net.statistics[f"{layer}.mean"], net.statistics[f"{layer}.var"])
    if train and not is_fused:
        mean, var = tf.nn.moments(x, axes=[0, 1, 2])
    if is_fused:
        y, mean, var = tf.compat.v1.nn.fused_batch_norm(x, scale, offset, mean, var, BATCH_NORM_EPS, is_training=train)
    else:
        y = tf.nn.batch_normalization(x, mean, var, offset, scale, BATCH_NORM_EPS)  # (N, H, W, C)
    if seen is not None:
        if is_fused:  # its variance is corrected by n / (n - 1)
            num_values = math.prod(x.shape[:3])
            var = var * ((num_values - 1) / num_values)  # (C,)
        seen |= {f"{layer}.mean": mean, f"{layer}.var": var}
    return y  # (N, H, W, C)


def forward(net: Net, batch: Batch) -> tf.Tensor:
    """Predict logits (N, H, W, 1) in eval mode."""
    logits, _ = unet(net, batch["x"])
    return logits  # (N, H, W, 1)


def loss_and_statistics(net: Net, batch: Batch) -> tuple[tf.Tensor, Tensors]:
    """Return binary cross-entropy on logits in train mode, and BatchNorm's batch statistics."""
    logits, seen = unet(net, batch["x"], batch["dropout"])
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=batch["y"], logits=logits)), seen


# [loss]
def loss(net: Net, batch: Batch) -> tf.Tensor:
    """Return the training loss."""
    return loss_and_statistics(net, batch)[0]  # ()


# [grad]
def loss_gradients_and_statistics(net: Net, batch: Batch) -> tuple[tf.Tensor, Tensors, Tensors]:
    """Return (loss, gradients by name, BatchNorm's batch statistics by name)."""
    params = list(net.params.values())
    if net.is_static:  # derive new nodes from those of the loss
        value, seen = loss_and_statistics(net, batch)
        grads = tf.gradients(value, params)
    else:  # record the loss while it is computed
        with tf.GradientTape() as tape:
            value, seen = loss_and_statistics(net, batch)
        grads = tape.gradient(value, params)
    return value, dict(zip(net.params, grads, strict=True)), seen


def gradients(net: Net, batch: Batch) -> tuple[tf.Tensor, Tensors]:
    """Return (loss, gradients by name)."""
    value, grads, _ = loss_gradients_and_statistics(net, batch)
    return value, grads


# [update]
def train_step(net: Net, batch: Batch) -> tf.Tensor:
    """Take one step of the optimizer and average the statistics; return the loss from before it."""
    value, grads, seen = loss_gradients_and_statistics(net, batch)
    updates = net.optimizer.apply_gradients(grads)
    for name, batch_statistic in seen.items():
        running = net.statistics[name]
        updates.append(running.assign_sub(BATCH_NORM_MOMENTUM * (running - batch_statistic)))
    with tf.control_dependencies(updates):
        return tf.identity(value)
