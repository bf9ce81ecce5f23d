"""What ran on the device, by JAX's own profiler; see `harness.activity`."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
from jax.profiler import ProfileData

RECORDED = {"gpu": ("/device:GPU", "Stream"), "cpu": ("/host:CPU", "")}
"""How a trace's planes begin, of which there is one for each device, and a plane's lines, one for each stream."""


def kernels(run: Callable[[], None], device: str = "gpu") -> list[tuple[str, float, float]]:
    """Return (name, start, end) in seconds of all that ran on the device during `run`, which waits for it.

    On "cpu" these are the operations on the host, one within the other.
    """
    plane_name, line_name = RECORDED[device]
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run()
        (path,) = Path(folder).rglob("*.xplane.pb")
        planes = ProfileData.from_file(str(path)).planes
        return [
            (event.name, 1e-9 * event.start_ns, 1e-9 * (event.start_ns + event.duration_ns))
            for plane in planes
            if plane.name.startswith(plane_name)
            for line in plane.lines
            if line.name.startswith(line_name)
            for event in line.events
        ]
