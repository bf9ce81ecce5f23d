"""What on this machine blurs which figures, and what to type against it. It only looks: nothing is changed.

A check is a function that returns one `Finding`. What cannot be read here is "unknown" and says why, because a machine
of which nothing is known must not look like a quiet one.
"""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Literal

import psutil

from harness import environment
from impls import registry
from impls.contract import Backend
from impls.registry import Entry

Status = Literal["warning", "unknown", "fine"]
Figure = Literal["times", "cold stages", "memory", "ceilings", "threads", "gpu times", "certificates", "variants"]
"""What a finding blurs.

- times: step times, throughput and latency, and the ratios between them
- cold stages: import, build, compile, first step; they are taken once per launch, so that nothing evens them out
- memory: the peak of a worker, and whether it fits at all
- ceilings: the machine's matmul rate and copy bandwidth, and the shares of them
- threads: for how many threads the figures hold
- gpu times: all that is timed on a GPU
- certificates: the rounding, and so the errors
- variants: which of them are in the comparison
"""

SAMPLE_S = 0.5
"""How long the load is watched. The kernel counts CPU time in ticks of 10 ms: 2 % of this."""

LOWEST_LOAD = 0.1
"""In CPUs. An idle desktop's daemons together stay below."""

LARGEST_STOLEN_SHARE = 0.005
"""The error of a ratio that the A/A control has to stay below on a quiet machine."""

LARGEST_CLOCK_STEP_S = 1e-6
"""1 % of a step of 0.1 ms, which is shorter than any that the presets time."""

WORKER_BYTES = 2**30
"""The `peak_memory_bytes` of the presets' workers: 1,006 MiB at most."""

GPU_SLOWDOWNS = {
    0x04: "its power limit",
    0x08: "a hardware slowdown",
    0x20: "heat (driver)",
    0x40: "heat (hardware)",
    0x80: "the power supply",
}
"""Bits of NVML's mask of clock event reasons that lower the clock against the user's wish."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        found: what was read, with its value; why, where it could not be read.
        remedy: what to do, with the command to type; None where nothing needs to be done.
        affects: the figures that a warning blurs.
    """

    check: str
    status: Status
    found: str
    remedy: str | None = None
    affects: tuple[Figure, ...] = ()

    def __str__(self) -> str:
        return self.found if self.remedy is None else f"{self.found}: {self.remedy}"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as the result document holds it."""
        return {**asdict(self), "affects": list(self.affects)}


def examine(num_threads: int, device: str, variants: Sequence[Entry]) -> list[Finding]:
    """Make all checks, in about `SAMPLE_S`; `nvidia-smi` may need a second more.

    Args:
        num_threads: that the workers will be given.
        device: "cpu", "gpu" or "gpu:1"; GPUs are looked at only if one is to be used.
        variants: that are to run.
    """
    findings = [
        load(num_threads),
        cpus(num_threads),
        container(num_threads),
        thread_variables(num_threads),
        variables(),
        turbo(),
        governor(),
        heat(),
        power(),
        stolen_time(),
        clock(),
        memory(variants),
        swap(),
        frameworks(variants),
    ]
    return findings + ([gpu_processes(), gpu_clocks(), gpu_persistence()] if environment.kind(device) == "gpu" else [])


# ---------------------------------------------------------------- who else wants the CPUs


def load(num_threads: int) -> Finding:
    """Watch the CPUs that workers may use, and name the processes that keep them busy."""
    available = environment.available_cpus()
    psutil.cpu_percent(percpu=True)  # both meters start at their first call
    for _ in psutil.process_iter(["cpu_percent"]):
        pass
    own_s = time.process_time()
    time.sleep(SAMPLE_S)
    shares = psutil.cpu_percent(percpu=True)
    own_share = (time.process_time() - own_s) / SAMPLE_S
    # psutil lists the CPUs that are online, by their place in the list
    busy = max(0.0, sum(shares[cpu] for cpu in available if cpu < len(shares)) / 100 - own_share)
    found = f"{busy:.1f} of {len(available)} CPUs busy with something else over {SAMPLE_S:g} s{_busiest()}"
    if busy >= LOWEST_LOAD and busy + num_threads > len(available):
        remedy = "wait until it ends, stop it (`kill PID`), or lower --threads"
        return _warning("load", found, remedy, "times", "cold stages", "ceilings")
    return _fine("load", found)


def _busiest(num_processes: int = 3) -> str:
    """Return the names of the processes that used most CPU time since they were asked last, but for this one."""
    shares = [
        ((process.info["cpu_percent"] or 0.0) / 100, process.info["name"], process.pid)
        for process in psutil.process_iter(["cpu_percent", "name"])
        if process.pid != os.getpid()
    ]
    shares.sort(key=lambda one: one[0], reverse=True)
    named = [f"{name} ({share:.2f}, pid {pid})" for share, name, pid in shares if share >= 0.01]
    return f": {', '.join(named[:num_processes])}" if named else ""


def cpus(num_threads: int) -> Finding:
    """See whether every thread gets a physical core of its own."""
    available = environment.available_cpus()
    if num_threads > len(available):
        found = f"{num_threads} threads on {len(available)} available CPUs wait for each other"
        remedy = f"use --threads {len(available)} or fewer, or let the process use more CPUs (`taskset -c LIST …`)"
        return _warning("cpus", found, remedy, "times", "cold stages", "threads")
    chosen = environment.choose_cpus(num_threads) or available
    if not environment.read_sys(f"devices/system/cpu/cpu{chosen[0]}/topology/thread_siblings_list"):
        return _unknown("cpus", "the system does not say which CPUs share a physical core")
    num_cores = len(environment.cores(chosen))
    found = f"{num_threads} threads on {num_cores} physical cores, CPUs {', '.join(map(str, chosen))}"
    if num_cores < num_threads:
        found += " (hyper-threading: the threads on one core share its arithmetic units)"
        return _warning("cpus", found, f"use --threads {num_cores} or fewer", "times", "ceilings", "threads")
    return _fine("cpus", f"{found}, as the virtual machine shows them" if _is_virtual() else found)


def container(num_threads: int) -> Finding:
    """Read the container's limit of CPU time, and whether it was ever paused for that."""
    quota, throttling = environment.cpu_quota(), environment.cpu_throttling()
    remedy = "raise its CPU limit (`docker update --cpus N CONTAINER`) or lower --threads"
    if quota is not None and quota < num_threads:
        found = (
            f"the container may use only {quota:g} CPUs' worth of time and is paused when {num_threads} threads use "
            "it up"
        )
        return _warning("container", found, remedy, "times", "cold stages", "ceilings", "threads")
    if throttling is not None and throttling[0]:
        found = f"the container was paused in {throttling[0]} of {throttling[1]} periods for using up its CPU time"
        return _warning("container", found, remedy, "times", "cold stages", "ceilings")
    if quota is None and throttling is None:
        return _unknown("container", "no control group says how much CPU time may be used")
    limit = "no limit of CPU time" if quota is None else f"{quota:g} CPUs' worth of time"
    return _fine("container", f"{limit}, never paused")


def stolen_time() -> Finding:
    """Read how much of its CPU time a virtual machine did not get, as a share of what it wanted since it started."""
    check = "stolen time"
    ticks = [int(number) for number in environment.read_proc("stat").partition("\n")[0].split()[1:9]]
    if len(ticks) < 8:
        return _unknown(check, "there is no /proc/stat, which counts it")
    idle, iowait, stolen = ticks[3], ticks[4], ticks[7]  # proc(5): user nice system idle iowait irq softirq steal
    share = stolen / max(1, sum(ticks) - idle - iowait)
    found = f"{100 * share:.1f} % of the CPU time wanted since the start went to other virtual machines"
    if share > LARGEST_STOLEN_SHARE:
        remedy = "take a machine of your own, or a quieter hour (`vmstat 1` shows it in the column st)"
        return _warning(check, found, remedy, "times", "cold stages", "ceilings")
    if _is_virtual() and stolen == 0:
        return _unknown(check, "a virtual machine that counts no stolen time: its neighbours cannot be seen from here")
    return _fine(check, found if stolen else "none")


def _is_virtual() -> bool:
    lines = environment.read_proc("cpuinfo").splitlines()
    return any("hypervisor" in line.split() for line in lines if line.startswith("flags"))


# ---------------------------------------------------------------- how fast the CPUs run


def turbo() -> Finding:
    """See whether clocks may rise above what the processor can hold."""
    folder = "devices/system/cpu"
    switches = [(f"{folder}/intel_pstate/no_turbo", "0", "1"), (f"{folder}/cpufreq/boost", "1", "0")]
    known = [(name, environment.read_sys(name), on, off) for name, on, off in switches]
    for name, value, on, off in known:
        if value == on:
            found = f"turbo is on (/sys/{name} is {on}): clocks depend on the heat and on how many cores are busy"
            remedy = f"run `echo {off} | sudo tee /sys/{name}`"
            return _warning("turbo", found, remedy, "times", "cold stages", "ceilings")
    if not any(value for _, value, _, _ in known):
        return _unknown("turbo", _no_clocks())
    return _fine("turbo", "off")


def governor() -> Finding:
    """See whether the clocks rise and fall with the load."""
    governors = sorted({*environment.read_sys_all("devices/system/cpu/cpu*/cpufreq/scaling_governor")} - {""})
    if not governors:
        return _unknown("governor", _no_clocks())
    if governors == ["performance"]:
        return _fine("governor", "performance")
    found = f"the CPU frequency governor is {' and '.join(governors)}, so that clocks rise and fall with the load"
    remedy = "run `sudo cpupower frequency-set -g performance`"
    return _warning("governor", found, remedy, "times", "cold stages", "ceilings")


def _no_clocks() -> str:
    owner = "the host of this virtual machine" if _is_virtual() else "the firmware or another system"
    return f"the kernel does not control the clocks; {owner} does"


def heat() -> Finding:
    """See whether clocks were cut because of heat, or are about to be."""
    counts = environment.read_sys_all("devices/system/cpu/cpu*/thermal_throttle/*_throttle_count")
    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}  # Linux and FreeBSD only
    readings = [(name, one.current, one.high) for name, ones in sensors.items() for one in ones]
    if not counts and not readings:
        return _unknown("heat", "no sensor and no count of thermal throttling can be read here")
    found = [f"{name} is at {now:.0f} °C, limit {high:.0f} °C" for name, now, high in readings if high and now >= high]
    # every CPU of a core or package counts the same events
    num_cuts = max((int(count) for count in counts if count.isdigit()), default=0)
    if num_cuts:
        found.append(f"clocks were cut {num_cuts} times since the start because of heat")
    if found:
        remedy = "let the machine cool down and free its fans (`watch sensors` shows the temperatures)"
        return _warning("heat", "; ".join(found), remedy, "times", "cold stages", "ceilings")
    hottest = [f"hottest sensor at {max(now for _, now, _ in readings):.0f} °C"] if readings else []
    return _fine("heat", "; ".join([*hottest, "no clock cut since the start"] if counts else hottest))


def power() -> Finding:
    """See whether the machine runs on its battery."""
    if not hasattr(psutil, "sensors_battery"):
        return _unknown("power", "psutil cannot see batteries on this platform")
    battery = psutil.sensors_battery()
    if battery is None:
        return _fine("power", "no battery")
    if battery.power_plugged is False:
        found = "the machine runs on battery, which lowers its clocks"
        return _warning("power", found, "plug it in", "times", "cold stages", "ceilings")
    return _fine("power", "plugged in")


def clock() -> Finding:
    """Measure the shortest time that `time.perf_counter` can tell, the cost of reading it included."""
    source = environment.read_sys("devices/system/clocksource/clocksource0/current_clocksource") or "clock"
    step_s = statistics.median(_clock_step_s() for _ in range(25))
    found = f"{source}; it tells times {step_s * 1e6:.2g} µs apart"
    if step_s > LARGEST_CLOCK_STEP_S:
        file = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        remedy = f"if `cat {file.replace('current', 'available')}` lists tsc, run `echo tsc | sudo tee {file}`"
        return _warning("clock", f"the clock is slow: {found}", remedy, "times", "gpu times")
    return _fine("clock", found)


def _clock_step_s() -> float:
    start = now = time.perf_counter()
    while now == start:
        now = time.perf_counter()
    return now - start


# ---------------------------------------------------------------- memory


def memory(variants: Sequence[Entry]) -> Finding:
    """See whether the workers of one net, which live at the same time, find room."""
    left, limit = environment.memory_left(), environment.memory_limit()
    total = psutil.virtual_memory().total if limit is None else limit
    found = f"{_gib(left)} of {_gib(total)} left" + (" of the container's limit" if limit is not None else "")
    headline = [entry for entry in variants if entry.variant.headline]
    num_workers = sum(not registry.missing_modules(entry) for entry in headline) + 1  # the control
    if left < num_workers * WORKER_BYTES:
        found += f", and {num_workers} workers may need {_gib(num_workers * WORKER_BYTES)} at once"
        remedy = "end what uses most of it (`ps aux --sort -rss | head`) or name fewer --variants"
        if limit is not None:
            remedy += ", or raise the limit (`docker update --memory 16g CONTAINER`)"
        return _warning("memory", found, remedy, "memory", "times", "variants")
    return _fine("memory", found)


def swap() -> Finding:
    """See whether memory lies on a disk: pages come back in the middle of a sample, and no peak counts them."""
    used = psutil.swap_memory().used
    if used == 0:
        return _fine("swap", "not in use")
    found = f"{_gib(used)} of memory are swapped out"
    remedy = "end what uses memory, then run `sudo swapoff -a && sudo swapon -a`, which brings it back"
    return _warning("swap", found, remedy, "memory", "times", "cold stages")


def _gib(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.1f} GiB"


# ---------------------------------------------------------------- what the user set and installed


def thread_variables(num_threads: int) -> Finding:
    """Compare the numbers of threads in the user's environment with what the workers get instead."""
    check = "thread variables"
    other = {
        name: os.environ[name]
        for name, value in environment.thread_env(num_threads).items()
        if os.environ.get(name, value).lower() != value.lower()
    }
    if not other:
        return _fine(check, f"none contradicts --threads {num_threads}")
    found = f"{_assignments(other)} is set, but every worker gets --threads {num_threads}"
    remedy = f"run `unset {' '.join(other)}`, or give the number that you meant as --threads"
    return _warning(check, found, remedy, "threads")


def variables() -> Finding:
    """Name the variables that workers inherit and that change speed or rounding."""
    check = "variables"
    found = {name: os.environ[name] for name in environment.INHERITED if name in os.environ}
    if not found:
        return _fine(check, "none is set that changes speed or rounding")
    remedy = f"run `unset {' '.join(found)}`, unless the run is about that"
    return _warning(
        check, f"{_assignments(found)} changes speed or rounding in the workers", remedy, "times", "certificates"
    )


def _assignments(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def frameworks(variants: Sequence[Entry]) -> Finding:
    """Name the variants that cannot run here, and what to install for them."""
    missing = {entry: modules for entry in variants if (modules := registry.missing_modules(entry))}
    broken = [folder for folder, backend in registry.backends().items() if not isinstance(backend, Backend)]
    found, remedies = [], []
    if missing:
        needed: dict[str, list[str]] = {}  # by the pip to install it with
        for entry, modules in missing.items():
            needed.setdefault(registry.pip(entry), []).extend(modules)
        by_pip = {pip: " ".join(dict.fromkeys(modules)) for pip, modules in needed.items()}
        names, absent = (entry.name for entry in missing), dict.fromkeys(chain.from_iterable(missing.values()))
        found.append(f"{', '.join(names)} cannot run: {' '.join(absent)} cannot be imported")
        remedies += [f"run `{pip} install {modules}`" for pip, modules in by_pip.items()]
    if broken:
        found.append(f"broken: {', '.join(f'impls/{folder}' for folder in broken)}")
        remedies.append("mend what `python -m harness list` says about it")
    if found:
        return _warning("frameworks", "; ".join(found), " and ".join(remedies), "variants")
    return _fine("frameworks", f"all {len(variants)} variants can run")


# ---------------------------------------------------------------- GPUs


def gpu_processes() -> Finding:
    """Name the other processes on the GPUs, or at least see that they are busy."""
    check = "gpu processes"
    processes = environment.nvidia_smi("compute-apps", "pid", "process_name", "used_memory")
    gpus = environment.nvidia_smi("gpu", "utilization.gpu")
    if processes is None or gpus is None:
        return _unknown(check, "nvidia-smi does not say who uses the GPUs")
    named = [f"{name} (pid {pid}, {used} MiB)" for pid, name, used in processes if pid != str(os.getpid())]
    shares = [int(share) for (share,) in gpus if share.isdigit()]
    if named or any(shares):
        found = f"GPUs in use: {', '.join(named) or 'no process is shown'}; busy {', '.join(f'{s} %' for s in shares)}"
        remedy = "wait until they end, or stop them (`nvidia-smi` lists them, `kill PID` ends one)"
        return _warning(check, found, remedy, "gpu times", "memory")
    return _fine(check, "none")


def gpu_clocks() -> Finding:
    """See whether something lowers the GPUs' clocks."""
    check = "gpu clocks"
    clocks = ("clocks.sm", "clocks.max.sm")
    gpus = environment.nvidia_smi("gpu", "clocks_event_reasons.active", *clocks)
    if gpus is None:  # the name that older drivers know
        gpus = environment.nvidia_smi("gpu", "clocks_throttle_reasons.active", *clocks)
    if not gpus or not all(mask.startswith("0x") for mask, _, _ in gpus):  # "[N/A]"
        return _unknown(check, "nvidia-smi does not say what limits the GPUs' clocks")
    found = "; ".join(f"GPU at {clock} of {most} MHz" for _, clock, most in gpus)
    reasons = [text for bit, text in GPU_SLOWDOWNS.items() if any(int(mask, 16) & bit for mask, _, _ in gpus)]
    if reasons:
        remedy = "let it cool down, or lock a clock that it can hold (`sudo nvidia-smi --lock-gpu-clocks MHZ`)"
        return _warning(check, f"{found}, lowered by {', '.join(reasons)}", remedy, "gpu times")
    return _fine(check, f"{found}, not lowered")


def gpu_persistence() -> Finding:
    """See whether the driver stays loaded between two processes."""
    check = "gpu persistence"
    modes = [mode for (mode,) in environment.nvidia_smi("gpu", "persistence_mode") or []]
    if "Disabled" in modes:
        found = "persistence mode is off: the first process on an idle GPU waits for the driver to start it"
        return _warning(check, found, "run `sudo nvidia-smi --persistence-mode 1`", "cold stages")
    if set(modes) == {"Enabled"}:
        return _fine(check, "on")
    return _unknown(check, "nvidia-smi does not say whether the driver stays loaded")


# ---------------------------------------------------------------- findings


def _fine(check: str, found: str) -> Finding:
    return Finding(check, "fine", found)


def _unknown(check: str, why: str) -> Finding:
    return Finding(check, "unknown", why)


def _warning(check: str, found: str, remedy: str, *affects: Figure) -> Finding:
    return Finding(check, "warning", found, remedy, affects)
