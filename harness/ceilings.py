"""This machine's ceilings, measured in the run, and how near a step comes to them: the roofline.

The model is that of Williams, Waterman and Patterson (2009): a step that does F operations and moves B bytes takes at
least F / (rate of arithmetic) and at least B / (bandwidth). F and B are counted from the spec (`ModelSpec.flops`,
`ModelSpec.bytes`); the rates are measured here, by each framework with its own operations, on the threads and CPUs
that its steps have.

- A rate is the **best** of many repetitions, not their median. A ceiling is what the machine can do; whatever disturbs
  an operation only takes time away.
- Arithmetic is a product of square matrices. Which size is the fastest differs between libraries, so several are tried.
- Bandwidth is that of a copy, 2 bytes moved for each byte copied: one read, one written, as STREAM counts (McCalpin
  1995). A processor that reads a line before it overwrites it moves a third, which is not counted.
- Small nets live in the caches, so there is not one bandwidth. Copies of several **footprints** (source and target
  together) are measured, rather than one "cache" and one "memory" by the sizes that the system states: a virtual
  machine states the cache of its host, of which it gets a share that varies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from harness.workers import Worker

FOOTPRINTS = tuple(2**20 * size for size in (1, 8, 64, 512))
"""In bytes: within a core's own cache, within the shared one, about its edge, and memory.

The last is memory's only as long as no cache holds much of it; a processor with one of 256 MiB or more asks for more.
"""
SMALLEST_MATMUL = 256
MATMULS_PER_TRIAL = 4
"""The matrices grow until so few products fill the time of a trial; larger ones would not be faster."""


@dataclass(frozen=True)
class Rate:
    """The highest rate that was reached, FLOP/s of products or bytes/s of copies.

    Attributes:
        backend: who reached it.
        size: n of the n×n matrices, or the footprint in bytes.
    """

    backend: str
    size: int
    per_s: float


@dataclass(frozen=True)
class Ceiling:
    """What limits any step on a device in a precision.

    Attributes:
        matmul: products' FLOP/s.
        copies: bytes/s by footprint, ascending.
    """

    device: str
    precision: str
    matmul: Rate
    copies: tuple[Rate, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the ceiling as the result document holds it."""
        return {**asdict(self), "copies": [asdict(rate) for rate in self.copies]}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        """Return the ceiling that `as_dict` wrote down."""
        copies = tuple(Rate(**rate) for rate in found["copies"])
        return cls(found["device"], found["precision"], Rate(**found["matmul"]), copies)

    def bandwidth(self, num_bytes: int) -> Rate:
        """Return the bandwidth of a step that moves `num_bytes`.

        It is that of the largest footprint that is no larger. A step moves many of its bytes several times, so its
        footprint is smaller than its traffic: the choice errs towards the faster cache, as befits a ceiling.
        """
        return next((rate for rate in reversed(self.copies) if rate.size <= num_bytes), self.copies[0])


def measure(worker: Worker, precision: str = "float32", min_s: float = 0.2) -> Ceiling:
    """Measure what a worker's framework reaches; takes a few seconds.

    The largest copy raises the high-water mark of the worker's memory: ask for `peak_memory_bytes` first.

    Args:
        worker: started, of a backend that offers `ceilings` (see `registry.offers`); idle otherwise, as all others.
        precision: of the products; a copy moves bytes of any kind.
        min_s: how long an operation is repeated.

    Raises:
        WorkerError: the worker failed, for instance for want of memory.
    """
    backend = worker.entry.backend

    def seconds(kind: str, size: int) -> float:
        return worker.call("ceiling", kind=kind, size=size, precision=precision, min_s=min_s)

    copies = [Rate(backend, size, size / seconds("copy", size // 2)) for size in FOOTPRINTS]
    products = []
    n, product_s = SMALLEST_MATMUL, 0.0
    while product_s < min_s / MATMULS_PER_TRIAL:
        product_s = seconds("matmul", n)
        products.append(Rate(backend, n, 2 * n**3 / product_s))
        n *= 2
    return Ceiling(worker.device, precision, max(products, key=_per_s), tuple(copies))


def best(ceilings: Sequence[Ceiling]) -> Ceiling:
    """Combine what several frameworks reached on one device: the roof is where any of them was highest.

    A small copy may be slower than a large one, when starting it takes longer than copying; then the large one's rate
    is the ceiling of both.

    Raises:
        ValueError: there is none, or they are of different devices or precisions.
    """
    if len({(ceiling.device, ceiling.precision) for ceiling in ceilings}) != 1:
        raise ValueError("the ceilings to combine must be one or more, of one device and precision")
    rates = [rate for ceiling in ceilings for rate in ceiling.copies]
    copies = [
        replace(max((rate for rate in rates if rate.size >= size), key=_per_s), size=size)
        for size in sorted({rate.size for rate in rates})
    ]
    return replace(ceilings[0], matmul=max((one.matmul for one in ceilings), key=_per_s), copies=tuple(copies))


def _per_s(rate: Rate) -> float:
    return rate.per_s


# ---------------------------------------------------------------- the roofline


def attainable_flops_per_s(flops: int, num_bytes: int, ceiling: Ceiling) -> float:
    """Return the roof over a step's arithmetic intensity, `flops` / `num_bytes`."""
    return min(ceiling.matmul.per_s, flops / num_bytes * ceiling.bandwidth(num_bytes).per_s)


def achieved_fraction(flops: int, num_bytes: int, step_time_s: float, ceiling: Ceiling) -> float:
    """Return a step's rate over the attainable one. Above 1, a count or a ceiling is wrong, so it is never clipped."""
    return flops / step_time_s / attainable_flops_per_s(flops, num_bytes, ceiling)
