"""When Python runs: how often the body of a function is executed, call by call.

A way is a function of `ran`, which the body must call whenever Python runs it. It returns `call(x, number)`, which
computes x · number, for x (n,) as NumPy.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

CALLS = ("first call", "second call", "new shape", "new Python number")

Way = Callable[[Callable[[], None]], Callable[[np.ndarray, float], np.ndarray]]


def probe(way: Way) -> dict[str, Any]:
    """Count the runs of the body in each of four calls.

    Raises:
        AssertionError: a product is wrong.
    """
    runs: list[int] = []
    ran: list[None] = []
    call = way(lambda: ran.append(None))
    short, long = np.arange(4, dtype=np.float32), np.arange(6, dtype=np.float32)
    for x, number in ((short, 2.0), (short, 2.0), (long, 2.0), (long, 3.0)):
        num_before = len(ran)
        np.testing.assert_allclose(call(x, number), x * number)
        runs.append(len(ran) - num_before)
    return {"calls": list(CALLS), "python_ran": runs}
