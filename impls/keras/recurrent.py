"""The recurrent net in Keras: the loop over the steps is its layer's, by the means of its backend."""

import keras
from keras import layers, ops

from impls.keras import optimizers
from impls.keras.extras import BinaryCrossentropy, Dense, Model, SimpleRNNCell, load


class RecurrentNet(Model):
    """h ← tanh(x_t·w_x + h·w_h + b_h) for as many steps as an example has; then one prediction from its state."""

    def __init__(self, H, D_out):
        super().__init__(name="recurrent")
        self.rnn = layers.RNN(SimpleRNNCell(H, name="cell"), name="rnn")
        self.head = Dense(D_out, name="head")

    # [forward]
    def call(self, inputs):
        """Read inputs["x"] (N, T, D_in); return logits (N, D_out)."""
        x, length = inputs["x"], inputs["length"]
        running = ops.arange(x.shape[1], dtype=length.dtype) < length[:, None]  # (N, T)
        h = self.rnn(x, mask=running)  # (N, H)
        return self.head(h)  # (N, D_out)


def build(spec, params):
    """Make the net from canonical parameters, in their dtype."""
    net = RecurrentNet(spec.sizes["H"], spec.sizes["D_out"])
    net({name: keras.Input(batch_shape=spec.inputs[name]) for name in ("x", "length")})  # creates the weights
    load(net, spec, params)
    net.compile(optimizer=optimizers.make(spec.optimizer), loss=BinaryCrossentropy(from_logits=True))
    return net


def forward(net, batch):
    """Predict logits in eval mode."""
    return net.predict_on_batch({"x": batch["x"], "length": batch["length"]})  # (N, D_out)


# [loss]
def loss(net, batch):
    """Return the scalar training loss."""
    y_pred = net({"x": batch["x"], "length": batch["length"]}, training=True)  # (N, D_out)
    return net.compute_loss(y=batch["y"], y_pred=y_pred)  # ()


# [grad]
def gradients(net, batch):
    """Return (loss, gradients in the order of net.trainable_variables); Keras leaves both to its backend."""
    return net.value_and_gradients(loss, batch)


# [update]
def train_step(net, batch):
    """Update the parameters once; return the loss from before the update."""
    return net.train_on_batch({"x": batch["x"], "length": batch["length"]}, batch["y"])
