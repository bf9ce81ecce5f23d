"""What does a new shape cost? A small two-layer net predicts for batches of 20 sizes, each of them twice.

A way is a function of the weights, (D_IN, H) and (H, D_OUT), that returns two functions: one predicts for a batch
(N, D_IN) of the host, waits for the prediction, and returns it; the other says how often the net was traced so far
(None: nothing traces it).
"""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import numpy as np

from harness.lesson.clock import seconds

D_IN, H, D_OUT = 64, 32, 10
BATCH_SIZES = tuple(int(size) for size in np.random.default_rng(0).permutation(np.arange(3, 103, 5)))
"""In order of arrival. None is 1, which some compilers treat apart."""

Way = Callable[[np.ndarray, np.ndarray], tuple[Callable[[np.ndarray], Any], Callable[[], int | None]]]


def probe(way: Way) -> Generator[None, None, dict[str, Any]]:
    """Time the first and the second batch of every size."""
    rng = np.random.default_rng(0)
    predict, num_traces = way(*weights(rng))
    first_s, again_s = [], []
    for size in BATCH_SIZES:
        yield
        batch = rng.standard_normal((size, D_IN), np.float32)
        first_s.append(seconds(partial(predict, batch)))
        again_s.append(seconds(partial(predict, batch)))
    return {
        "batch_sizes": list(BATCH_SIZES),
        "first_seconds": first_s,
        "again_seconds": again_s,
        "num_traces": num_traces(),
    }


def weights(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (D_IN, H) and (H, D_OUT), float32."""
    return rng.standard_normal((D_IN, H), np.float32), rng.standard_normal((H, D_OUT), np.float32)
