"""What ran on the device, by TensorFlow's own profiler; see `harness.activity`."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

RECORDED = {"gpu": ("/device:GPU", "Stream"), "cpu": ("/host:CPU", "")}
"""How a trace's planes begin, of which there is one for each device, and a plane's lines, one for each stream."""


def kernels(run: Callable[[], None], device: str = "gpu") -> list[tuple[str, float, float]]:
    """Return (name, start, end) in seconds of all that ran on the device during `run`, which waits for it.

    On "cpu" these are the operations on the host, one within the other.
    """
    plane_name, line_name = RECORDED[device]
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            run()
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    found = []
    for plane in space.planes:
        for line in plane.lines if plane.name.startswith(plane_name) else ():
            for event in line.events if line.name.startswith(line_name) else ():
                start_s = 1e-9 * line.timestamp_ns + 1e-12 * event.offset_ps
                name = plane.event_metadata[event.metadata_id].name
                found.append((name, start_s, start_s + 1e-12 * event.duration_ps))
    return found
