"""The machine is described as the schema wants it, workers get one number of threads, warnings name a remedy."""

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
    """A quiet machine with 8 CPUs, whose /sys and /proc are empty folders."""
    monkeypatch.setattr(environment, "_SYS", tmp_path / "sys")
    monkeypatch.setattr(environment, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(environment, "available_cpus", lambda: list(range(8)))
    monkeypatch.setattr(environment, "load_average", lambda: [0.1, 0.1, 0.1])
    monkeypatch.setattr(environment.psutil, "sensors_battery", lambda: None, raising=False)
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


@pytest.mark.parametrize("num_threads", [0, -1])
def test_no_threads_are_refused(num_threads):
    for function in (environment.worker_env, environment.choose_cpus):
        with pytest.raises(ValueError, match="at least 1"):
            function(num_threads)


def test_cpus_are_the_first_that_are_available(monkeypatch):
    monkeypatch.setattr(environment.os, "sched_getaffinity", lambda _: {9, 4, 6, 5}, raising=False)
    monkeypatch.setattr(environment.os, "sched_setaffinity", lambda *_: None, raising=False)
    assert environment.choose_cpus(2) == [4, 5]
    assert environment.choose_cpus(9) == [4, 5, 6, 9]
    monkeypatch.delattr(environment.os, "sched_setaffinity")
    monkeypatch.delattr(environment.os, "sched_getaffinity")
    assert environment.choose_cpus(2) is None
    assert environment.available_cpus() == list(range(os.cpu_count()))


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


# ---------------------------------------------------------------- what would blur the times


def test_a_quiet_machine_gets_no_warning(machine):
    write(machine / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n")
    assert environment.warnings(4) == []


@pytest.mark.parametrize(
    ("num_threads", "load", "expected"),
    [
        (4, 3.9, []),
        (4, 4.5, ["load average 4.5 + 4 threads exceed the 8 available CPUs: close other programs"]),
        (8, 0.1, []),
        (9, 0.1, ["9 threads on 8 available CPUs", "--threads 8 or fewer"]),
    ],
)
@pytest.mark.usefixtures("machine")
def test_too_many_threads_or_too_much_load(monkeypatch, num_threads, load, expected):
    monkeypatch.setattr(environment, "load_average", lambda: [load, 0.0, 0.0])
    found = environment.warnings(num_threads)
    assert len(found) == bool(expected)
    assert all(text in found[0] for text in expected)


def test_quota_governor_and_battery_are_told_with_a_remedy(machine, monkeypatch):
    write(machine / "sys/fs/cgroup/cpu.max", "150000 100000")
    for cpu, governor in enumerate(("powersave", "performance", "powersave")):
        write(machine / f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", governor + "\n")
    monkeypatch.setattr(environment.psutil, "sensors_battery", lambda: SimpleNamespace(power_plugged=False))
    quota, governor, battery = environment.warnings(2)
    assert "only 1.5 CPUs' worth" in quota
    assert "raise its CPU limit" in quota
    assert "governor is powersave" in governor
    assert "cpupower" in governor
    assert "plug it in" in battery
    assert not any("\n" in line for line in (quota, governor, battery))


def test_warnings_run_on_this_machine():
    assert all(isinstance(line, str) and line for line in environment.warnings(1))
