"""The kernel that slows down by itself.

Symptom: repeated for longer, the same multiplication of the same array gets slower, without other load on the machine.

Diagnosis: the result is fed back in. Halved a hundred and thirty times, float32 numbers are subnormal, and many
processors take many times as long over those. The numbers decide the time, and no real net has these.

Remedy: start every repetition from the same numbers, and keep them in the range that the net has.
"""

import time

import torch

SIZE, NUM_CALLS = 100_000, 140


def measure():
    """Return the seconds of every call, and the array that is left."""
    x = torch.ones(SIZE)
    found = []
    for _ in range(NUM_CALLS):
        start = time.perf_counter()
        x = x * 0.5
        found.append(time.perf_counter() - start)
    return {"seconds": found, "left": x}


if __name__ == "__main__":
    found = measure()["seconds"]
    print(f"first ten calls: {1e6 * sum(found[:10]) / 10:.1f} us each, last ten: {1e6 * sum(found[-10:]) / 10:.1f} us")
