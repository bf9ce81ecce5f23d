"""Runs inside a fresh process that imports exactly one framework; the parent's side is `workers.py`.

`serve` answers requests until the channel closes. Messages are plain values and bytes; arrays travel as
(dtype, shape, bytes). Times are taken here, so that the channel's own cost is never in a sample.
"""

import contextlib
import ctypes
import dataclasses
import gc
import importlib
import importlib.abc
import itertools
import math
import os
import re
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

PACKED = tuple[str, tuple[int, ...], bytes]
"""An array on its way: (dtype name, shape, C-ordered bytes)."""


MAX_TAKEN_BYTES = 2**22

OUT_OF_MEMORY = re.compile("out.?of.?memory|resource.?exhausted|status_alloc_failed", re.IGNORECASE)
"""In the name or text of every exception that the frameworks, and NVIDIA's libraries, raise for want of it."""


def pack(array: np.ndarray) -> PACKED:
    """Return `array` as plain values that execnet can carry."""
    return str(array.dtype), tuple(int(size) for size in array.shape), np.ascontiguousarray(array).tobytes()


def unpack(packed: PACKED) -> np.ndarray:
    """Return the array that `pack` was given (writable: torch warns about memory that it may not write)."""
    dtype, shape, data = packed
    return np.frombuffer(bytearray(data), dtype=dtype).reshape(shape)


def unpack_all(packed: Mapping[str, PACKED]) -> dict[str, np.ndarray]:
    """Unpack a dictionary of arrays."""
    return {name: unpack(value) for name, value in packed.items()}


def serve(channel: Any, stderr_path: str, parent_pid: int) -> None:
    """Answer requests on an execnet channel. Standard error goes to `stderr_path`; the process dies with its parent."""
    stderr = os.open(stderr_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stderr, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    die_with(parent_pid)
    worker = Worker()
    channel.send({"pid": os.getpid()})
    for request in channel:
        try:
            reply = {"value": getattr(worker, request["call"])(**request["arguments"])}
        except Exception as error:  # everything that a framework may raise becomes this cell's reason
            traceback.print_exc()
            reply = {"error": reason_of(error)}
        channel.send(reply)


def reason_of(error: Exception) -> str:
    """Say what was raised; where the device has no memory left, in the same words for all frameworks."""
    text = f"{type(error).__name__}: {error}"
    if OUT_OF_MEMORY.search(text):
        first_line = text.partition("\n")[0]  # the others may list every buffer
        return f"no memory left on the device; take a smaller batch (--sweep batch=1) or fewer --variants: {first_line}"
    return text


def die_with(parent_pid: int) -> None:
    """End this process when its parent ends, however that happens and whatever runs here at the time.

    On Linux the kernel sends SIGKILL, also when no more than the thread that started this process ends. Elsewhere a
    thread looks once a second.
    """
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1  # noqa: N806 (its name in prctl(2))
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Hiding(importlib.abc.MetaPathFinder):
    """A finder that does not find the other frameworks: they look as if they were not installed.

    Not `sys.modules[name] = None`: libraries that ask whether an array is a torch tensor look there, and stumble.
    """

    def __init__(self, finder: Any, names: Collection[str]) -> None:
        self.finder = finder
        self.names = names

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """Ask the finder behind this one, unless for a hidden name."""
        if fullname.partition(".")[0] in self.names:
            return None
        return self.finder.find_spec(fullname, path, target)

    def __getattr__(self, name: str) -> Any:
        """Leave everything else (packages' metadata, caches) to the finder behind this one."""
        return getattr(self.finder, name)


def hide(names: Collection[str]) -> None:
    """Make top-level modules impossible to import in this process, and to find."""
    sys.meta_path[:] = [Hiding(finder, names) for finder in sys.meta_path if hasattr(finder, "find_spec")]


@dataclass(frozen=True)
class Calls:
    """What a phase of a program calls: a method, with arguments (prepared batches, or stacks of them) in turn.

    Attributes:
        num_steps: training steps of one call.
    """

    method: str
    function: Callable[[Any], Any]
    arguments: list[Any]
    num_steps: int = 1


@dataclass
class Opened:
    """A program that `open` built, with what it has recorded for the certificate and not yet handed over."""

    program: Any
    spec: Any
    batches: list[Any]
    calls: dict[str, Calls]
    traces: dict[str, np.ndarray]
    num_taken: int = 0  # training steps, as far as they are followed


class Worker:
    """The calls that a parent can make; one instance per process. `key` names a program that `open` built."""

    def __init__(self) -> None:
        self.opened: dict[str, Opened] = {}
        self.implementations: dict[str, Any] = {}

    def start(
        self,
        backend: str,
        variant: str,
        num_threads: int,
        device: str,
        precision: str,
        cpus: list[int] | None,
        env: dict[str, str],
        scratch: str,
        cache: str | None,
    ) -> dict[str, Any]:
        """The stage `import`: block the other frameworks, set threads and environment, import this one.

        `cache` is the folder of the framework's compile cache; None leaves that off.

        Returns the facts of the runtime's `configure`, `import_s`, and `foreign`: other frameworks that got in.
        """
        from impls import registry

        os.environ.update(env)
        if cpus is not None:
            os.sched_setaffinity(0, cpus)
        entries = registry.variants()
        self.entry = entries[variant]
        os.environ.update(self.entry.variant.environ(scratch, cache))
        frameworks = {module for entry in entries.values() for module in entry.variant.requires} - {"numpy"}
        foreign = sorted(frameworks - set(self.entry.variant.requires))
        hide(foreign)
        start = time.perf_counter()
        self.runtime = importlib.import_module(f"impls.{backend}.runtime")
        facts = self.runtime.configure(self.entry.variant, num_threads, device, precision)
        import_s = time.perf_counter() - start
        return {
            **facts,
            "import_s": import_s,
            "foreign": [module for module in foreign if module in sys.modules],
        }

    def load(self, model: str) -> float:
        """Import the model's file, and with it the libraries that only this model needs. Returns seconds."""
        start = time.perf_counter()
        self.implementations[model] = importlib.import_module(f"impls.{self.entry.backend}.{model}")
        return time.perf_counter() - start

    def open(
        self,
        key: str,
        request: dict[str, Any],
        params: Mapping[str, PACKED],
        batches: list[Mapping[str, PACKED]],
    ) -> float:
        """The stage `build`. The parameters' dtype is the precision. Returns its duration in seconds."""
        from impls import specs

        spec = specs.get(**request)
        arrays = unpack_all(params)
        start = time.perf_counter()
        program = self.runtime.Program(self.implementations[spec.model], spec, arrays, self.entry.variant)
        build_s = time.perf_counter() - start
        prepared = [program.prepare(unpack_all(batch)) for batch in batches]
        calls = {
            "forward": Calls("forward", program.forward, prepared),
            "train_step": _training_calls(program, prepared, self.entry.variant.num_steps(spec.model)),
        }
        self.opened[key] = Opened(program, spec, prepared, calls, {})
        return build_s

    def close(self, key: str) -> float:
        """Forget a program and give its memory back. Returns seconds: the stage `teardown`."""
        start = time.perf_counter()
        self.opened.pop(key, None)
        gc.collect()
        return time.perf_counter() - start

    def trace(self, key: str, phase: str) -> float:
        """The stage `trace`: ahead of time, where the framework has such a thing. Returns seconds."""
        return self._ahead_of_time("trace", key, phase)

    def compile(self, key: str, phase: str) -> float:
        """The stage `compile`: ahead of time, where the framework has such a thing. Returns seconds."""
        return self._ahead_of_time("compile", key, phase)

    def _ahead_of_time(self, stage: str, key: str, phase: str) -> float:
        opened = self.opened[key]
        calls = opened.calls[phase]
        start = time.perf_counter()
        getattr(opened.program, stage)(calls.method, calls.arguments[0])
        return time.perf_counter() - start

    def call(self, key: str, phase: str) -> tuple[float, int, int | None]:
        """The stages `first_step` and `second_step`: one call, synchronised; what it computed is recorded.

        Returns its seconds, and the peak memory at its end, in bytes: of the process, and on the device (None: a CPU).
        """
        opened = self.opened[key]
        calls = opened.calls[phase]
        is_prediction = calls.method == "forward"  # all predictions are compared on one batch
        turn = 0 if is_prediction else opened.num_taken // calls.num_steps
        argument = calls.arguments[turn % len(calls.arguments)]
        start = time.perf_counter()
        result = calls.function(argument)
        opened.program.synchronize()
        seconds = time.perf_counter() - start
        peaks = self.peak_memory_bytes(), self.runtime.peak_device_memory_bytes()
        if is_prediction:
            _record_forward(opened, result)
        else:
            _record_steps(opened, result, calls.num_steps)
        return (seconds, *peaks)

    # ------------------------------------------------------------ for the certificate

    def trace_layers(self, key: str) -> None:
        """Record every layer's output in train mode, before any update."""
        opened = self.opened[key]
        for layer, output in opened.program.layers(opened.batches[0]).items():
            opened.traces[f"layer@0/{layer}"] = opened.program.to_numpy(output, _output_kind(len(output.shape)))

    def trace_gradients(self, key: str) -> None:
        """Record the loss and every gradient before any update."""
        opened = self.opened[key]
        loss, grads = opened.program.gradients(opened.batches[0])
        opened.traces["loss@0"] = opened.program.to_numpy(loss)
        for name, grad in grads.items():
            opened.traces[f"grad@0/{name}"] = opened.program.to_numpy(grad, opened.spec.kind(name))

    def take(self, key: str) -> dict[str, PACKED]:
        """Hand over recorded quantities and forget them; some at a time, which keeps both processes small."""
        traces = self.opened[key].traces
        taken: dict[str, PACKED] = {}
        num_bytes = 0
        while traces and num_bytes < MAX_TAKEN_BYTES:
            quantity = next(iter(traces))
            array = traces.pop(quantity)
            taken[quantity] = pack(array)
            num_bytes += array.nbytes
        return taken

    # ------------------------------------------------------------ for the checker's own check

    def faults(self) -> dict[tuple[str, str], str]:
        """Return by (fault, model) why this backend cannot make the mistake; "" where it can. Model "" means all."""
        mutants = self._mutants()
        return {**dict.fromkeys(mutants.plantings, ""), **mutants.inexpressible}

    def plant(self, fault: str, model: str) -> None:
        """Patch this backend so that it computes the wrong function, until `cure`."""
        self.planted = contextlib.ExitStack()
        self.planted.enter_context(self._mutants().plantings[fault, model]())

    def cure(self) -> None:
        """Undo `plant`."""
        self.planted.close()

    def conventions(self) -> dict[str, Any]:
        """Return what the framework takes for granted (`impls.conventions`)."""
        return importlib.import_module(f"impls.{self.entry.backend}.conventions").read()

    def _mutants(self) -> Any:
        return importlib.import_module(f"impls.{self.entry.backend}.mutants").MUTANTS

    # ------------------------------------------------------------ for the schedule

    def place(self, key: str) -> None:
        """Let the phases of a program be called with resident batches, as the phases "resident PHASE"."""
        opened = self.opened[key]
        for phase, calls in list(opened.calls.items()):
            placed = [opened.program.place(argument) for argument in calls.arguments]
            opened.calls[f"resident {phase}"] = dataclasses.replace(calls, arguments=placed)

    def calibrate(self, key: str, phase: str, min_block_s: float, num_iterations: int = 0) -> tuple[int, float]:
        """Choose how many steps make a block of at least `min_block_s`, unless `num_iterations` says it.

        Returns (num_iterations, block seconds). What is alive by now is frozen: later collections leave it alone,
        instead of taking 0.1 s over a framework's million objects between two samples.
        """
        gc.collect()
        gc.freeze()
        is_given = num_iterations > 0
        num_steps = self.opened[key].calls[phase].num_steps
        num_calls = max(1, num_iterations // num_steps)
        while True:
            ((block_s, *_),) = self.sample(key, phase, num_calls * num_steps, 1)
            if is_given or block_s >= min_block_s:
                return num_calls * num_steps, block_s
            # aim a fifth too high, so that the next try is the last one
            num_calls = max(num_calls + 1, round(1.2 * num_calls * min_block_s / block_s))

    def sample(
        self, key: str, phase: str, num_iterations: int, num_samples: int, waits: bool = False
    ) -> list[tuple[float, float, int, float]]:
        """Run one untimed block (the first after a switch is slow), then timed ones.

        Returns per block: wall seconds, CPU seconds of the process, involuntary context switches, and the seconds until
        the last call returned (dispatch). Each block ends when every output and every updated parameter is there; with
        `waits`, every call does. The garbage collector is off inside.
        """
        calls, synchronize = self.opened[key].calls[phase], self.opened[key].program.synchronize
        block = _block(calls, num_iterations)
        run = _take_in_turn if waits else _take_all
        samples = []
        gc.disable()
        try:
            for index in range(num_samples + 1):
                switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
                cpu_s = time.process_time()
                start = time.perf_counter()
                run(calls.function, block, synchronize)
                dispatch_s = time.perf_counter() - start
                synchronize()
                wall_s = time.perf_counter() - start
                cpu_s = time.process_time() - cpu_s
                switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - switches
                if index > 0:
                    samples.append((wall_s, cpu_s, switches, dispatch_s))
        finally:
            gc.enable()
        return samples

    def sustain(self, key: str, phase: str, num_iterations: int, min_s: float) -> tuple[int, float]:
        """Take blocks of steps for `min_s` or longer; returns the number of steps, and seconds."""
        calls, synchronize = self.opened[key].calls[phase], self.opened[key].program.synchronize
        block = _block(calls, num_iterations)
        num_blocks, seconds, start = 0, 0.0, time.perf_counter()
        while seconds < min_s:
            _take_all(calls.function, block, synchronize)
            synchronize()
            num_blocks += 1
            seconds = time.perf_counter() - start
        return num_blocks * len(block) * calls.num_steps, seconds

    def kernels(self, key: str, phase: str, num_calls: int) -> tuple[list[tuple[str, float, float]], int]:
        """Return (name, start, end) in seconds of what ran on the device during some calls, and the number of steps."""
        from impls import registry

        backend = registry.provider(self.entry, "profiler")
        calls, synchronize = self.opened[key].calls[phase], self.opened[key].program.synchronize
        num_steps = num_calls * calls.num_steps
        block = _block(calls, num_steps)

        def run() -> None:
            _take_all(calls.function, block, synchronize)
            synchronize()

        run()
        profiler = importlib.import_module(f"impls.{backend}.profiler") if backend else None
        return (profiler.kernels(run) if profiler else []), num_steps

    def ledger(self, key: str, phase: str) -> dict[str, str]:
        """Return what may speed a phase up or slow it down: of the process, and of the program."""
        opened = self.opened[key]
        facts = {"threads": f"{_num_threads()} in the process"}
        if hasattr(os, "sched_getaffinity"):
            facts["cores"] = ", ".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
        facts["steps per call"] = str(opened.calls[phase].num_steps)
        return {**facts, **opened.program.ledger(opened.calls[phase].method)}

    def peak_memory_bytes(self) -> int:
        """Return the high-water mark of this process's resident memory."""
        return process_peak_bytes()

    # ------------------------------------------------------------ for the pictures

    def train(self, key: str, num_steps: int) -> None:
        """Take `num_steps` training steps over the program's batches."""
        opened = self.opened[key]
        calls = opened.calls["train_step"]
        for argument in itertools.islice(itertools.cycle(calls.arguments), math.ceil(num_steps / calls.num_steps)):
            calls.function(argument)
        opened.program.synchronize()

    def predict(self, key: str, batch: Mapping[str, PACKED]) -> PACKED:
        """Return the prediction for another batch of the same shape, in canonical layout."""
        program = self.opened[key].program
        kind = _output_kind(len(self.opened[key].spec.output_shape))
        return pack(program.to_numpy(program.forward(program.prepare(unpack_all(batch))), kind))

    # ------------------------------------------------------------ for the lesson

    def ways(self, name: str) -> list[str]:
        """Return the ways of running that this backend has for an experiment."""
        from harness.lesson import ways

        return ways.names(self.entry.backend, name)

    def experiment(self, name: str, ways: list[str]) -> dict[str, dict[str, Any]]:
        """Probe ways of running side by side; returns what `harness.lesson.ways.probe` does."""
        from harness.lesson.ways import probe

        return probe(self.entry.backend, name, ways)

    # ------------------------------------------------------------ for the roofline

    def ceiling(self, kind: str, size: int, precision: str, min_s: float) -> float:
        """Repeat the backend's `matmul` (of size n) or `copy` (of bytes) for `min_s` or more; return the best time."""
        module = importlib.import_module(f"impls.{self.entry.backend}.ceilings")
        operation = module.copy(size) if kind == "copy" else module.matmul(size, precision)
        operation()  # touches its memory, and compiles
        best_s = math.inf
        end = time.perf_counter() + min_s
        now = -math.inf
        while now < end:
            start = time.perf_counter()
            operation()
            now = time.perf_counter()
            best_s = min(best_s, now - start)
        return best_s


def process_peak_bytes() -> int:
    """Return the high-water mark of this process's resident memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _training_calls(program: Any, batches: list[Any], num_steps: int) -> Calls:
    """Return calls that go through the batches in order, `num_steps` at a time, until they begin anew."""
    if num_steps == 1:
        return Calls("train_step", program.train_step, batches)
    in_order = itertools.islice(itertools.cycle(batches), math.lcm(len(batches), num_steps))
    stacks = [program.stack(list(group)) for group in zip(*[in_order] * num_steps, strict=True)]
    return Calls("train_steps", program.train_steps, stacks, num_steps)


def _block(calls: Calls, num_iterations: int) -> list[Any]:
    """Return the arguments of so many steps, in turn."""
    return list(itertools.islice(itertools.cycle(calls.arguments), num_iterations // calls.num_steps))


def _take_all(function: Callable[[Any], Any], arguments: list[Any], _: Callable[[], None]) -> None:
    """Call without waiting: work may queue up."""
    for argument in arguments:
        function(argument)


def _take_in_turn(function: Callable[[Any], Any], arguments: list[Any], synchronize: Callable[[], None]) -> None:
    """Wait for each call before the next."""
    for argument in arguments:
        function(argument)
        synchronize()


def _record_forward(opened: Opened, prediction: Any) -> None:
    kind = _output_kind(len(opened.spec.output_shape))
    opened.traces[f"forward@{opened.num_taken}"] = opened.program.to_numpy(prediction, kind)


def _record_steps(opened: Opened, losses: Any, num_steps: int) -> None:
    """Record each step's loss, and the state after the last one; between them a call shows no state."""
    values = opened.program.to_numpy(losses)
    for index in range(num_steps):
        opened.traces[f"loss@{opened.num_taken + index}"] = values if num_steps == 1 else values[index]
    opened.num_taken += num_steps
    for name, array in opened.program.state().items():
        opened.traces[f"state@{opened.num_taken}/{name}"] = array


def _num_threads() -> int:
    """Return how many threads this process has, those that frameworks made included."""
    tasks = "/proc/self/task"
    return len(os.listdir(tasks)) if os.path.isdir(tasks) else threading.active_count()


def _output_kind(num_dimensions: int) -> str:
    return "image" if num_dimensions == 4 else "plain"
