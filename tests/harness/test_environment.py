"""The machine is described as the schema wants it, its limits are found, and workers get one number of threads."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from harness import environment
from impls import registry

SCHEMA = json.loads((Path(environment.__file__).parent / "results.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with 8 CPUs and 16 GiB of memory, whose /sys and /proc are empty folders."""
    monkeypatch.setattr(environment, "_SYS", tmp_path / "sys")
    monkeypatch.setattr(environment, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(environment, "available_cpus", lambda: list(range(8)))
    memory = SimpleNamespace(total=16 * 2**30, available=12 * 2**30)
    monkeypatch.setattr(environment.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(environment.psutil, "cpu_count", lambda logical: 8 if logical else 4)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- what it is


def test_description_meets_the_schema_and_survives_json():
    described = environment.describe(2)
    schema = {"$defs": SCHEMA["$defs"], **SCHEMA["properties"]["environment"]}
    jsonschema.validate(described, schema)
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["cpu"]
    assert described["memory_bytes"] > 2**28
    assert described["worker_env"] == environment.worker_env(2)


def test_packages_are_the_tools_and_what_the_backends_need():
    """Those that are installed, by the requirements that backends declare: no framework is named in the harness."""
    found = environment.packages()
    assert {"numpy", "execnet", "pytest", "pytest-benchmark"} <= found.keys()
    for entry in registry.variants().values():
        for module in entry.variant.requires:
            if registry.is_installed(module):
                assert any(name.startswith(module) for name in found), module
    assert all(re.match(r"\d+(\.\d+)+", version) for version in found.values())


def git(folder, *arguments):
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # a hook sets GIT_DIR
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, env=env)


def test_git_state_of_a_checkout(tmp_path):
    git(tmp_path, "init")
    write(tmp_path / "file", "one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "one")
    commit, is_clean = environment.git_state(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert is_clean is True
    write(tmp_path / "untracked", "")
    assert environment.git_state(tmp_path) == (commit, False)


def test_git_state_outside_a_checkout(tmp_path, monkeypatch):
    """Also when the folder lies in somebody else's checkout, has no commit yet, or git is not installed."""
    git(tmp_path, "init")
    assert environment.git_state(tmp_path) == (None, None)
    write(tmp_path / "inner/file", "one")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    assert environment.git_state(tmp_path / "inner") == (None, None)
    monkeypatch.setenv("PATH", "")
    assert environment.git_state(tmp_path) == (None, None)


def test_cpu_model(machine, monkeypatch):
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    monkeypatch.setattr(environment.platform, "processor", lambda: "")
    monkeypatch.setattr(environment.platform, "machine", lambda: "aarch64")
    assert environment.cpu_model() == "aarch64"
    write(machine / "proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz: fast\n")
    assert environment.cpu_model() == "Some CPU @ 3 GHz: fast"


def fake_program(folder, name, text, status=0):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\nprint({text!r})\nraise SystemExit({status})\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi needs a POSIX shebang")
def test_gpus(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.gpus() == []
    fake_program(tmp_path, "nvidia-smi", "NVIDIA H100, 81559, 580.95.05\nNVIDIA GB10, [N/A], 580.95.05")
    assert environment.gpus() == [
        {"name": "NVIDIA H100", "memory_bytes": 81559 * 2**20, "driver": "580.95.05"},
        {"name": "NVIDIA GB10", "memory_bytes": None, "driver": "580.95.05"},
    ]
    fake_program(tmp_path, "nvidia-smi", "No devices were found", status=6)
    assert environment.gpus() == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3.0),
    ],
)
def test_cpu_quota(machine, files, expected):
    for name, text in files.items():
        write(machine / "sys/fs/cgroup" / name, text)
    assert environment.cpu_quota() == expected


# The control group's path in /proc, version 2: what a slice of the host, and a container with the host's path, show.
@pytest.mark.parametrize("path", ["/system.slice/run.scope", "/docker/0123"])
def test_the_strictest_group_above_the_process_limits_it(machine, path):
    write(machine / "proc/self/cgroup", f"0::{path}\n")
    write(machine / "sys/fs/cgroup/cpu.max", "600000 100000")
    write(machine / "sys/fs/cgroup/memory.max", str(8 * 2**30))
    assert environment.cpu_quota() == 6
    assert environment.memory_limit() == 8 * 2**30
    write(machine / "sys/fs/cgroup/system.slice/cpu.max", "200000 100000")
    write(machine / "sys/fs/cgroup/system.slice/run.scope/cpu.max", "max 100000")
    write(machine / "sys/fs/cgroup/system.slice/other.scope/cpu.max", "100000 100000")
    assert environment.cpu_quota() == (2 if path.startswith("/system.slice") else 6)


def test_version_1_has_a_folder_for_each_controller(machine):
    write(machine / "proc/self/cgroup", "4:memory:/jobs/7\n3:cpu,cpuacct:/jobs/7\n0::/\n")
    write(machine / "sys/fs/cgroup/cpu/jobs/7/cpu.cfs_quota_us", "300000")
    write(machine / "sys/fs/cgroup/cpu/jobs/7/cpu.cfs_period_us", "100000")
    write(machine / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712")
    assert environment.cpu_quota() == 3
    assert environment.memory_limit() is None
    write(machine / "sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes", str(2**30))
    assert environment.memory_limit() == 2**30


@pytest.mark.parametrize(
    ("limit", "used", "stat", "prefix"),
    [
        ("memory.max", "memory.current", "inactive_file", ""),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "memory/"),
    ],
)
def test_memory_left_is_what_the_container_leaves_and_can_free(machine, limit, used, stat, prefix):
    """By hand: 4 GiB allowed, 3 GiB used, of which 1 GiB are pages of files that the kernel may drop."""
    assert environment.memory_left() == 12 * 2**30
    folder = machine / "sys/fs/cgroup" / prefix
    write(folder / limit, str(4 * 2**30))
    write(folder / used, str(3 * 2**30))
    assert environment.memory_left() == 1 * 2**30
    write(folder / "memory.stat", f"anon 5\n{stat} {2**30}\n")
    assert environment.memory_left() == 2 * 2**30


def test_throttling_is_that_of_the_group_that_was_paused_most(machine):
    assert environment.cpu_throttling() is None
    write(machine / "proc/self/cgroup", "0::/jobs")
    write(machine / "sys/fs/cgroup/cpu.stat", "usage_usec 7")  # the host's root counts no periods
    assert environment.cpu_throttling() is None
    write(machine / "sys/fs/cgroup/jobs/cpu.stat", "usage_usec 7\nnr_periods 90\nnr_throttled 4\n")
    assert environment.cpu_throttling() == (4, 90)


def siblings(machine, *groups):
    for group in groups:
        for cpu in group:
            text = ",".join(map(str, group))
            write(machine / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", f"{text}\n")


def test_cores_are_known_by_their_siblings(machine):
    assert environment.cores([0, 1]) == [[0], [1]]
    siblings(machine, (0, 2), (1, 3))
    assert environment.cores([0, 1, 2, 3, 9]) == [[0, 2], [1, 3], [9]]


# ---------------------------------------------------------------- what the workers are told


def test_worker_env_has_one_number_of_threads_for_all(monkeypatch):
    for name in environment.INHERITED:
        monkeypatch.delenv(name, raising=False)
    env = environment.worker_env(3)
    counts = {value for name, value in env.items() if name.endswith("_THREADS") or name == "NPROC"}
    assert counts == {"3"}
    assert all(isinstance(value, str) for value in env.values())
    assert "TF_ENABLE_ONEDNN_OPTS" not in env


def test_worker_env_records_what_the_user_set(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    env = environment.worker_env(3)
    assert env["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert env["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    ("visible", "device", "expected"),
    [
        (None, "cpu", ""),
        ("0,1", "cpu", ""),
        (None, "gpu", "0"),
        (None, "gpu:1", "1"),
        ("3, GPU-1f", "gpu", "3"),
        ("3, GPU-1f", "gpu:1", "GPU-1f"),
    ],
)
def test_a_worker_sees_the_one_gpu_that_was_chosen(monkeypatch, visible, device, expected):
    """Of those that the user shows, if that was said; in the order of nvidia-smi; and on a CPU none."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    env = environment.worker_env(1, device)
    assert env["CUDA_VISIBLE_DEVICES"] == expected
    assert env.get("CUDA_DEVICE_ORDER") == (None if device == "cpu" else "PCI_BUS_ID")


@pytest.mark.parametrize(
    ("visible", "expected"),
    [(None, ["0", "1"]), ("1", ["1"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"]), ("", []), ("1,-1,0", ["1"])],
)
def test_visible_gpus_are_those_that_cuda_would_take(monkeypatch, visible, expected):
    monkeypatch.setattr(environment, "gpus", lambda: [{}, {}])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert environment.visible_gpus() == expected
    monkeypatch.setattr(environment, "gpus", list)
    assert environment.visible_gpus() == []


@pytest.mark.parametrize("num_threads", [0, -1])
def test_no_threads_are_refused(num_threads):
    for function in (environment.worker_env, environment.choose_cpus):
        with pytest.raises(ValueError, match="at least 1"):
            function(num_threads)


def test_cpus_are_the_first_that_are_available(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "_SYS", tmp_path)
    monkeypatch.setattr(environment.os, "sched_getaffinity", lambda _: {9, 4, 6, 5}, raising=False)
    monkeypatch.setattr(environment.os, "sched_setaffinity", lambda *_: None, raising=False)
    assert environment.choose_cpus(2) == [4, 5]
    assert environment.choose_cpus(9) == [4, 5, 6, 9]
    monkeypatch.delattr(environment.os, "sched_setaffinity")
    monkeypatch.delattr(environment.os, "sched_getaffinity")
    assert environment.choose_cpus(2) is None
    assert environment.available_cpus() == list(range(os.cpu_count()))


def test_every_core_gives_one_cpu_before_any_gives_its_second(machine, monkeypatch):
    monkeypatch.setattr(environment.os, "sched_setaffinity", lambda *_: None, raising=False)
    siblings(machine, (0, 1), (2, 3), (4, 5), (6, 7))
    assert environment.choose_cpus(3) == [0, 2, 4]
    assert environment.choose_cpus(6) == [0, 1, 2, 3, 4, 6]
    assert environment.choose_cpus(8) == list(range(8))
    monkeypatch.setattr(environment, "available_cpus", lambda: [4, 5, 6, 7])
    assert environment.default_num_threads() == 2


def test_default_threads_are_the_physical_cores_that_may_be_used(machine, monkeypatch):
    assert environment.default_num_threads() == 4
    write(machine / "sys/fs/cgroup/cpu.max", "250000 100000")
    assert environment.default_num_threads() == 2
    write(machine / "sys/fs/cgroup/cpu.max", "50000 100000")
    assert environment.default_num_threads() == 1
    write(machine / "sys/fs/cgroup/cpu.max", "max 100000")
    monkeypatch.setattr(environment, "available_cpus", lambda: [3, 5])
    assert environment.default_num_threads() == 2
    monkeypatch.setattr(environment.psutil, "cpu_count", lambda **_: None)  # psutil may not know
    assert environment.default_num_threads() == 2
