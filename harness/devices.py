"""How many variants a GPU's memory holds at once."""

from collections.abc import Sequence

from harness.programs import Launch

CONTEXT_BYTES = 2**30
"""Of a process on a GPU, whatever it computes: CUDA's context, and the code of kernels and libraries."""

PROOF = 4
"""A proof's memory as a multiple of the first steps', in float32: beside these comes the same net in float64, with
twice the bytes, and what an allocator cannot use. Generous, since a variant that finds no room is lost."""

FEWEST = 2
"""The baseline, and one that is compared with it; what has no room even so says that the memory is full."""


def has_room(launched: Sequence[Launch], free_bytes: int | None) -> bool:
    """Tell whether a GPU holds one more worker, and the A/A control, as the hungriest of those launched would need it.

    Args:
        launched: the launches of the workers that are on the GPU.
        free_bytes: of its memory, before any of them; None: it is not to be counted, as on a CPU.
    """
    if free_bytes is None or len(launched) < FEWEST:
        return True
    peaks = [peak for launch in launched for peak in launch.peak_device_memory_bytes.values() if peak is not None]
    need = CONTEXT_BYTES + PROOF * max(peaks, default=0)
    return (len(launched) + 2) * need <= free_bytes
