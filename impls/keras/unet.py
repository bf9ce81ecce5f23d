"""U-Net (Ronneberger et al. 2015) with BatchNorm in Keras, channels last, SGD with momentum."""

import keras
from keras import layers, ops

from impls.keras import optimizers
from impls.keras.extras import BatchNormalization, BinaryCrossentropy, Model, load
from impls.specs import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, DROPOUT_RATE


class DoubleConv(layers.Layer):
    """Twice: valid 3×3 convolution without bias, BatchNorm, ReLU."""

    def __init__(self, channels, name):
        super().__init__(name=name)
        batch_norm = {"momentum": 1 - BATCH_NORM_MOMENTUM, "epsilon": BATCH_NORM_EPS}
        self.conv1 = layers.Conv2D(channels, 3, use_bias=False, name="conv1")
        self.bn1 = BatchNormalization(**batch_norm, name="bn1")
        self.conv2 = layers.Conv2D(channels, 3, use_bias=False, name="conv2")
        self.bn2 = BatchNormalization(**batch_norm, name="bn2")

    def call(self, x, training=False):
        """Take 4 pixels off each side length."""
        h = self.conv1(x)  # (N, H, W, C)
        h = ops.relu(self.bn1(h, training=training))  # (N, H, W, C)
        h = self.conv2(h)  # (N, H - 2, W - 2, C)
        return ops.relu(self.bn2(h, training=training))  # (N, H - 2, W - 2, C)


class Up(DoubleConv):
    """Transposed convolution, the skip connection cropped and put before it, double convolution."""

    def __init__(self, channels_in, channels, name):
        super().__init__(channels, name)
        self.up = layers.Conv2DTranspose(channels_in, 2, strides=2, use_bias=False, name="up")

    def call(self, x, skip, training=False):
        """Double the side lengths of x, then take 4 pixels off."""
        h = self.up(x)  # (N, H, W, C_in)
        _, height, width, _ = h.shape
        top, left = (skip.shape[1] - height) // 2, (skip.shape[2] - width) // 2
        skip = skip[:, top : top + height, left : left + width, :]  # (N, H, W, C_skip)
        h = ops.concatenate([skip, h], axis=-1)  # (N, H, W, C_skip + C_in)
        return super().call(h, training=training)  # (N, H - 4, W - 4, C_skip)


class UNet(Model):
    """U-Net of Ronneberger et al. (2015), 1 channel out."""

    def __init__(self, channels):
        super().__init__(name="unet")
        C = channels
        self.down1, self.down2 = DoubleConv(C, "down1"), DoubleConv(2 * C, "down2")
        self.down3, self.down4 = DoubleConv(4 * C, "down3"), DoubleConv(8 * C, "down4")
        self.pool = layers.MaxPooling2D(2)
        self.bottleneck = DoubleConv(16 * C, "bottleneck")
        self.up4, self.up3 = Up(16 * C, 8 * C, "up4"), Up(8 * C, 4 * C, "up3")
        self.up2, self.up1 = Up(4 * C, 2 * C, "up2"), Up(2 * C, C, "up1")
        self.head = layers.Conv2D(1, 1, name="head")

    # [forward]
    def call(self, inputs, training=False):
        """Return logits (N, H, W, 1); inputs["dropout"] is the mask of kept units in train mode."""
        skip1 = self.down1(inputs["x"], training=training)  # (N, H1, W1, C)
        skip2 = self.down2(self.pool(skip1), training=training)  # (N, H2, W2, 2 * C)
        skip3 = self.down3(self.pool(skip2), training=training)  # (N, H3, W3, 4 * C)
        skip4 = self.down4(self.pool(skip3), training=training)  # (N, H4, W4, 8 * C)
        h = self.bottleneck(self.pool(skip4), training=training)  # (N, H5, W5, 16 * C)
        if training:
            h = h * inputs["dropout"] / (1 - DROPOUT_RATE)  # (N, H5, W5, 16 * C)
        h = self.up4(h, skip4, training=training)  # (N, 2 * H5 - 4, 2 * W5 - 4, 8 * C)
        h = self.up3(h, skip3, training=training)  # (N, 4 * H5 - 12, 4 * W5 - 12, 4 * C)
        h = self.up2(h, skip2, training=training)  # (N, 8 * H5 - 28, 8 * W5 - 28, 2 * C)
        h = self.up1(h, skip1, training=training)  # (N, 16 * H5 - 60, 16 * W5 - 60, C)
        return self.head(h)  # (N, 16 * H5 - 60, 16 * W5 - 60, 1)


def build(spec, params):
    """Make the net from canonical parameters and statistics, in their dtype."""
    net = UNet(spec.sizes["channels"])
    N, C, H, W = spec.inputs["x"]
    net({"x": keras.Input((H, W, C), batch_size=N)})  # creates the weights
    load(net, spec, params)
    net.compile(optimizer=optimizers.make(spec.optimizer), loss=BinaryCrossentropy(from_logits=True))
    return net


def forward(net, batch):
    """Predict logits in eval mode."""
    return net.predict_on_batch({"x": batch["x"]})  # (N, H, W, 1)


# [loss]
def loss(net, batch):
    """Return the scalar training loss (batch statistics, dropout)."""
    y_pred = net({"x": batch["x"], "dropout": batch["dropout"]}, training=True)  # (N, H, W, 1)
    return net.compute_loss(y=batch["y"], y_pred=y_pred)  # ()


# [grad]
def gradients(net, batch):
    """Return (loss, gradients in the order of net.trainable_variables); Keras leaves both to its backend."""
    return net.value_and_gradients(loss, batch)


# [update]
def train_step(net, batch):
    """Update parameters, slots and statistics once; return the loss from before the update."""
    return net.train_on_batch({"x": batch["x"], "dropout": batch["dropout"]}, batch["y"])
