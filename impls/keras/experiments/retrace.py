"""A small two-layer net in Keras: the backend traces the model's prediction."""

import keras
from keras import layers


class Net(keras.Model):
    """Two dense layers without biases."""

    def __init__(self, num_hidden, num_outputs):
        super().__init__()
        self.w1 = layers.Dense(num_hidden, activation="relu", use_bias=False)
        self.w2 = layers.Dense(num_outputs, use_bias=False)
        self.num_runs = 0

    def call(self, x):
        """Predict (N, D_out) from (N, D_in)."""
        self.num_runs += 1  # where the backend traces, Python runs this line at no other time
        return self.w2(self.w1(x))


def predict(w1, w2):
    """Return what predicts, and how often the backend traced it (None: it runs eagerly)."""
    net = Net(w1.shape[1], w2.shape[1])
    net(keras.Input((len(w1),)))  # creates the weights
    net.set_weights([w1, w2])
    num_before = net.num_runs
    traces = keras.backend.backend() != "torch"
    return net.predict_on_batch, lambda: net.num_runs - num_before if traces else None


WAYS = {"predict_on_batch": predict}
