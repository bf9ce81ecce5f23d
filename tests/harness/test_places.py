"""Workers on another machine. Here `ssh` is a program that runs its command on this one; all else is real."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import interpreters, places
from harness.options import OptionError
from harness.workers import Worker, WorkerError
from impls import registry

ROOT = Path(__file__).parents[2]
SPEC = f"ssh=box//python={sys.executable}"
SSH = """#!/bin/sh
# ssh -C HOST COMMAND
[ "$2" = box ] || exit 255
exec sh -c "$3"
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for ssh was tried on Linux")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Plant `ssh`; gives the folder that both machines have for temporary files."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(SSH)
    program.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    for cached in (places.elsewhere, interpreters.examine):
        cached.cache_clear()
    yield tmp_path / "tmp"
    gc.collect()  # what a failed connection has left


@pytest.fixture
def worker(temporary: Path) -> Iterator[Worker]:  # noqa: ARG001
    (entry,) = interpreters.attach([registry.variants()["numpy"]], f"numpy={SPEC}")
    with Worker(entry, num_threads=1, device="cpu") as worker:
        worker.start()
        yield worker
    places.of(entry)._gateway._group.terminate(timeout=5)  # type: ignore[attr-defined]


def test_a_worker_runs_from_the_sources_that_were_sent(worker: Worker, temporary: Path) -> None:
    root = Path(worker.place.root)
    assert root.parent == temporary
    assert (root / "impls" / "reference" / "runtime.py").read_bytes() == (
        ROOT / "impls" / "reference" / "runtime.py"
    ).read_bytes()
    with pytest.raises(WorkerError, match="unknown model 'nothing'") as caught:
        worker.call("open", key="k", request={"model": "nothing", "size": "tiny"}, params={}, batches=[])
    assert f'File "{root}/harness/worker.py"' in caught.value.stderr_tail
    assert worker.facts["device"] == "cpu"


def test_a_hang_elsewhere_is_killed(worker: Worker) -> None:
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match=r"no answer within 0\.5 s"):
        worker.call("peak_memory_bytes", timeout_s=0.5)
    assert_gone(worker.pid)


def test_a_crash_elsewhere_costs_the_worker(worker: Worker) -> None:
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerError) as caught:
        worker.call("peak_memory_bytes")
    assert caught.value.status == "crashed"


@pytest.mark.parametrize("end", [signal.SIGKILL, None], ids=str)
def test_nothing_is_left_behind_when_the_parent_ends(end: signal.Signals | None, temporary: Path) -> None:
    script = f"""
        import sys
        from harness import interpreters
        from harness.workers import Worker
        from impls import registry
        (entry,) = interpreters.attach([registry.variants()["numpy"]], "numpy={SPEC}")
        worker = Worker(entry, 1, "cpu").__enter__()
        worker.start()
        print(worker.pid, flush=True)
        sys.stdin.read()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        pid = int(parent.stdout.readline())
        assert list(temporary.iterdir()), "the sources are nowhere"
        if end is not None:
            parent.send_signal(end)
    parent.wait()
    assert_gone(pid)
    deadline = time.monotonic() + 20
    while (left := list(temporary.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


@pytest.mark.usefixtures("temporary")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # execnet keeps the pipes of an ssh that cannot connect
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ssh=nowhere", "cannot be reached: give ssh=HOST//python=PATH; `ssh HOST PATH -V` must work"),
        ("ssh=box//python=/no/python", "no Python answers there: give ssh=HOST//python=PATH"),
    ],
)
def test_a_machine_that_does_not_answer(spec: str, message: str) -> None:
    with pytest.raises(OptionError, match=f"{spec}, {message}") as caught:
        interpreters.attach([registry.variants()["numpy"]], f"numpy={spec}")
    assert "\n" not in str(caught.value)


def test_a_run_with_a_variant_on_another_machine(project: Any, tiny: tuple[str, ...], temporary: Path) -> None:
    arguments = ("--models", "two_layer", "-k", "train_step", "--python", f"numpy={SPEC}")
    done = project.run(*tiny, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    block = project.latest()["likeforlike"]
    (cell,) = (cell for cell in block["cells"] if cell["phase"] == "train_step")
    assert cell["status"] == "timed"
    (found,) = block["environment"]["interpreters"].values()
    assert found["machine"]["cpu"] == block["environment"]["cpu"], "it is the same one, after all"
    assert found["machine"]["worker_env"] == block["environment"]["worker_env"]
    assert any("numpy: on another machine" in warning for warning in block["run"]["warnings"])
    page = (project.runs / "latest" / "index.html").read_text(encoding="utf-8")
    assert "On another machine" in page
    assert "numpy: on another machine" in page
    assert not project.processes(), "a worker outlived the run"
    assert not list(temporary.glob("likeforlike-*")), "the sources were left behind"


def assert_gone(pid: int, timeout_s: float = 20) -> None:
    """Wait until no process has this pid, or only a zombie."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there after {timeout_s} s")
