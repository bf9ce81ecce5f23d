"""The two-layer training step as Keras' tutorials teach it, for the question whether ours is as fast."""

from collections.abc import Callable

import keras

from impls.contract import Arrays
from impls.specs import ModelSpec


def sequential(spec: ModelSpec, params: Arrays, batch: Arrays) -> Callable[[int], None]:
    """`Sequential`, `compile` with Keras' own mean squared error and SGD, `train_on_batch`."""
    (D_in, H), (_, D_out) = params["w1"].shape, params["w2"].shape
    hidden = keras.layers.Dense(H, activation="relu", use_bias=False)
    model = keras.Sequential([keras.Input((D_in,)), hidden, keras.layers.Dense(D_out, use_bias=False)])
    model.set_weights([params["w1"], params["w2"]])
    model.compile(optimizer=keras.optimizers.SGD(spec.optimizer.learning_rate), loss="mean_squared_error")

    def steps(num_steps: int) -> None:
        for _ in range(num_steps):
            model.train_on_batch(batch["x"], batch["y"])

    return steps
