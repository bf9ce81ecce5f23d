"""Real worker processes that crash, hang, raise or lose their parent. They run the reference, without a framework."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from harness.interpreters import Interpreter
from harness.worker import pack, reason_of, unpack
from harness.workers import Worker, WorkerError
from impls import registry

ROOT = Path(__file__).parents[2]
PARENT_AFFINITY = os.sched_getaffinity(0) if sys.platform == "linux" else None
ENTRY = next(entry for entry in registry.variants().values() if entry.backend == "reference")


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker(ENTRY, num_threads=1, device="cpu") as worker:
        worker.start()
        yield worker


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)], ids=str)
def test_arrays_survive_the_channel(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    back = unpack(pack(array))
    assert back.dtype == array.dtype
    assert back.flags.writeable
    np.testing.assert_array_equal(back, array)


def test_start_reports_what_runs(worker: Worker) -> None:
    assert worker.facts["device"] == "cpu"
    assert worker.facts["versions"]["numpy"] == np.__version__
    assert worker.facts["import_s"] > 0
    assert worker.facts["foreign"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="CPU affinity is Linux's")
def test_threads_are_set_by_affinity_in_the_worker_alone(worker: Worker) -> None:
    assert worker.pid is not None
    assert len(os.sched_getaffinity(worker.pid)) == 1
    assert os.sched_getaffinity(0) == PARENT_AFFINITY


def test_an_exception_is_answered_and_the_worker_lives_on(worker: Worker) -> None:
    with pytest.raises(WorkerError, match=r"ValueError: unknown model 'nothing'.* \(in open\)") as caught:
        worker.call("open", key="k", request={"model": "nothing", "size": "tiny"}, params={}, batches=[])
    assert caught.value.status == "failed"
    assert "Traceback" in caught.value.stderr_tail, "standard error was not kept"
    assert worker.call("peak_memory_bytes") > 0


def test_a_crash_names_its_signal(worker: Worker) -> None:
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSEGV)
    with pytest.raises(WorkerError, match="ended by SIGSEGV") as caught:
        worker.call("peak_memory_bytes")
    assert caught.value.status == "crashed"


def test_a_hang_is_killed_after_its_timeout(worker: Worker) -> None:
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)  # does not even reach Python again, like an endless loop in C
    with pytest.raises(WorkerError, match=r"no answer within 0\.5 s") as caught:
        worker.call("peak_memory_bytes", timeout_s=0.5)
    assert caught.value.status == "timed out"
    assert_gone(worker.pid)


def test_leaving_the_block_ends_the_process() -> None:
    with Worker(ENTRY, num_threads=1, device="cpu") as worker:
        worker.start()
        pid = worker.pid
    assert pid is not None
    assert_gone(pid)


def test_a_worker_ignores_ctrl_c(worker: Worker) -> None:
    """A terminal sends it to the whole process group; only the parent decides what it means."""
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGINT)
    assert worker.call("peak_memory_bytes") > 0


@pytest.mark.parametrize("state", ["idle", "stopped"])
def test_no_worker_outlives_a_killed_parent(state: str) -> None:
    script = f"""
        import os, signal, time
        from harness.workers import Worker
        from impls import registry
        entry = registry.variants()[{ENTRY.name!r}]
        with Worker(entry, 1, "cpu") as worker:
            worker.start()
            if {state!r} == "stopped":
                os.kill(worker.pid, signal.SIGSTOP)
            print(worker.pid, flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert_gone(pid)


def test_a_foreign_framework_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the worker reports is asserted by the parent, whatever the worker's own block let through."""
    with Worker(ENTRY, num_threads=1, device="cpu") as worker:
        answer = Worker.call

        def call(self: Worker, name: str, timeout_s: float = 120, **arguments: object) -> object:
            return answer(self, name, timeout_s, **arguments) | {"foreign": ["intruder"]}

        monkeypatch.setattr(Worker, "call", call)
        with pytest.raises(WorkerError, match="other frameworks were imported as well: intruder"):
            worker.start()


def test_an_interpreter_that_does_not_exist() -> None:
    nowhere = Interpreter("/nowhere/python", "CPython 3.12.4", "/nowhere", frozenset({"numpy"}), {})
    with (
        Worker(replace(ENTRY, interpreter=nowhere), num_threads=1, device="cpu") as worker,
        pytest.raises(WorkerError, match="/nowhere/python"),
    ):
        worker.start()


# Names and texts as the frameworks have them; the last is a library's.
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 4.00 GiB"),
        ("JaxRuntimeError", "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8589934592 bytes.\nBuffer 1:"),
        ("ResourceExhaustedError", "{{function_node __wrapped__Conv2D}} OOM when allocating tensor with shape[1,64]"),
        ("RuntimeError", "CUDA error: out of memory\nCUDA kernel errors might be reported at some other call"),
        ("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_a_full_device_is_said_in_the_same_words_for_all(name: str, text: str) -> None:
    reason = reason_of(type(name, (RuntimeError,), {})(text))
    assert reason.startswith("no memory left on the device; take a smaller batch")
    assert reason.endswith(f"{name}: {text.splitlines()[0]}")


def test_other_errors_keep_their_own_words() -> None:
    assert reason_of(MemoryError("Unable to allocate 128. MiB")) == "MemoryError: Unable to allocate 128. MiB"


def assert_gone(pid: int, timeout_s: float = 10) -> None:
    """Wait until no process (or only a zombie that its parent has yet to collect) has this pid."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there after {timeout_s} s")
