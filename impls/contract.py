"""The few types that every implementation meets. NumPy only; no framework is imported here.

A backend is a folder `impls/<backend>/`:

- `__init__.py` declares `BACKEND`, a `Backend`. It imports no framework, so that listing costs nothing.
- `runtime.py` has `configure(variant, num_threads, device, precision)`, `peak_device_memory_bytes()` and the class
  `Program`, and imports the framework.
- `<model>.py`, one per net, has the functions of `Implementation`, in that order.

Canonical arrays, the only ones that cross a folder's border, are NumPy: dense weights (in, out), convolutions OIHW,
transposed convolutions IOHW (the OIHW kernel of the convolution that they transpose), images NCHW, sequences (N, T,
features).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from impls.specs import ModelSpec

Arrays = Mapping[str, np.ndarray]
"""Canonical arrays by name: parameters, gradients, statistics, optimizer slots, or the entries of a batch."""


PRECISIONS = {
    "fp32": "all of a float32 product's bits",
    "tf32": "products of operands rounded to TF32's ten bits, summed in float32",
    "bf16": "mixed precision: products in bfloat16, parameters and the optimizer in float32",
}
"""What a program computes matrix products and convolutions in, if its parameters are float32; float64 stays float64."""


@dataclass(frozen=True)
class Variant:
    """One way to run a backend's nets: the same functions, executed in another mode."""

    name: str
    mode: Literal["eager", "graph", "compiled"]
    requires: tuple[str, ...]  # top-level modules that must be installed; the worker imports no other framework
    headline: bool = False
    lane: Literal["as-written", "tuned"] = "as-written"
    models: tuple[str, ...] | None = None  # None: every model of the backend
    gpu_only: bool = False  # there is no such thing on a CPU, or nothing to gain by it
    slow_models: tuple[str, ...] = ()  # slow to start and certify; presets with a budget leave these out
    env: tuple[tuple[str, str], ...] = ()  # "{scratch}" stands for the process's own, empty folder
    cache_env: tuple[tuple[str, str], ...] = ()  # turns on the compile cache on disk, in the folder "{cache}"
    steps_per_call: tuple[tuple[str, int], ...] = ()  # by model: training steps of one `Program.train_steps`
    precisions: tuple[str, ...] = ()  # of `PRECISIONS`, besides fp32

    def num_steps(self, model: str) -> int:
        """Return how many training steps one call takes: 1, unless `steps_per_call` names the model."""
        return dict(self.steps_per_call).get(model, 1)

    def environ(self, scratch: str, cache: str | None = None) -> dict[str, str]:
        """Return what to set before the import, for a process with these folders; without `cache`, it compiles cold."""
        settings = self.env if cache is None else (*self.env, *self.cache_env)
        return {name: value.format(scratch=scratch, cache=cache) for name, value in settings}

    def computes_in(self, precision: str) -> bool:
        """Tell whether it can run its nets in one of `PRECISIONS`."""
        return precision == "fp32" or precision in self.precisions


@dataclass(frozen=True)
class Backend:
    """What a folder under `impls/` offers."""

    title: str
    variants: tuple[Variant, ...]


class Implementation(Protocol):
    """The functions of one file `impls/<backend>/<model>.py`. `net` is whatever that framework calls a model's state.

    `batch` maps "x" and "y" to arrays in the backend's layout; for the U-Net "dropout" too, the mask of kept units, and
    for the recurrent net "length", how many steps of x each example has.
    """

    def build(self, spec: ModelSpec, params: Arrays) -> Any:
        """Make the net from canonical parameters and statistics, in their dtype."""

    def forward(self, net: Any, batch: Any) -> Any:
        """Predict in eval mode; no gradient is recorded."""

    def loss(self, net: Any, batch: Any) -> Any:
        """Return the scalar training loss (train mode: batch statistics, dropout)."""

    def gradients(self, net: Any, batch: Any) -> Any:
        """Return (loss, gradients) without updating anything."""

    def train_step(self, net: Any, batch: Any) -> Any:
        """Update parameters, slots and statistics once; return the loss from before the update.

        Where nets are values, that do not change, return (the next net, the loss).
        """


class Program(Protocol):
    """One built net in one variant, as a worker drives it: `impls/<backend>/runtime.py` defines the class."""

    def __init__(self, implementation: Any, spec: ModelSpec, params: Arrays, variant: Variant) -> None:
        """The stage `build`. The dtype of `params` (float32 or float64) is the precision of everything."""

    def prepare(self, batch: Arrays) -> Any:
        """Return `batch` as host arrays in the backend's layout, as its data loader would hand them over. Untimed."""

    def place(self, batch: Any) -> Any:
        """Return a prepared batch (or stack) where the device reads it without a transfer. Untimed."""

    def stack(self, batches: list[Any]) -> Any:
        """Return prepared batches as the one argument of `train_steps`. Untimed; for variants with `steps_per_call`."""

    def trace(self, phase: str, batch: Any) -> None:
        """Trace a phase ("forward", "train_step", "train_steps") ahead of time, without compiling it; else do nothing.

        A phase that is not traced or compiled ahead of time is so by its first call.
        """

    def compile(self, phase: str, batch: Any) -> None:
        """Compile what `trace` traced, without running it; else do nothing."""

    def forward(self, batch: Any) -> Any:
        """Run `forward` in this variant's mode. May return before the work is done."""

    def layers(self, batch: Any) -> Mapping[str, Any]:
        """Return the output of every layer of `ModelSpec.layers`, in train mode, without updating anything.

        A dense layer's output is that before its activation function; a BatchNorm's and a convolution's is its own; a
        recurrent layer's is its last state. It is for finding faults, never timed, and need not run in this variant's
        mode.
        """

    def gradients(self, batch: Any) -> tuple[Any, Mapping[str, Any]]:
        """Return (loss, gradients by canonical name) in this variant's mode, without updating anything."""

    def train_step(self, batch: Any) -> Any:
        """Run `train_step` in this variant's mode and keep the new state. May return before the work is done."""

    def train_steps(self, batches: Any) -> Any:
        """Take a training step per batch of a `stack` in one call; return their losses, in order, as one array."""

    def ledger(self, phase: str) -> Mapping[str, str]:
        """Return what was done for the sake of speed, as read from the running program, not as asked for.

        Keys: "layout", "donation", "synchronisation", "compiler" (the one that really ran, and on what), "caches",
        "precision". Each value is a few words.
        """

    def synchronize(self) -> None:
        """Wait until every output and every updated parameter is computed."""

    def to_numpy(self, value: Any, kind: str = "plain") -> np.ndarray:
        """Return an array of the given kind (`specs.TensorSpec.kind`, "image" or "plain") in canonical layout."""

    def state(self) -> dict[str, np.ndarray]:
        """Return canonical copies of all parameters, statistics, and slots ("velocity/NAME", "m/NAME", "v/NAME")."""
