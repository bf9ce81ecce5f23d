"""The denoising autoencoder in Keras: 784 → hidden → code → hidden → 784, mean squared error, Adam."""

import keras

from impls.keras import optimizers
from impls.keras.extras import Dense, MeanSquaredError, Model, load


class Autoencoder(Model):
    """Four dense layers: ReLU after the first three, sigmoid after the last."""

    def __init__(self, pixels, hidden, code):
        super().__init__(name="autoencoder")
        self.encoder1 = Dense(hidden, activation="relu", name="encoder1")
        self.encoder2 = Dense(code, activation="relu", name="encoder2")
        self.decoder1 = Dense(hidden, activation="relu", name="decoder1")
        self.decoder2 = Dense(pixels, activation="sigmoid", name="decoder2")

    # [forward]
    def call(self, x):
        """Denoise images (N, pixels)."""
        h = self.encoder1(x)  # (N, hidden)
        z = self.encoder2(h)  # (N, code)
        h = self.decoder1(z)  # (N, hidden)
        return self.decoder2(h)  # (N, pixels)


def build(spec, params):
    """Make the net from canonical parameters, in their dtype."""
    net = Autoencoder(spec.sizes["pixels"], spec.sizes["hidden"], spec.sizes["code"])
    net(keras.Input((spec.sizes["pixels"],), batch_size=spec.batch_size))  # creates the weights
    load(net, spec, params)
    net.compile(optimizer=optimizers.make(spec.optimizer), loss=MeanSquaredError())
    return net


def forward(net, batch):
    """Denoise in eval mode."""
    return net.predict_on_batch(batch["x"])  # (N, pixels)


# [loss]
def loss(net, batch):
    """Return the scalar training loss."""
    y_pred = net(batch["x"], training=True)  # (N, pixels)
    return net.compute_loss(y=batch["y"], y_pred=y_pred)  # ()


# [grad]
def gradients(net, batch):
    """Return (loss, gradients in the order of net.trainable_variables); Keras leaves both to its backend."""
    return net.value_and_gradients(loss, batch)


# [update]
def train_step(net, batch):
    """Update the parameters once; return the loss from before the update."""
    return net.train_on_batch(batch["x"], batch["y"])
