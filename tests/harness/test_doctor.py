"""Every check of the doctor tells a quiet machine, a blurred one and one that it cannot read apart."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import pytest

from harness import doctor, environment
from harness.__main__ import main
from harness.interpreters import Interpreter
from impls import registry

VARIANTS = registry.find_variants()
CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0/current_clocksource"
GIB = 2**30


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A quiet machine with 8 CPUs and 16 GiB; its /sys and /proc are empty folders, and no program can be called."""
    monkeypatch.setattr(environment, "_SYS", tmp_path / "sys")
    monkeypatch.setattr(environment, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(environment, "available_cpus", lambda: list(range(8)))
    monkeypatch.setattr(environment.os, "sched_setaffinity", lambda *_: None, raising=False)
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * GIB, available=12 * GIB))
    monkeypatch.setattr(doctor.psutil, "swap_memory", lambda: SimpleNamespace(used=0))
    monkeypatch.setattr(doctor.psutil, "sensors_battery", lambda: None, raising=False)
    monkeypatch.setattr(doctor.psutil, "sensors_temperatures", dict, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in (*environment.INHERITED, *environment.thread_env(1)):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def is_found(finding, status, *texts):
    """Tell whether a finding has this status, names what was read, and is whole."""
    assert finding.status == status, finding
    for text in texts:
        assert text in str(finding), finding
    assert (finding.remedy is not None) == (status == "warning")
    assert bool(finding.affects) == (status == "warning")
    return True


# ---------------------------------------------------------------- what is written in /sys and /proc

NO_TURBO, BOOST = f"{CPU}/intel_pstate/no_turbo", f"{CPU}/cpufreq/boost"
GOVERNORS = [f"{CPU}/cpu{cpu}/cpufreq/scaling_governor" for cpu in (0, 1)]
THROTTLE = f"{CPU}/cpu0/thermal_throttle/core_throttle_count"
VIRTUAL = "flags\t\t: fpu hypervisor avx\n"
REAL = "flags\t\t: fpu avx\n"


@pytest.mark.parametrize(
    ("check", "files", "status", "texts"),
    [
        (doctor.turbo, {}, "unknown", ["the firmware"]),
        (doctor.turbo, {"proc/cpuinfo": VIRTUAL}, "unknown", ["the host of this virtual machine"]),
        (doctor.turbo, {NO_TURBO: "1\n"}, "fine", ["off"]),
        (doctor.turbo, {NO_TURBO: "0\n"}, "warning", ["`echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_"]),
        (doctor.turbo, {BOOST: "0\n"}, "fine", ["off"]),
        (doctor.turbo, {BOOST: "1\n"}, "warning", ["`echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost`"]),
        (doctor.governor, {}, "unknown", ["does not control the clocks"]),
        (doctor.governor, dict.fromkeys(GOVERNORS, "performance\n"), "fine", ["performance"]),
        (
            doctor.governor,
            {GOVERNORS[0]: "performance\n", GOVERNORS[1]: "powersave\n"},
            "warning",
            ["governor is performance and powersave", "cpupower frequency-set -g performance"],
        ),
        (doctor.heat, {}, "unknown", ["no sensor"]),
        (doctor.heat, {THROTTLE: "0\n"}, "fine", ["no clock cut"]),
        (doctor.heat, {THROTTLE: "12\n"}, "warning", ["cut 12 times", "cool down"]),
        (doctor.stolen_time, {}, "unknown", ["/proc/stat"]),
        (doctor.stolen_time, {"proc/stat": "cpu  900 0 90 9 9 5 5 0 0 0\n", "proc/cpuinfo": REAL}, "fine", ["none"]),
        (
            doctor.stolen_time,
            {"proc/stat": "cpu  900 0 90 9 9 5 5 0 0 0", "proc/cpuinfo": VIRTUAL},
            "unknown",
            ["neigh"],
        ),
        (doctor.stolen_time, {"proc/stat": "cpu  980 0 0 9 9 9 9 2 0 0", "proc/cpuinfo": VIRTUAL}, "fine", ["0.2 %"]),
        # by hand: 20 of 1000 ticks that were wanted; 9000 idle ones do not count
        (doctor.stolen_time, {"proc/stat": "cpu  980 0 0 9000 9 0 0 20 0 0\ncpu0 1"}, "warning", ["2.0 %", "vmstat"]),
        (doctor.clock, {}, "fine", ["clock; it tells"]),
        (doctor.clock, {CLOCK: "tsc\n"}, "fine", ["tsc; it tells"]),
    ],
)
def test_what_the_kernel_tells(machine, check, files, status, texts):
    for name, text in files.items():
        write(machine / name, text)
    assert is_found(check(), status, *texts)


def test_a_clock_that_ticks_slowly(machine, monkeypatch):
    write(machine / CLOCK, "acpi_pm\n")
    readings = iter(range(10**6))
    monkeypatch.setattr(doctor.time, "perf_counter", lambda: next(readings) // 2 * 3e-6)  # tells the same twice
    assert is_found(doctor.clock(), "warning", "acpi_pm", "3 µs", "available_clocksource", "echo tsc")


@pytest.mark.parametrize(("celsius", "status"), [(61.0, "fine"), (100.0, "warning")])
@pytest.mark.usefixtures("machine")
def test_a_sensor_at_its_limit(monkeypatch, celsius, status):
    sensors = {
        "coretemp": [SimpleNamespace(current=celsius, high=100.0)],
        "disk": [SimpleNamespace(current=40, high=None)],
    }
    monkeypatch.setattr(doctor.psutil, "sensors_temperatures", lambda: sensors)
    assert is_found(doctor.heat(), status, f"{celsius:.0f} °C")


@pytest.mark.usefixtures("machine")
def test_power(monkeypatch):
    assert is_found(doctor.power(), "fine", "no battery")
    for is_plugged, status in ((True, "fine"), (None, "fine"), (False, "warning")):
        battery = SimpleNamespace(power_plugged=is_plugged)
        monkeypatch.setattr(doctor.psutil, "sensors_battery", lambda battery=battery: battery)
        assert is_found(doctor.power(), status)
    monkeypatch.delattr(doctor.psutil, "sensors_battery")
    assert is_found(doctor.power(), "unknown", "psutil")


# ---------------------------------------------------------------- CPUs, container, memory


@pytest.mark.parametrize(
    ("num_threads", "siblings", "status", "texts"),
    [
        (2, [], "unknown", ["physical core"]),
        (4, [(0, 1), (2, 3), (4, 5), (6, 7)], "fine", ["4 threads on 4 physical cores, CPUs 0, 2, 4, 6"]),
        (5, [(0, 1), (2, 3), (4, 5), (6, 7)], "warning", ["5 threads on 4 physical cores", "--threads 4 or fewer"]),
        (9, [(0, 1), (2, 3), (4, 5), (6, 7)], "warning", ["9 threads on 8 available CPUs", "--threads 8", "taskset"]),
    ],
)
def test_cpus(machine, num_threads, siblings, status, texts):
    for group in siblings:
        for cpu in group:
            write(machine / f"{CPU}/cpu{cpu}/topology/thread_siblings_list", "-".join(map(str, group)))
    assert is_found(doctor.cpus(num_threads), status, *texts)


def test_cpus_of_a_virtual_machine_are_hearsay(machine):
    write(machine / "proc/cpuinfo", VIRTUAL)
    write(machine / f"{CPU}/cpu0/topology/thread_siblings_list", "0")
    assert is_found(doctor.cpus(1), "fine", "as the virtual machine shows them")


@pytest.mark.parametrize(
    ("limit", "stat", "status", "texts"),
    [
        (None, None, "unknown", ["no control group"]),
        ("max 100000", "nr_periods 0\nnr_throttled 0", "fine", ["no limit"]),
        ("200000 100000", "nr_periods 90\nnr_throttled 0", "fine", ["2 CPUs' worth"]),
        ("150000 100000", None, "warning", ["only 1.5 CPUs' worth", "docker update --cpus"]),
        ("200000 100000", "nr_periods 90\nnr_throttled 4", "warning", ["paused in 4 of 90 periods"]),
    ],
)
def test_container(machine, limit, stat, status, texts):
    for name, text in (("cpu.max", limit), ("cpu.stat", stat)):
        if text is not None:
            write(machine / "sys/fs/cgroup" / name, text)
    assert is_found(doctor.container(2), status, *texts)


def test_memory(machine):
    assert is_found(doctor.memory(VARIANTS), "fine", "12.0 GiB of 16.0 GiB left")
    write(machine / "sys/fs/cgroup/memory.max", str(2 * GIB))
    write(machine / "sys/fs/cgroup/memory.current", str(3 * GIB // 2))
    assert is_found(
        doctor.memory(VARIANTS), "warning", "0.5 GiB of 2.0 GiB", "container's limit", "docker update --memory"
    )


@pytest.mark.usefixtures("machine")
def test_swap(monkeypatch):
    assert is_found(doctor.swap(), "fine")
    monkeypatch.setattr(doctor.psutil, "swap_memory", lambda: SimpleNamespace(used=3 * GIB))
    assert is_found(doctor.swap(), "warning", "3.0 GiB", "swapoff")


# ---------------------------------------------------------------- other processes


def process(pid, name, percent):
    return SimpleNamespace(pid=pid, info={"name": name, "cpu_percent": percent})


@pytest.mark.parametrize(
    ("shares", "num_threads", "status", "texts"),
    [
        ([90.0, 0, 0, 0, 0, 0, 0, 0], 7, "fine", ["0.9 of 8 CPUs"]),
        (
            [90.0, 0, 0, 0, 0, 0, 0, 0],
            8,
            "warning",
            ["0.9 of 8 CPUs", ": busy (0.80, pid 5), shy (0.10, pid 6)", "kill"],
        ),
        ([4.0, 4.0, 0, 0, 0, 0, 0, 0], 8, "fine", ["0.1 of 8"]),
        ([0, 0, 0, 90.0], 8, "warning", ["0.9 of 8"]),  # the others are offline
        ([0, 0, 0, 0, 0, 0, 0, 0, 100.0], 8, "fine", ["0.0 of 8"]),  # a ninth CPU, which workers may not use
    ],
)
@pytest.mark.usefixtures("machine")
def test_load_names_the_busiest_but_not_itself(monkeypatch, shares, num_threads, status, texts):
    processes = [process(6, "shy", 10.0), process(os.getpid(), "me", 99.0), process(5, "busy", 80.0)]
    processes += [process(7, "idle", 0.0), process(8, "hidden", None), process(9, None, 0.0)]
    monkeypatch.setattr(doctor.psutil, "process_iter", lambda _: processes)
    monkeypatch.setattr(doctor.psutil, "cpu_percent", lambda **_: shares)
    monkeypatch.setattr(doctor.time, "sleep", lambda _: None)
    found = doctor.load(num_threads)
    assert is_found(found, status, *texts)
    assert not any(name in str(found) for name in ("me (", "idle", "hidden"))


@pytest.mark.usefixtures("machine")
def test_load_does_not_count_this_process(monkeypatch):
    """It keeps one CPU busy for the whole sample."""
    used_s = iter([3.0, 3.0 + doctor.SAMPLE_S])
    monkeypatch.setattr(doctor.time, "process_time", lambda: next(used_s))
    monkeypatch.setattr(doctor.time, "sleep", lambda _: None)
    monkeypatch.setattr(doctor.psutil, "cpu_percent", lambda **_: [100.0, 0, 0, 0, 0, 0, 0, 0])
    assert is_found(doctor.load(8), "fine", "0.0 of 8 CPUs")


def test_load_finds_a_real_process(monkeypatch):
    every = doctor.psutil.process_iter
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        monkeypatch.setattr(
            doctor.psutil, "process_iter", lambda attrs: (p for p in every(attrs) if p.pid == child.pid)
        )
        found = doctor.load(len(environment.available_cpus()))
        child.kill()
    assert is_found(found, "warning", f"pid {child.pid})")


# ---------------------------------------------------------------- what the user set and installed


@pytest.mark.usefixtures("machine")
def test_thread_variables(monkeypatch):
    assert is_found(doctor.thread_variables(2), "fine", "--threads 2")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("OMP_DYNAMIC", "false")
    assert is_found(doctor.thread_variables(2), "fine")
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    assert is_found(
        doctor.thread_variables(2), "warning", "MKL_NUM_THREADS=4", "--threads 2", "`unset MKL_NUM_THREADS`"
    )
    assert "OMP" not in str(doctor.thread_variables(2))


@pytest.mark.usefixtures("machine")
def test_variables_that_workers_inherit(monkeypatch):
    assert is_found(doctor.variables(), "fine")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    assert is_found(doctor.variables(), "warning", "NVIDIA_TF32_OVERRIDE=1", "`unset NVIDIA_TF32_OVERRIDE`")
    assert "certificates" in doctor.variables().affects


def test_frameworks(monkeypatch):
    monkeypatch.setattr(registry, "is_installed", lambda _: True)
    assert is_found(doctor.frameworks(VARIANTS), "fine", f"all {len(VARIANTS)} variants")
    module = VARIANTS[0].variant.requires[0]
    monkeypatch.setattr(registry, "is_installed", lambda name: name != module)
    assert is_found(doctor.frameworks(VARIANTS), "warning", VARIANTS[0].name, f"`pip install {module}`")
    others = frozenset(name for entry in VARIANTS for name in entry.variant.requires) - {module}
    elsewhere = Interpreter("/own/python", "CPython 3.12.4", "/own", others, {})
    own = [replace(VARIANTS[0], interpreter=elsewhere), *VARIANTS[1:]]
    remedies = f"`/own/python -m pip install {module}`", f"`pip install {module}`"
    assert is_found(doctor.frameworks(own), "warning", VARIANTS[0].name, *remedies)
    monkeypatch.setattr(registry, "backends", lambda: {"mine": SyntaxError("invalid syntax")})
    assert is_found(doctor.frameworks(VARIANTS), "warning", f"`pip install {module}` and mend", "broken: impls/mine")


# ---------------------------------------------------------------- GPUs

needs_posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi needs a POSIX shebang")


def fake_smi(machine, answers):
    """Plant an `nvidia-smi` that answers the queries (in part of their text) and fails on all others."""
    program = f"""#!{sys.executable}
import sys
for query, text in {answers!r}.items():
    if query in sys.argv[1]:
        print(text)
        sys.exit()
sys.exit("Field is not a valid field to query.")
"""
    write(machine / "bin/nvidia-smi", program)
    (machine / "bin/nvidia-smi").chmod(0o755)


@needs_posix
@pytest.mark.parametrize(
    ("check", "answers", "status", "texts"),
    [
        (doctor.gpu_processes, {}, "unknown", ["does not say"]),
        (doctor.gpu_processes, {"compute-apps": "", "utilization": "0"}, "fine", ["none"]),
        (
            doctor.gpu_processes,
            {"compute-apps": "71, /usr/bin/train, 4096", "utilization": "0\n97"},
            "warning",
            ["/usr/bin/train (pid 71, 4096 MiB)", "97 %", "kill"],
        ),
        # a container sees that the GPU is busy, but not by whom
        (doctor.gpu_processes, {"compute-apps": "", "utilization": "35"}, "warning", ["no process is shown", "35 %"]),
        (doctor.gpu_clocks, {}, "unknown", ["does not say"]),
        (doctor.gpu_clocks, {"clocks_event": "[N/A], 345, 1980"}, "unknown", ["does not say"]),
        (doctor.gpu_clocks, {"clocks_event": "0x0000000000000001, 345, 1980"}, "fine", ["345 of 1980 MHz"]),
        (doctor.gpu_clocks, {"clocks_event": "0x0000000000000002, 990, 1980"}, "fine", ["990 of 1980 MHz"]),  # as asked
        (
            doctor.gpu_clocks,
            {"clocks_event": "0x0000000000000001, 345, 1980\n0x0000000000000044, 1200, 1980"},
            "warning",
            ["1200 of 1980 MHz", "its power limit, heat (hardware)", "--lock-gpu-clocks"],
        ),
        (doctor.gpu_clocks, {"clocks_throttle": "0x0000000000000020, 900, 1500"}, "warning", ["heat (driver)"]),
        (doctor.gpu_persistence, {}, "unknown", ["does not say"]),
        (doctor.gpu_persistence, {"persistence_mode": "[N/A]"}, "unknown", ["does not say"]),
        (doctor.gpu_persistence, {"persistence_mode": "Enabled\nEnabled"}, "fine", ["on"]),
        (doctor.gpu_persistence, {"persistence_mode": "Enabled\nDisabled"}, "warning", ["--persistence-mode 1"]),
    ],
)
def test_gpus(machine, check, answers, status, texts):
    if answers:
        fake_smi(machine, answers)
    assert is_found(check(), status, *texts)


# ---------------------------------------------------------------- all of it


def test_it_runs_on_this_machine_and_survives_json(monkeypatch):
    monkeypatch.setattr(doctor.time, "sleep", lambda _: None)
    findings = doctor.examine(1, "gpu:1", VARIANTS)
    checks = [finding.check for finding in findings]
    assert len(set(checks)) == len(checks)
    assert checks[:-3] == [finding.check for finding in doctor.examine(1, "cpu", VARIANTS)], (
        "GPUs are looked at if asked for"
    )
    for finding in findings:
        assert finding.status in get_args(doctor.Status)
        assert set(finding.affects) <= set(get_args(doctor.Figure))
        assert "\n" not in str(finding)
        assert is_found(finding, finding.status)
        assert json.loads(json.dumps(finding.as_dict(), allow_nan=False)) == finding.as_dict()


FINDINGS = [
    doctor.Finding("swap", "fine", "not in use"),
    doctor.Finding("variables", "warning", "XLA_FLAGS=[a]", "run `unset XLA_FLAGS`", ("times", "certificates")),
    doctor.Finding("turbo", "unknown", "not told"),
]
CPU_ONLY = {"num_threads": 1, "device": "cpu", "variants": VARIANTS}


def test_the_command_shows_warnings_first_and_fails_only_if_strict(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "examine", lambda **settings: FINDINGS if settings == CPU_ONLY else [])
    arguments = ["doctor", "--device", "cpu", "--threads", "1"]
    assert main([*arguments, "--json", str(tmp_path / "findings.json")]) == 0
    out = capsys.readouterr().out
    assert out.index("XLA_FLAGS=[a]") < out.index("unset XLA_FLAGS") < out.index("not told") < out.index("not in use")
    assert "times, certificates" in out
    assert out.splitlines()[-1] == "1 warning, 1 fine, 1 unknown"
    assert json.loads((tmp_path / "findings.json").read_text()) == [finding.as_dict() for finding in FINDINGS]
    assert main([*arguments, "--strict"]) == 1
    monkeypatch.setattr(doctor, "examine", lambda **_: FINDINGS[::2])
    assert main([*arguments, "--strict"]) == 0


def test_a_wrong_request_is_refused_before_anything_is_read(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", None)
    assert main(["doctor", "--threads", "0"]) == 2
    assert "--threads 0: give a whole number, 1 or more" in capsys.readouterr().err
