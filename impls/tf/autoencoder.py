"""The denoising autoencoder in TensorFlow."""

import tensorflow as tf

from impls.contract import Arrays
from impls.specs import ModelSpec
from impls.tf import optimizers
from impls.tf.net import Batch, Net, variables


def build(spec: ModelSpec, params: Arrays) -> Net:
    """Make the variables: weights (in, out), biases (out,), and the optimizer's own."""
    net = Net(spec, variables(spec.params, params))
    net.optimizer = optimizers.make(spec.optimizer, net.params)
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
    z = tf.nn.relu(dense(net, "encoder2", h))  # (N, code)
    h = tf.nn.relu(dense(net, "decoder1", z))  # (N, hidden)
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
    """Take one step of the optimizer; return the loss from before it."""
    value, grads = gradients(net, batch)
    with tf.control_dependencies(net.optimizer.apply_gradients(grads)):
        return tf.identity(value)
