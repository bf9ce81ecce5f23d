"""Wait for the warm-up, and for the last result."""

import time


def seconds_per_call(function, x, num_calls=10):
    function(x).block_until_ready()
    start = time.perf_counter()
    for _ in range(num_calls):
        result = function(x)
    result.block_until_ready()
    return (time.perf_counter() - start) / num_calls
