"""Counts the traces that twenty batch sizes cause."""

from typing import Any

import numpy as np

from harness.lesson.exercises.checks import UnsolvedError

REQUIRES = ("tensorflow",)
HINTS = (
    "Which of the sizes does the result not depend on?",
    "A `tf.TensorSpec` may have None for a size that is not known yet.",
    "tf.function(input_signature=[tf.TensorSpec([None, D_in]), …]), or pad the batches and cut the results.",
)
NUM_SIZES, D_IN, H, D_OUT = 20, 30, 20, 10


def check(solution: Any) -> str:
    """Predict for batches of 20 sizes; one trace is allowed, in all functions of the file together."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    w1, w2 = random.standard_normal((D_IN, H), np.float32), random.standard_normal((H, D_OUT), np.float32)
    batches = [random.standard_normal((size, D_IN), np.float32) for size in random.permutation(NUM_SIZES) + 1]
    found = solution.predict_all([tf.constant(x) for x in batches], tf.constant(w1), tf.constant(w2))
    for x, y in zip(batches, found, strict=True):
        if y.shape != (len(x), D_OUT) or not np.allclose(y, np.maximum(x @ w1, 0) @ w2, rtol=1e-4, atol=1e-4):
            raise UnsolvedError(f"the prediction for a batch of {len(x)} is not what it was")
    functions = [value for value in vars(solution).values() if hasattr(value, "experimental_get_tracing_count")]
    num_traces = sum(function.experimental_get_tracing_count() for function in functions)
    if num_traces == 0:
        raise UnsolvedError("no tf.function was traced: without a graph there is nothing to trace, and nothing to gain")
    if num_traces > 1:
        raise UnsolvedError(f"{num_traces} traces for {NUM_SIZES} batch sizes")
    return f"{NUM_SIZES} batch sizes, one trace."
