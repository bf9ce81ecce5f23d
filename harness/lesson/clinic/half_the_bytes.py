"""NumPy against a framework that is twice as fast.

Symptom: the same product takes NumPy about twice as long as "the framework", whose library is the same.

Diagnosis: `np.random.rand` makes float64, and the framework's arrays are float32: half the bytes, and twice as many
numbers in a vector register. Two computations are compared, not two libraries. (Here NumPy plays both parts.)

Remedy: state the precision, and give both sides the same bytes, `x.astype(np.float32)`. Compare the results too.
"""

import time

import numpy as np

SIZE, NUM_CALLS = 512, 10


def framework_tensor(array):
    """Do what frameworks do with Python's and NumPy's numbers by default."""
    return array.astype(np.float32)


def seconds(x):
    """Return the best time of a product."""
    best = float("inf")
    for _ in range(NUM_CALLS):
        start = time.perf_counter()
        x @ x
        best = min(best, time.perf_counter() - start)
    return best


def measure():
    """Return the seconds of either side, and the bytes that each was given."""
    x = np.random.rand(SIZE, SIZE)
    y = framework_tensor(x)
    return {"numpy": seconds(x), "framework": seconds(y), "num_bytes": (x.nbytes, y.nbytes)}


if __name__ == "__main__":
    found = measure()
    print(f"the framework is {found['numpy'] / found['framework']:.2f} times as fast")
