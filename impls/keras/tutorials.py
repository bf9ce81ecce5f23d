"""The nets' training steps as Keras' tutorials write them: is ours as fast?"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from impls.contract import Arrays
from impls.keras.extras import from_canonical
from impls.specs import ModelSpec


def two_layer_sequential(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """`Sequential`, `compile` with Keras' own mean squared error and SGD, `train_on_batch`."""
    (D_in, H), (_, D_out) = params["w1"].shape, params["w2"].shape
    hidden = layers.Dense(H, activation="relu", use_bias=False)
    model = keras.Sequential([keras.Input((D_in,)), hidden, layers.Dense(D_out, use_bias=False)])
    model.set_weights([params["w1"], params["w2"]])
    return _steps(model, keras.optimizers.SGD(spec.optimizer.learning_rate), "mean_squared_error", batch)


def autoencoder_sequential(spec: ModelSpec, _: Arrays, batch: Arrays) -> Callable[[int], None]:
    """`Sequential`, Keras' own mean squared error and Adam."""
    pixels, hidden, code = (spec.sizes[name] for name in ("pixels", "hidden", "code"))
    model = keras.Sequential(
        [
            keras.Input((pixels,)),
            layers.Dense(hidden, activation="relu"),
            layers.Dense(code, activation="relu"),
            layers.Dense(hidden, activation="relu"),
            layers.Dense(pixels, activation="sigmoid"),
        ]
    )
    return _steps(model, keras.optimizers.Adam(spec.optimizer.learning_rate), "mean_squared_error", batch)


def unet_functional(spec: ModelSpec, _: Arrays, batch: Arrays) -> Callable[[int], None]:
    """The functional API, Keras' own BatchNormalization, Dropout, cross-entropy, and SGD with momentum."""
    widths = [spec.sizes["channels"] * 2**level for level in range(5)]
    x = inputs = keras.Input(from_canonical(batch["x"], "image").shape[1:])
    skips: list[Any] = []
    for width in widths:
        x = _double_conv(layers.MaxPooling2D()(x) if skips else x, width)
        skips.append(x)
    x = layers.Dropout(0.5)(skips.pop())
    for width in widths[-2::-1]:
        x, skip = layers.Conv2DTranspose(2 * width, 2, strides=2, use_bias=False)(x), skips.pop()
        crop = layers.Cropping2D((skip.shape[1] - x.shape[1]) // 2)
        x = _double_conv(layers.Concatenate()([crop(skip), x]), width)
    model = keras.Model(inputs, layers.Conv2D(1, 1)(x))
    settings = spec.optimizer
    optimizer = keras.optimizers.SGD(settings.learning_rate, momentum=settings.momentum)
    return _steps(model, optimizer, keras.losses.BinaryCrossentropy(from_logits=True), batch)


def _double_conv(x: Any, channels: int) -> Any:
    for _ in range(2):
        x = layers.Conv2D(channels, 3, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return x


def _steps(model: keras.Model, optimizer: Any, loss: Any, batch: Arrays) -> Callable[[int], None]:
    model.compile(optimizer=optimizer, loss=loss)
    x, y = (from_canonical(batch[name], "image") for name in ("x", "y"))

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            model.train_on_batch(x, y)

    return steps
