"""Runs inside a fresh process that imports exactly one framework; the parent's side is `workers.py`.

`serve` answers requests until the channel closes. Messages are plain values and bytes; arrays travel as
(dtype, shape, bytes). Times are taken here, so that the channel's own cost is never in a sample.
"""

import contextlib
import ctypes
import gc
import importlib
import importlib.abc
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

PACKED = tuple[str, tuple[int, ...], bytes]
"""An array on its way: (dtype name, shape, C-ordered bytes)."""


MAX_TAKEN_BYTES = 2**22


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
            reply = {"error": f"{type(error).__name__}: {error}"}
        channel.send(reply)


def die_with(parent_pid: int) -> None:
    """End this process when its parent ends, however that happens and whatever runs here at the time.

    On Linux the kernel sends SIGKILL. Elsewhere a thread looks once a second.
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


class Worker:
    """The calls that a parent can make; one instance per process. `key` names a program that `open` built."""

    def __init__(self) -> None:
        self.programs: dict[str, Any] = {}
        self.batches: dict[str, list[Any]] = {}
        self.specs: dict[str, Any] = {}
        self.traces: dict[str, np.ndarray] = {}
        self.implementations: dict[str, Any] = {}

    def start(
        self,
        backend: str,
        variant: str,
        num_threads: int,
        device: str,
        cpus: list[int] | None,
        env: dict[str, str],
        scratch: str,
    ) -> dict[str, Any]:
        """The stage `import`: block the other frameworks, set threads and environment, import this one.

        Returns the facts of the runtime's `configure`, `import_s`, and `foreign`: other frameworks that got in.
        """
        from impls import registry

        os.environ.update(env)
        if cpus is not None:
            os.sched_setaffinity(0, cpus)
        entries = registry.variants()
        self.entry = entries[variant]
        os.environ.update({name: value.format(scratch=scratch) for name, value in self.entry.variant.env})
        frameworks = {module for entry in entries.values() for module in entry.variant.requires} - {"numpy"}
        foreign = sorted(frameworks - set(self.entry.variant.requires))
        hide(foreign)
        start = time.perf_counter()
        self.runtime = importlib.import_module(f"impls.{backend}.runtime")
        facts = self.runtime.configure(self.entry.variant, num_threads, device)
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
        self.programs[key], self.specs[key] = program, spec
        self.batches[key] = [program.prepare(unpack_all(batch)) for batch in batches]
        return build_s

    def close(self, key: str) -> None:
        """Forget a program and give its memory back."""
        for held in (self.programs, self.specs, self.batches):
            held.pop(key, None)
        self.traces.clear()
        gc.collect()

    def compile(self, key: str, phase: str) -> float:
        """The stage `compile`: ahead of time, where the framework has such a thing. Returns seconds."""
        start = time.perf_counter()
        self.programs[key].compile(phase, self.batches[key][0])
        return time.perf_counter() - start

    def first_step(self, key: str, phase: str) -> float:
        """The stage `first_step`: one step, synchronised. Returns seconds."""
        program, batch = self.programs[key], self.batches[key][0]
        start = time.perf_counter()
        result = getattr(program, phase)(batch)
        program.synchronize()
        seconds = time.perf_counter() - start
        if phase == "train_step":
            self._record_loss(program, 0, result)
        return seconds

    # ------------------------------------------------------------ for the certificate

    def trace_layers(self, key: str) -> None:
        """Record every layer's output in train mode, before any update."""
        program = self.programs[key]
        for layer, output in program.layers(self.batches[key][0]).items():
            self.traces[f"layer@0/{layer}"] = program.to_numpy(output, _output_kind(len(output.shape)))

    def trace_forward(self, key: str) -> None:
        """Record the prediction before any update."""
        self._record_forward(key, 0)

    def trace_gradients(self, key: str) -> None:
        """Record the loss and every gradient before any update."""
        program, spec = self.programs[key], self.specs[key]
        loss, grads = program.gradients(self.batches[key][0])
        self._record_loss(program, 0, loss)
        for name, grad in grads.items():
            self.traces[f"grad@0/{name}"] = program.to_numpy(grad, spec.kind(name))

    def advance(self, key: str, step: int, is_taken: bool, predict: bool) -> None:
        """Take training step number `step`, from 1 (unless `is_taken`); record its loss, and the state after it."""
        program, batches = self.programs[key], self.batches[key]
        if not is_taken:
            self._record_loss(program, step - 1, program.train_step(batches[(step - 1) % len(batches)]))
        for name, array in program.state().items():
            self.traces[f"state@{step}/{name}"] = array
        if predict:
            self._record_forward(key, step)

    def _record_loss(self, program: Any, num_steps: int, loss: Any) -> None:
        self.traces[f"loss@{num_steps}"] = program.to_numpy(loss)

    def _record_forward(self, key: str, num_steps: int) -> None:
        program = self.programs[key]
        prediction = program.forward(self.batches[key][0])
        kind = _output_kind(len(self.specs[key].output_shape))
        self.traces[f"forward@{num_steps}"] = program.to_numpy(prediction, kind)

    def take(self) -> dict[str, PACKED]:
        """Hand over recorded quantities and forget them; some at a time, which keeps both processes small."""
        taken: dict[str, PACKED] = {}
        num_bytes = 0
        while self.traces and num_bytes < MAX_TAKEN_BYTES:
            quantity = next(iter(self.traces))
            array = self.traces.pop(quantity)
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

    def calibrate(self, key: str, phase: str, min_block_s: float) -> tuple[int, float]:
        """Choose how many steps make a block of at least `min_block_s`. Returns (num_iterations, block seconds).

        What is alive by now is frozen: later collections leave it alone, instead of taking 0.1 s over a framework's
        million objects between two samples.
        """
        gc.collect()
        gc.freeze()
        num_iterations = 1
        while True:
            ((block_s, _, _),) = self.sample(key, phase, num_iterations, 1)
            if block_s >= min_block_s:
                return num_iterations, block_s
            # aim a fifth too high, so that the next try is the last one
            num_iterations = max(num_iterations + 1, round(1.2 * num_iterations * min_block_s / block_s))

    def sample(self, key: str, phase: str, num_iterations: int, num_samples: int) -> list[tuple[float, float, int]]:
        """Run one untimed block (the first after a switch is slow), then timed ones.

        Returns per block: wall seconds, CPU seconds of the process, involuntary context switches. Each block ends
        when every output and every updated parameter is there. The garbage collector is off inside.
        """
        program, batches = self.programs[key], self.batches[key]
        step, synchronize = getattr(program, phase), program.synchronize
        block = [batches[i % len(batches)] for i in range(num_iterations)]
        samples = []
        gc.disable()
        try:
            for index in range(num_samples + 1):
                switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
                cpu_s = time.process_time()
                start = time.perf_counter()
                for batch in block:
                    step(batch)
                synchronize()
                wall_s = time.perf_counter() - start
                cpu_s = time.process_time() - cpu_s
                switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - switches
                if index > 0:
                    samples.append((wall_s, cpu_s, switches))
        finally:
            gc.enable()
        return samples

    def peak_memory_bytes(self) -> int:
        """Return the high-water mark of this process's resident memory."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak

    # ------------------------------------------------------------ for the pictures

    def train(self, key: str, num_steps: int) -> None:
        """Take `num_steps` training steps over the program's batches."""
        program, batches = self.programs[key], self.batches[key]
        for i in range(num_steps):
            program.train_step(batches[i % len(batches)])
        program.synchronize()

    def predict(self, key: str, batch: Mapping[str, PACKED]) -> PACKED:
        """Return the prediction for another batch of the same shape, in canonical layout."""
        program = self.programs[key]
        kind = _output_kind(len(self.specs[key].output_shape))
        return pack(program.to_numpy(program.forward(program.prepare(unpack_all(batch))), kind))


def _output_kind(num_dimensions: int) -> str:
    return "image" if num_dimensions == 4 else "plain"
