"""The recurrent net in TensorFlow: the loop over the steps is `tf.while_loop`, a node of the graph."""

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
        dtype = net.params["head.w"].dtype
        x = tf.compat.v1.placeholder(dtype, spec.inputs["x"], name="x")  # (N, T, D_in)
        length = tf.compat.v1.placeholder(dtype, spec.inputs["length"], name="length")  # (N,)
        y = tf.compat.v1.placeholder(dtype, spec.inputs["y"], name="y")  # (N, D_out)
        net.placeholders = {"x": x, "length": length, "y": y}
        net.session = tf.compat.v1.Session()
        net.session.run(tf.compat.v1.global_variables_initializer())
    return net


# [forward]
def rnn(net: Net, x: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Read x (N, T, D_in); return the last state (N, H). Where an example has ended, its state stays."""
    N, T, _ = x.shape
    w_x, w_h, b_h = (net.params[f"rnn.{name}"] for name in ("w_x", "w_h", "b_h"))

    def step(t, h):
        h_next = tf.tanh(tf.nn.bias_add(tf.matmul(x[:, t], w_x) + tf.matmul(h, w_h), b_h))  # (N, H)
        h = tf.where(tf.cast(t, x.dtype) < length[:, None], h_next, h)  # (N, H)
        return t + 1, h

    start = tf.zeros((N, b_h.shape[0]), x.dtype)  # (N, H)
    # XLA needs the limit: it sets aside as many states for the gradient.
    _, h = tf.while_loop(lambda t, _: t < T, step, (0, start), maximum_iterations=T)
    return h  # (N, H)


def forward(net: Net, batch: Batch) -> tf.Tensor:
    """Predict logits (N, D_out)."""
    h = rnn(net, batch["x"], batch["length"])  # (N, H)
    return tf.nn.bias_add(tf.matmul(h, net.params["head.w"]), net.params["head.b"])  # (N, D_out)


# [loss]
def loss(net: Net, batch: Batch) -> tf.Tensor:
    """Return the mean binary cross-entropy."""
    logits = forward(net, batch)  # (N, D_out)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=batch["y"], logits=logits))  # ()


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
