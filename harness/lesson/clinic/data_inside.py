"""Two nets, one time.

Symptom: a net with ten times as many hidden units takes about as long as the small one.

Diagnosis: each step draws its batch inside the timed region. Drawing random numbers takes longer than the nets do, and
is the same for both.

Remedy: make the batches before the clock starts, or measure the data's preparation as a figure of its own.
"""

import time

import numpy as np

N, D_IN, NUM_STEPS = 64, 1000, 20


def measure():
    """Return seconds per step of a small and of a larger net."""
    random = np.random.default_rng(0)
    found = {}
    for H in (10, 100):
        w = random.standard_normal((D_IN, H), np.float32)
        start = time.perf_counter()
        for _ in range(NUM_STEPS):
            x = random.normal(size=(N, D_IN)).astype(np.float32)
            np.maximum(x @ w, 0)
        found[H] = (time.perf_counter() - start) / NUM_STEPS
    return found


if __name__ == "__main__":
    for H, seconds in measure().items():
        print(f"{H} hidden units: {1e3 * seconds:.3f} ms per step")
