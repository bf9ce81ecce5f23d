"""The denoising autoencoder in TensorFlow, with Adam written as assignments to variables."""

import tensorflow as tf

from impls.contract import Arrays
from impls.specs import ModelSpec, OptimizerSpec
from impls.tf.net import Batch, Net, variables, zeros_like


def build(spec: ModelSpec, params: Arrays) -> Net:
    """Make the variables: weights (in, out), biases (out,), Adam's two moments of each, and the number of steps."""
    net = Net(spec, variables(spec.params, params))
    net.slots = zeros_like(net.params, "m") | zeros_like(net.params, "v")
    net.num_steps = tf.Variable(0, dtype=tf.int64, name="num_steps")
    return net


def static_graph(spec: ModelSpec, params: Arrays) -> Net:
    """Build the net in a graph of its own, with placeholders for the batch and a Session to run it (tf-graph)."""
    with tf.Graph().as_default():
        net = build(spec, params)
        dtype = net.params["encoder1.w"].dtype
        x = tf.compat.v1.placeholder(dtype, spec.inputs["x"], name="x")  # (N, pixels)
        y = tf.compat.v1.placeholder(dtype, spec.inputs["y"], name="y")  # (N, pixels)
        net.placeholders = {"x": x, "y": y}
        net.session = tf.compat.v1.Session()
        net.session.run(tf.compat.v1.global_variables_initializer())
    return net


def dense(net: Net, layer: str, x: tf.Tensor) -> tf.Tensor:
    """Map x (N, fan_in) to (N, fan_out)."""
    return tf.nn.bias_add(tf.matmul(x, net.params[f"{layer}.w"]), net.params[f"{layer}.b"])  # (N, fan_out)


# [forward]
def forward(net: Net, batch: Batch) -> tf.Tensor:
    """Predict clean images (N, pixels) from noisy ones."""
    h = tf.nn.relu(dense(net, "encoder1", batch["x"]))  # (N, hidden)
    h = tf.nn.relu(dense(net, "encoder2", h))  # (N, code)
    h = tf.nn.relu(dense(net, "decoder1", h))  # (N, hidden)
    return tf.nn.sigmoid(dense(net, "decoder2", h))  # (N, pixels)


# [loss]
def loss(net: Net, batch: Batch) -> tf.Tensor:
    """Return the mean squared error over all pixels of all images."""
    y_pred = forward(net, batch)  # (N, pixels)
    return tf.reduce_mean(tf.square(y_pred - batch["y"]))  # ()


# [grad]
def gradients(net: Net, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Return (loss, gradients by name)."""
    params = list(net.params.values())
    if net.is_static:  # derive new nodes from those of the loss
        value = loss(net, batch)
        grads = tf.gradients(value, params)
    else:  # record the loss while it is computed
        with tf.GradientTape() as tape:
            value = loss(net, batch)
        grads = tape.gradient(value, params)
    return value, dict(zip(net.params, grads, strict=True))


# [update]
def train_step(net: Net, batch: Batch) -> tf.Tensor:
    """Take one step of Adam; return the loss from before it."""
    value, grads = gradients(net, batch)
    adam = net.spec.optimizer
    updates = []
    with tf.control_dependencies(grads.values()):  # no variable is written before all were read
        learning_rate, eps = bias_corrected(adam, net.num_steps.assign_add(1), value.dtype)
        for name, grad in grads.items():
            p, m, v = net.params[name], net.slots[f"m/{name}"], net.slots[f"v/{name}"]
            new_m = adam.beta1 * m + (1 - adam.beta1) * grad
            new_v = adam.beta2 * v + (1 - adam.beta2) * tf.square(grad)
            update = learning_rate * new_m / (tf.sqrt(new_v) + eps)
            updates += [m.assign(new_m), v.assign(new_v), p.assign_sub(update)]
    with tf.control_dependencies(updates):
        return tf.identity(value)


def bias_corrected(adam: OptimizerSpec, num_steps: tf.Tensor, dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """Return Adam's learning rate and epsilon with the bias corrections of step `num_steps` folded in.

    lr·m̂ / (√v̂ + eps) = (lr·√(1-β2ᵗ) / (1-β1ᵗ))·m / (√v + √(1-β2ᵗ)·eps), which saves two passes over each parameter.
    In float64, because in float32 1 - 0.999 has only four digits: tf.compat.v1.train.AdamOptimizer, besides adding
    epsilon before the correction (Kingma & Ba 2015, end of section 2), loses them.
    """
    t = tf.cast(num_steps, tf.float64)
    root = tf.sqrt(1 - adam.beta2**t)
    return tf.cast(adam.learning_rate * root / (1 - adam.beta1**t), dtype), tf.cast(adam.eps * root, dtype)
