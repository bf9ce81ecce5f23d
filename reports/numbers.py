"""Numbers as a reader wants them: a unit that fits, no more digits than are known."""

import math
from collections.abc import Callable, Sequence

NBSP = "\u00a0"
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NOT_KNOWN = "–"
WIDE = 3.0
"""An interval whose ends differ by more than this factor has each of them rounded on its own."""


def significant(value: float, digits: int = 3) -> str:
    """Return `value` with so many significant digits, never in exponent form, with thousands separators."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}"


def time_unit(seconds: float) -> tuple[float, str]:
    """Return the largest unit that leaves at least 1, as (seconds per unit, symbol)."""
    rounded = float(f"{seconds:.3g}")
    return next(((size, symbol) for size, symbol in _UNITS if rounded >= size), _UNITS[-1])


def time_text(seconds: float | None) -> str:
    """Return a duration with three digits: "68.1 ms"."""
    if seconds is None:
        return NOT_KNOWN
    size, symbol = time_unit(seconds) if seconds > 0 else (1.0, "s")
    return f"{significant(seconds / size)}{NBSP}{symbol}"


def tick_text(seconds: float) -> str:
    """Return a round duration without trailing zeros: "50 ms"."""
    size, symbol = time_unit(seconds)
    return f"{seconds / size:,.6g}{NBSP}{symbol}"


def interval(low: float, high: float, is_ratio: bool = True) -> tuple[str, str]:
    """Round an interval outwards, to the digit that its width supports; a ratio never reaches 1 by rounding alone."""
    width = max(high - low, 1e-4 * abs(high), 1e-12)
    decimals = max(0, -math.floor(math.log10(width / 2)))
    for extra in range(4):
        scale = 10 ** (decimals + extra)
        # a hair against ends that are round already, but not in binary
        down, up = math.floor(low * scale + 1e-6) / scale, math.ceil(high * scale - 1e-6) / scale
        if not is_ratio or ((down > 1 or low <= 1) and (up < 1 or high >= 1)):
            break
    return f"{down:,.{decimals + extra}f}", f"{up:,.{decimals + extra}f}"


def outwards(value: float, to_whole: Callable[[float], int], digits: int = 2) -> str:
    """Return one end of an interval with so many significant digits; `to_whole`: `math.floor` or `math.ceil`."""
    decimals = digits - 1 - math.floor(math.log10(value))
    hair = 1e-6 if to_whole is math.floor else -1e-6
    return f"{to_whole(value * 10.0**decimals + hair) / 10.0**decimals:,.{max(0, decimals)}f}"


def interval_text(low: float | None, high: float | None, between: str = " to ", is_ratio: bool = True) -> str:
    """Return "1.91 to 1.94"; one number where both ends round to it."""
    if low is None or high is None:
        return NOT_KNOWN
    if 0 < low < high / WIDE:
        return f"{outwards(low, math.floor)}{between}{outwards(high, math.ceil)}"
    first, last = interval(low, high, is_ratio)
    return first if first == last else f"{first}{between}{last}"


def time_interval_text(seconds: float, low: float | None, high: float | None, between: str = " to ") -> str:
    """Return "67.5 to 68.9 ms", in the unit that fits `seconds`."""
    if low is None or high is None:
        return NOT_KNOWN
    size, symbol = time_unit(seconds)
    return f"{interval_text(low / size, high / size, between, is_ratio=False)}{NBSP}{symbol}"


def ratio_text(ratio: float | None) -> str:
    """Return a ratio with three digits, at most three decimals."""
    if ratio is None:
        return NOT_KNOWN
    return f"{ratio:.3f}" if ratio < 1 else significant(ratio)


def percent_text(fraction: float) -> str:
    """Return a small fraction as a percentage, rounded up so that it never promises too much."""
    percent = 100 * fraction
    if percent < 0.1:
        return f"0.1{NBSP}%"
    scale = 10 if percent < 10 else 1
    return f"{math.ceil(percent * scale - 1e-6) / scale:g}{NBSP}%"


def error_text(error: float | None) -> str:
    """Return a relative error in plain exponent form; "not comparable" where there is none."""
    if error is None:
        return "not comparable"
    return "0" if error == 0 else f"{error:.1e}".replace("e-0", "e-").replace("e+0", "e+")


def power_text(value: float) -> str:
    """Return a small number for a sentence: "3.2 × 10⁻¹³"."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    return power if mantissa == "1.0" else f"{mantissa}{NBSP}×{NBSP}{power}"


def multiple_text(value: float) -> str:
    """Return how many times as large something is, with two digits: "2.1", "less than 0.01"."""
    if value < 0.01:
        return "less than 0.01"
    return significant(value, 2) if value < 1e4 else power_text(value)


def percent_of_text(share: float) -> str:
    """Return a share as a percentage with two digits, a very large one in exponent form."""
    percent = 100 * share
    if 0 < percent < 0.01:
        return f"< 0.01{NBSP}%"
    return f"{significant(percent, 2) if percent < 1e4 else error_text(percent)}{NBSP}%"


def bytes_text(num_bytes: int | None) -> str:
    """Return a size in MiB or GiB."""
    if num_bytes is None:
        return NOT_KNOWN
    mebibytes = num_bytes / 2**20
    return f"{significant(mebibytes)}{NBSP}MiB" if mebibytes < 1024 else f"{significant(mebibytes / 1024)}{NBSP}GiB"


def big_text(value: float, unit: str) -> str:
    """Return a large amount with an SI prefix: "8.41 GFLOP"."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{significant(value / size)}{NBSP}{prefix}{unit}"
    return f"{significant(value)}{NBSP}{unit}"


def count_text(count: int, singular: str, plural: str | None = None) -> str:
    """Return "1 variant", "1,200 variants"."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round values for a logarithmic axis from `low` to `high`, at least three where that can be."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    steps: Sequence[Sequence[float]] = (
        (1,),
        (1, 3),
        (1, 2, 5),
        (1, 1.5, 2, 3, 5, 7),
        (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    )
    choices = [[10.0**decade for decade in decades if decade % stride == 0] for stride in (12, 6, 4, 3, 2)]
    choices += [[step * 10.0**decade for decade in decades for step in series] for series in steps]
    for size in (high / 10, high / 20, high / 50, high / 100, high / 200, high / 500):
        unit = 10.0 ** math.floor(math.log10(size)) * (5 if size / 10.0 ** math.floor(math.log10(size)) >= 5 else 1)
        choices.append([unit * index for index in range(1, round(high / unit) + 1)])
    found: list[float] = []
    for values in choices:
        inside = [float(f"{value:.6g}") for value in values if low <= value <= high]
        if len(inside) > most:
            break
        found = max(found, inside, key=len)
        if len(found) >= 4:
            break
    return found
