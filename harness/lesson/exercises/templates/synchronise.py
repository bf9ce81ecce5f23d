"""The missing wait.

`seconds_per_call` times a function that, like JAX's, returns before its work is done. Mend it, so that it returns how
long the work takes. There is more than one place where a wait is missing.
"""

import time


def seconds_per_call(function, x, num_calls=10):
    """Return the mean seconds of a call, after a call to warm up.

    What `function` returns has a method `block_until_ready`; `jax.block_until_ready` takes it too.
    """
    function(x)
    start = time.perf_counter()
    for _ in range(num_calls):
        function(x)
    return (time.perf_counter() - start) / num_calls
