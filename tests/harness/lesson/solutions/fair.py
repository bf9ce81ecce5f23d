"""Warm up, take turns, and take the median of the ratios."""

import statistics
import time


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def ratio(first, second, num_calls=30):
    first()
    second()
    ratios = []
    for _ in range(num_calls):
        first_s = seconds(first)
        ratios.append(seconds(second) / first_s)
    return statistics.median(ratios)
