"""The operations that the machine's ceilings are measured with; see `harness.ceilings`."""

from collections.abc import Callable

import tensorflow as tf


def matmul(n: int, dtype: str) -> Callable[[], tf.Tensor]:
    """Return a product of two n×n matrices of ones."""
    a, b = tf.ones((n, n), dtype), tf.ones((n, n), dtype)
    return _synchronised(lambda: tf.matmul(a, b))


def copy(num_bytes: int) -> Callable[[], tf.Tensor]:
    """Return a copy of a tensor of `num_bytes`; `tf.identity` and a variable's `assign` would share its memory."""
    source = tf.ones(num_bytes // 4)
    return _synchronised(lambda: tf.raw_ops.DeepCopy(x=source))


def _synchronised(operation: Callable[[], tf.Tensor]) -> Callable[[], tf.Tensor]:
    """Wait where an operation runs on behind its caller, which it does on a GPU only."""

    def run() -> tf.Tensor:
        result = operation()
        if "GPU" in result.device:
            tf.test.experimental.sync_devices()
        return result

    return run
