"""The two-layer net in TensorFlow: one set of functions for a static graph with a Session, and for TensorFlow 2."""

import tensorflow as tf

from impls.contract import Arrays
from impls.specs import ModelSpec
from impls.tf.net import Batch, Net


def build(spec: ModelSpec, params: Arrays) -> Net:
    """Make the variables w1 (D_in, H) and w2 (H, D_out)."""
    w1 = tf.Variable(params["w1"], name="w1")  # (D_in, H)
    w2 = tf.Variable(params["w2"], name="w2")  # (H, D_out)
    return Net(spec, {"w1": w1, "w2": w2})


def static_graph(spec: ModelSpec, params: Arrays) -> Net:
    """Build the net in a graph of its own, with placeholders for the batch and a Session to run it (tf-graph).

    The functions below then add nodes to this graph, once, and compute nothing. The step itself is
    `session.run(train_step(net, placeholders), feed_dict={x: …, y: …})`.
    """
    with tf.Graph().as_default():
        net = build(spec, params)
        x = tf.compat.v1.placeholder(net.params["w1"].dtype, spec.inputs["x"], name="x")  # (N, D_in)
        y = tf.compat.v1.placeholder(net.params["w1"].dtype, spec.inputs["y"], name="y")  # (N, D_out)
        net.placeholders = {"x": x, "y": y}
        net.session = tf.compat.v1.Session()
        net.session.run(tf.compat.v1.global_variables_initializer())
    return net


# [forward]
def forward(net: Net, batch: Batch) -> tf.Tensor:
    """Predict y (N, D_out) from x (N, D_in)."""
    h = tf.nn.relu(tf.matmul(batch["x"], net.params["w1"]))  # (N, H)
    return tf.matmul(h, net.params["w2"])  # (N, D_out)


# [loss]
def loss(net: Net, batch: Batch) -> tf.Tensor:
    """Return the sum of squared errors."""
    y_pred = forward(net, batch)  # (N, D_out)
    return tf.reduce_sum(tf.square(y_pred - batch["y"]))  # ()


# [grad]
def gradients(net: Net, batch: Batch) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Return (loss, gradients by name)."""
    if net.is_static:  # derive new nodes from those of the loss
        value = loss(net, batch)
        grad_w1, grad_w2 = tf.gradients(value, [net.params["w1"], net.params["w2"]])
    else:  # record the loss while it is computed
        with tf.GradientTape() as tape:
            value = loss(net, batch)
        grad_w1, grad_w2 = tape.gradient(value, [net.params["w1"], net.params["w2"]])
    return value, {"w1": grad_w1, "w2": grad_w2}


# [update]
def train_step(net: Net, batch: Batch) -> tf.Tensor:
    """Take one step of gradient descent; return the loss from before it."""
    value, grads = gradients(net, batch)
    learning_rate = net.spec.optimizer.learning_rate
    with tf.control_dependencies(grads.values()):  # no variable is written before all were read
        updates = [net.params[name].assign_sub(learning_rate * grad) for name, grad in grads.items()]
    with tf.control_dependencies(updates):
        return tf.identity(value)
