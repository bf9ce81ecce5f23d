"""Has a call done its work when it returns? Matrix products, timed until the call returns and until they are done.

A way is a function of a matrix, (SIZE, SIZE), that returns two functions: one that starts the matrix's product with
itself, the way the framework usually does, and one that waits until such a product is computed.
"""

import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

SIZE = 2000
NUM_SAMPLES = 9

Way = Callable[[np.ndarray], tuple[Callable[[], Any], Callable[[Any], None]]]


def probe(way: Way) -> Generator[None, None, dict[str, list[float]]]:
    """Time products until the call returns, and until the product is there.

    Returns:
        `returned_seconds` and `done_seconds`, a sample each per product, from the same start.
    """
    matrix = np.random.default_rng(0).standard_normal((SIZE, SIZE), np.float32)
    start_product, wait = way(matrix)
    wait(start_product())  # traces and compiles
    returned_s, done_s = [], []
    for _ in range(NUM_SAMPLES):
        yield
        start = time.perf_counter()
        product = start_product()
        returned_s.append(time.perf_counter() - start)
        wait(product)
        done_s.append(time.perf_counter() - start)
    return {"returned_seconds": returned_s, "done_seconds": done_s}
