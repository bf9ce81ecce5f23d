"""A different length per example needs a dynamic graph: a recurrence over examples, one by one, padded, or at once.

A way is a function of w (H, H). It returns how the examples are handed over, and two functions: `run(xs, lengths)`
computes h ← tanh(h·w + x_t) for xs (N, T, H) up to each example's own length (N,), and returns the last h (N, H) as
NumPy; `num_traces()` counts how often a graph was made so far, and is None in a way without graphs.

The examples are handed over one at a time at their own lengths ("as they are"), padded to the longest ("padded", or
"stops early" if the loop ends at the example's own length all the same) or to the next of a few lengths ("bucketed"),
or all at once, padded to the longest ("one batch").
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from harness.lesson.loops import H, inputs
from impls.reference.experiments.ragged import recurrence

NUM_EXAMPLES = 64
SHORTEST, LONGEST = 5, 60
BUCKETS = (15, 30, 45, 60)
WARMUP_SIZE = 2

Packing = Literal["as they are", "padded", "stops early", "bucketed", "one batch"]
Run = Callable[[np.ndarray, np.ndarray], np.ndarray]
Way = Callable[[np.ndarray], tuple[Packing, Run, Callable[[], int | None]]]


def examples() -> list[np.ndarray]:
    """Return arrays (length, H), float32, of lengths drawn at random; the longest is among them."""
    random = np.random.default_rng(1)
    lengths = random.integers(SHORTEST, LONGEST, NUM_EXAMPLES, endpoint=True)
    lengths[-1] = LONGEST
    return [random.standard_normal((length, H), np.float32) for length in lengths]


def packed(xs: list[np.ndarray], packing: Packing) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the arguments of a way's `run`, one call after the other."""
    if packing == "one batch":
        rows = [_padded(x, LONGEST) for x in xs]
        return [(np.stack(rows), np.array([len(x) for x in xs], np.int32))]
    targets = {"as they are": range(LONGEST + 1), "bucketed": BUCKETS}.get(packing, (LONGEST,))
    sizes = [min(size for size in targets if size >= len(x)) for x in xs]
    return [(_padded(x, size)[None], np.array([len(x)], np.int32)) for x, size in zip(xs, sizes, strict=True)]


def _padded(x: np.ndarray, length: int) -> np.ndarray:
    return np.pad(x, ((0, length - len(x)), (0, 0)))


def probe(way: Way) -> dict[str, Any]:
    """Take one pass over all examples, from a process that has compiled nothing of these shapes.

    Returns:
        `total_seconds` of the pass, `first_seconds` of its first call, which is part of it; `num_wasted_steps`: the
        steps computed that no example has.

    Raises:
        AssertionError: an h is not NumPy's.
    """
    w, _ = inputs(1)
    xs = examples()
    _, warm_up, _ = way(w[:WARMUP_SIZE, :WARMUP_SIZE])  # imports the compiler
    warm_up(np.zeros((1, WARMUP_SIZE, WARMUP_SIZE), np.float32), np.array([WARMUP_SIZE], np.int32))
    packing, run, num_traces = way(w)
    num_before = num_traces()
    calls = packed(xs, packing)
    outputs, ends = [], []
    start = time.perf_counter()
    for arguments in calls:
        outputs.append(run(*arguments))
        ends.append(time.perf_counter() - start)
    expected = [recurrence(w, x[None], None) for x in xs]
    np.testing.assert_allclose(np.concatenate(outputs), np.concatenate(expected), atol=1e-4)
    num_after = num_traces()
    num_given = sum(x.shape[0] * x.shape[1] for x, _ in calls)
    return {
        "packing": packing,
        "lengths": [len(x) for x in xs],
        "total_seconds": ends[-1],
        "first_seconds": ends[0],
        "num_traces": None if num_after is None or num_before is None else num_after - num_before,
        "num_wasted_steps": 0 if packing == "stops early" else num_given - sum(len(x) for x in xs),
    }
