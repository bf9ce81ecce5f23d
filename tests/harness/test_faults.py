"""What goes wrong on other people's machines, done for real: the other cells finish, and the report says what happened.

The faults are in a backend of their own, `impls/faulty/`, in a copy of the code: NumPy's nets, and a worker that is
killed, hangs, runs out of memory and so on once its rounds are under way.
"""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("harness", "impls", "reports")

FAULTY = {
    "__init__.py": """
        from impls.contract import Backend, Variant

        NAMES = ("killed", "hung", "greedy", "unimportable", "talkative", "secretive", "placeless", "crammed")
        BACKEND = Backend("Faulty", tuple(Variant(name, mode="eager", requires=("numpy",)) for name in NAMES))
        """,
    "ceilings.py": "raise OSError('no such probe')\n",
    "two_layer.py": "from impls.reference.two_layer import *\n",
    "runtime.py": """
        import ctypes
        import gc
        import os
        import resource
        import signal
        import sys

        import numpy as np

        from impls.reference import runtime
        from impls.reference.runtime import *

        NUM_HARMLESS = 35  # blocks: calibration takes about 30, and each of the six rounds 5 or more
        MESSAGE = "a framework that likes to talk about what it is doing\\n" * 2000

        def configure(variant, num_threads, device, precision):
            if variant.name == "unimportable":
                raise ImportError("libbroken.so.7: cannot open shared object file")
            if variant.name == "talkative":
                for _ in range(40):  # 8 MiB in all
                    print(MESSAGE)
                    print(MESSAGE, file=sys.stderr)
                sys.stdout.flush()
                os.write(1, MESSAGE.encode())  # as C code does, which knows no sys.stdout
            return runtime.configure(variant, num_threads, device, precision)

        class Program(runtime.Program):
            def __init__(self, implementation, spec, params, variant):
                super().__init__(implementation, spec, params, variant)
                self.name = variant.name
                self.fault = getattr(self, variant.name, None)
                self.num_blocks = 0

            def synchronize(self):
                self.num_blocks += not gc.isenabled()  # it is off inside a block

            def train_step(self, batch):
                if self.num_blocks > NUM_HARMLESS and self.fault:
                    self.fault()
                return super().train_step(batch)

            def ledger(self, phase):
                if self.name == "secretive":
                    raise RuntimeError("it does not say what it does")
                return super().ledger(phase)

            def place(self, batch):
                if self.name == "placeless":
                    raise RuntimeError("there is no room on the device")
                return super().place(batch)

            def killed(self):
                os.kill(os.getpid(), signal.SIGKILL)

            def hung(self):
                ctypes.PyDLL(None).sleep(1000)  # in C, and it does not let go of the interpreter's lock

            def crammed(self):
                raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes.\\nBuffer 1: …")

            def greedy(self):
                now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
                resource.setrlimit(resource.RLIMIT_AS, (now + 2**28, resource.RLIM_INFINITY))
                self.hoard = [np.ones(2**24) for _ in range(2**12)]
        """,
}
IMPATIENT = "\nfrom harness import sampler\nsampler.SAMPLE_TIMEOUT_S = 10\n"
STAGES = {
    "computing the float64 reference": signal.SIGINT,
    "starting numpy (": signal.SIGTERM,
    "certifying": signal.SIGINT,
    "starting numpy again": signal.SIGHUP,
    "timing forward": signal.SIGTERM,
}


@pytest.fixture
def faulty_project(project: Any) -> Any:
    """A project whose code has the faulty backend, and that waits 10 s for a visit of the schedule."""
    project.code = project.path / "code"
    for room in ROOMS:
        shutil.copytree(ROOT / room, project.code / room, ignore=shutil.ignore_patterns("runs", "published"))
    backend = project.code / "impls" / "faulty"
    backend.mkdir()
    for name, text in FAULTY.items():
        indent = " " * 8
        (backend / name).write_text(text.replace(f"\n{indent}", "\n"))
    with (project.path / "conftest.py").open("a") as conftest:
        conftest.write(IMPATIENT)
    return project


def test_a_fault_costs_its_own_cell(faulty_project: Any, tiny: tuple[str, ...]) -> None:
    """In one run: SIGKILL mid-round, a hang in C, no memory, a failing import, 8 MiB of prints, failures afterwards."""
    variants = "numpy,killed,hung,greedy,unimportable,talkative,secretive,placeless,crammed"
    done = faulty_project.run(*tiny[:-1], variants, "--models", "two_layer", "-k", "train_step")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert re.search(r"= 2 passed, \d+ deselected, 7 errors in", done.stdout), done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr

    block = faulty_project.latest()["likeforlike"]
    assert block["run"]["status"] == "complete"
    cells = {cell["variant"]: cell for cell in block["cells"] if cell["phase"] == "train_step"}
    for variant in ("numpy", "talkative"):
        assert cells[variant]["status"] == "timed"
        assert len(cells[variant]["rounds_s"]) == 6, "the others' faults cost it rounds"
    page = (faulty_project.runs / "latest" / "index.html").read_text()
    for variant, (status, reason) in {
        "killed": ("crashed", "ended by SIGKILL, as the kernel does when memory runs out, in sample"),
        "hung": ("timed out", "s in sample; killed"),
        "greedy": ("failed", "MemoryError: Unable to allocate 128. MiB"),
        "crammed": ("failed", "no memory left on the device; take a smaller batch"),
        "secretive": ("failed", "RuntimeError: it does not say what it does (in ledger)"),
        "placeless": ("failed", "RuntimeError: there is no room on the device (in place)"),
        "unimportable": ("broken", "ImportError: libbroken.so.7: cannot open shared object file"),
    }.items():
        assert cells[variant]["status"] == status, cells[variant]
        assert reason in cells[variant]["reason"]
        assert reason in page
    assert any("no ceiling from talkative, OSError: no such probe" in text for text in block["run"]["warnings"])
    assert len(cells["talkative"]["stderr_tail"]) <= 4000
    assert not faulty_project.processes(), "a worker outlived the run"


@pytest.mark.parametrize(("stage", "number"), STAGES.items(), ids=str)
def test_a_signal_keeps_what_was_measured(
    project: Any, tiny: tuple[str, ...], number: signal.Signals, stage: str
) -> None:
    """The first net is finished when the second is stopped, at any of its stages; another signal does not hurt."""
    process = project.start(*tiny, "--models", "two_layer,autoencoder")
    seen = signal_at(process, f"autoencoder: {stage}", number, number)
    assert process.wait(timeout=60) == pytest.ExitCode.INTERRUPTED, seen
    block = project.latest()["likeforlike"]
    assert block["run"]["status"] == "interrupted"
    assert block["run"]["finished"] == [{"model": "two_layer", "size": "tiny"}]
    status = {(cell["model"], cell["status"]) for cell in block["cells"]}
    assert ("two_layer", "timed") in status
    assert ("autoencoder", "not timed") in status
    assert f"go on:   pytest --benchmark --resume {block['run']['id']}" in seen
    assert "This run was interrupted" in (project.runs / "latest" / "index.html").read_text()
    assert not project.processes(), "a worker outlived the run"


def test_a_signal_before_anything_is_measured_leaves_nothing(project: Any, tiny: tuple[str, ...]) -> None:
    process = project.start(*tiny, "--collect-only", "-q", "-p", "stopping")
    (project.path / "stopping.py").write_text(
        "import os, signal\ndef pytest_collection_finish():\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    seen, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, seen
    assert not list(project.runs.iterdir())


def test_a_killed_run_goes_on_where_it_stopped(project: Any, tiny: tuple[str, ...]) -> None:
    """SIGKILL cannot be handled; what the finished net cost is not lost all the same."""
    process = project.start(*tiny, "--models", "two_layer,autoencoder")
    signal_at(process, "autoencoder: timing", signal.SIGKILL)
    process.wait(timeout=60)
    (folder,) = project.runs.iterdir()
    kept = json.loads((folder / "partial.json").read_text())["likeforlike"]
    assert kept["run"]["status"] == "running"
    assert not (folder / "results.json").exists()
    assert not project.processes(), "a worker outlived the run"

    refused = project.run("--benchmark", "--resume", folder.name, "--seed", "1")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--seed 1: the run to be resumed had 0; leave the option out" in refused.stderr

    done = project.run("--benchmark", "--resume", folder.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout, "the finished net's samples are replayed"
    assert "two_layer: certifying" not in done.stderr, "the finished net was measured again"
    document = project.latest()
    block = document["likeforlike"]
    assert block["run"]["status"] == "complete"
    assert block["run"]["id"] == folder.name
    assert block["run"]["options"] == kept["run"]["options"]
    old, new = (
        [cell for cell in run["cells"] if cell["model"] == "two_layer"] for run in (kept, block)
    )  # fmt: skip
    assert old == new
    assert {cell["model"]: cell["status"] for cell in block["cells"]} == dict.fromkeys(
        ("two_layer", "autoencoder"), "timed"
    )
    assert any("measured before: two_layer tiny" in warning for warning in block["run"]["warnings"])
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "results.json"]

    again = project.run("--benchmark", "--resume", folder.name)
    assert again.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is nothing left to measure" in again.stderr


def test_two_runs_at_once(project: Any, tiny: tuple[str, ...]) -> None:
    """Both finish, each in a folder of its own, and each says that it was not alone."""
    processes = [project.start(*tiny, "--models", "two_layer,autoencoder") for _ in range(2)]
    seen = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], seen
    folders = sorted(path.parent for path in project.runs.glob("*/results.json") if path.parent.name != "latest")
    assert len(folders) == 2
    for folder, other in (folders, folders[::-1]):
        assert sorted(path.name for path in folder.iterdir()) == ["index.html", "results.json"]
        block = json.loads((folder / "results.json").read_text())["likeforlike"]
        assert block["run"]["id"] == folder.name
        assert f"the run {other.name} went on at the same time" in " ".join(block["run"]["warnings"])
        assert f"the run {other.name} went on at the same time" in (folder / "index.html").read_text()
    assert (project.runs / "latest").resolve() in folders


FILLING = """
import contextlib, pytest
@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    with contextlib.suppress(OSError), open("small/filler", "wb", buffering=0) as file:
        while file.write(bytes(1024)):
            pass
"""

ON_A_SMALL_DISK = (
    "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
    'mkdir -p small && mount -t tmpfs -o size=$0 tmpfs small && exec "$@"',
)  # fmt: skip


@pytest.fixture
def small_disk() -> tuple[str, ...]:
    """The words before a command that give it a disk of so many bytes (the next word), in the folder `small`."""
    possible = shutil.which("unshare") and subprocess.run([*ON_A_SMALL_DISK, "64k", "true"], capture_output=True)
    shutil.rmtree("small", ignore_errors=True)
    if not possible or possible.returncode:
        pytest.skip("no file system can be mounted here")
    return ON_A_SMALL_DISK


def test_a_full_disk_sends_the_results_elsewhere(
    project: Any, tiny: tuple[str, ...], small_disk: tuple[str, ...], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = (*small_disk, "16k", "env", f"TMPDIR={elsewhere}")
    done = project.run(*tiny, "--models", "two_layer", "--report-dir", "small/runs", prefix=command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(No space left on device); kept instead:" in done.stdout
    (kept,) = elsewhere.glob("likeforlike-*/latest/results.json")
    document = json.loads(kept.read_text())
    assert any("could not keep what was measured so far" in text for text in document["likeforlike"]["run"]["warnings"])
    assert kept.with_name("index.html").stat().st_size > 10_000


def test_a_full_temporary_folder_costs_the_net(
    project: Any, tiny: tuple[str, ...], small_disk: tuple[str, ...]
) -> None:
    """The reference is kept on disk while a net is certified: here only the two-layer net's has room."""
    command = (*small_disk, "200k", "env", "TMPDIR=small")
    done = project.run(*tiny, "--models", "two_layer,unet", prefix=command)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "is there room in " in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr
    status = {cell["model"]: cell["status"] for cell in project.latest()["likeforlike"]["cells"]}
    assert status == {"two_layer": "timed", "unet": "failed"}


def test_no_room_anywhere_is_said_and_is_an_error(
    project: Any, tiny: tuple[str, ...], small_disk: tuple[str, ...]
) -> None:
    (project.path / "filling.py").write_text(FILLING)
    command = (*small_disk, "300k", "env", "TMPDIR=small")
    arguments = ("--models", "two_layer", "--report-dir", "small/runs", "-p", "filling")
    done = project.run(*tiny, *arguments, prefix=command)
    assert done.returncode == pytest.ExitCode.INTERNAL_ERROR, done.stdout + done.stderr
    assert "nor elsewhere ([Errno 28] No space left on device" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def signal_at(process: subprocess.Popen[str], text: str, *numbers: signal.Signals) -> str:
    """Send signals when the process prints `text`; return all that it prints."""
    assert process.stdout is not None
    seen = []
    is_sent = False
    with process.stdout:
        for line in process.stdout:
            seen.append(line)
            if text in line and not is_sent:
                is_sent = True
                for number in numbers:
                    process.send_signal(number)
    assert is_sent, "".join(seen)
    return "".join(seen)
