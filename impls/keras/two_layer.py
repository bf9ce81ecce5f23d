"""The two-layer net in Keras: y = max(x·w1, 0)·w2, sum of squared errors, plain SGD."""

import keras
from keras import ops

from impls.keras.extras import Dense, Model, load


class TwoLayerNet(Model):
    """Two dense layers without biases."""

    def __init__(self, H, D_out):
        super().__init__(name="two_layer")
        self.w1 = Dense(H, activation="relu", use_bias=False, name="w1")
        self.w2 = Dense(D_out, use_bias=False, name="w2")

    # [forward]
    def call(self, x):
        """Predict (N, D_out) from (N, D_in)."""
        h_relu = self.w1(x)  # (N, H)
        return self.w2(h_relu)  # (N, D_out)


def build(spec, params):
    """Make the net from canonical parameters, in their dtype."""
    net = TwoLayerNet(spec.sizes["H"], spec.sizes["D_out"])
    net(keras.Input((spec.sizes["D_in"],), batch_size=spec.batch_size))  # creates the weights
    load(net, spec, params)
    net.compile(optimizer=keras.optimizers.SGD(spec.optimizer.learning_rate), loss=sum_squared_error)
    return net


def forward(net, batch):
    """Predict in eval mode."""
    return net.predict_on_batch(batch["x"])  # (N, D_out)


# [loss]
def sum_squared_error(y, y_pred):
    """Return the sum over the batch and over D_out."""
    return ops.sum(ops.square(y_pred - y))  # ()


def loss(net, batch):
    """Return the scalar training loss."""
    y_pred = net(batch["x"], training=True)  # (N, D_out)
    return net.compute_loss(y=batch["y"], y_pred=y_pred)  # ()


# [grad]
def gradients(net, batch):
    """Return (loss, gradients in the order of net.trainable_variables); Keras leaves both to its backend."""
    return net.value_and_gradients(loss, batch)


# [update]
def train_step(net, batch):
    """Update the parameters once; return the loss from before the update."""
    return net.train_on_batch(batch["x"], batch["y"])
