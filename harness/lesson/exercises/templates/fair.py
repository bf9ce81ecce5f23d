"""A fair comparison.

`ratio` says how many times as long one function takes as another. On the machine that the checker simulates its answer
is wrong by far: functions compile in their first call, the machine gets slower while it is measured, and some calls are
disturbed and take ten times as long. Change the file so that the answer is right to within a tenth.
"""

import time


def seconds(function, num_calls):
    """Return the mean seconds of a call. `function` waits for its result."""
    start = time.perf_counter()
    for _ in range(num_calls):
        function()
    return (time.perf_counter() - start) / num_calls


def ratio(first, second, num_calls=30):
    """Return the time of a call of `second` over that of `first`."""
    return seconds(second, num_calls) / seconds(first, num_calls)
