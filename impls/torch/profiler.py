"""What ran on the device, by PyTorch's own profiler; see `harness.activity`."""

from collections.abc import Callable

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, supported_activities

RECORDED = {"gpu": (ProfilerActivity.CUDA, DeviceType.CUDA), "cpu": (ProfilerActivity.CPU, DeviceType.CPU)}


def kernels(run: Callable[[], None], device: str = "gpu") -> list[tuple[str, float, float]]:
    """Return (name, start, end) in seconds of all that ran on the device during `run`, which waits for it.

    On "cpu" these are the operations on the host, one within the other.
    """
    activity, device_type = RECORDED[device]
    if activity not in supported_activities():  # a build without CUDA
        return []
    with profile(activities=[activity]) as recorded:
        run()
    return [
        (event.name, 1e-6 * event.time_range.start, 1e-6 * event.time_range.end)
        for event in recorded.events()
        if event.device_type == device_type and not event.is_user_annotation
    ]
