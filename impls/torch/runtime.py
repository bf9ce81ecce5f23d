"""PyTorch behind the contract: process settings, layouts, and `Program`."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np
import torch

from impls.arrays import aligned
from impls.contract import Arrays, Variant
from impls.cuda import why_no_gpu
from impls.specs import PHASES, ModelSpec
from impls.torch import cuda_graph, ledger, tuned
from impls.torch.tuned import Batch

_device = torch.device("cpu")
_precision = "fp32"

FRESH_PRECISION: dict[str, bool | str] = {
    "float32_matmul": torch.get_float32_matmul_precision(),
    "tf32.matmul": torch.backends.cuda.matmul.allow_tf32,
    "tf32.conv": torch.backends.cudnn.allow_tf32,
}
"""What torch computes float32 with, by the subject in `impls.conventions`, before `configure` changes it."""

_TENSOR_NAMES = {
    "w": "weight",
    "b": "bias",
    "scale": "weight",
    "offset": "bias",
    "mean": "running_mean",
    "var": "running_var",
    "w_x": "w_x.weight",
    "w_h": "w_h.weight",
    "b_h": "w_h.bias",
}
PRODUCTS = {"fp32": "no TF32", "tf32": "TF32 allowed", "bf16": "autocast to bfloat16"}
"""What the ledger says of each precision."""

_SLOT_NAMES = {"velocity": "momentum_buffer", "m": "exp_avg", "v": "exp_avg_sq", "s": "square_avg"}


def configure(variant: Variant, num_threads: int, device: str, precision: str = "fp32") -> dict:
    """Set threads, device and precision policy of this process, once, before any `Program`.

    Returns:
        What was set, as plain values: device, device_name, versions, flags.

    Raises:
        RuntimeError: device is "gpu" and torch sees none; the message says why.
    """
    global _device, _precision
    if device == "gpu" and not torch.cuda.is_available():
        raise RuntimeError(why_no_gpu(f"torch {torch.__version__}", torch.version.cuda, "a CUDA wheel of torch"))
    _device = torch.device("cuda" if device == "gpu" else "cpu")
    torch.set_num_threads(num_threads)
    torch.set_num_interop_threads(1)
    _precision = precision
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    flags = {
        "num_threads": torch.get_num_threads(),
        "num_interop_threads": torch.get_num_interop_threads(),
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "mkldnn": torch.backends.mkldnn.enabled,
    }
    if variant.mode == "compiled":
        target = "forward and its backward"
        if variant.lane == "tuned":
            target = f"training steps; of the U-Net {target}"
            # Adam's moments of units that never fire decay to denormal numbers, on which a CPU computes slowly: after
            # 800 steps the autoencoder's took twice as long. TensorFlow and XLA flush them to zero by themselves.
            flags["flush_denormal"] = torch.set_flush_denormal(True)
        flags["compile"] = f"{target}; fullgraph, dynamic=False"
        flags["compile_threads"] = os.environ.get("TORCHINDUCTOR_COMPILE_THREADS", "default")
    name = torch.cuda.get_device_name() if device == "gpu" else platform.processor() or platform.machine()
    versions = {"torch": str(torch.__version__)}
    if torch.version.cuda:
        versions["cuda"] = torch.version.cuda
    computed_on = (torch.zeros(1, device=_device) + 1).device.type
    return {
        "device": "gpu" if computed_on == "cuda" else computed_on,
        "device_name": name,
        "versions": versions,
        "flags": flags,
    }


def device() -> torch.device:
    """Return where this process computes."""
    return _device


def synchronize() -> None:
    """Wait for the device; on a CPU every call has waited."""
    if _device.type == "cuda":
        torch.cuda.synchronize()


def _torch_name(name: str) -> str:
    """Return what `state_dict` calls a canonical tensor: "down1.bn1.scale" is "down1.bn1.weight"; a bare "w1" too."""
    layer, _, tensor = name.rpartition(".")
    return f"{layer}.{_TENSOR_NAMES[tensor]}" if layer else f"{name}.weight"


def from_numpy(spec: ModelSpec, params: Arrays) -> dict[str, torch.Tensor]:
    """Return a state dict on this process's device; dense weights become (out, in), all other layouts are torch's."""
    tensors = {}
    for name, array in params.items():
        native = array.T if spec.kind(name) == "dense" else array
        tensors[_torch_name(name)] = torch.tensor(np.ascontiguousarray(native), device=_device)
    return tensors


def peak_device_memory_bytes() -> int | None:
    """Return the most bytes that torch's allocator has handed out on the device; None on a CPU."""
    return torch.cuda.max_memory_allocated() if _device.type == "cuda" else None


def _mixed(forward: Callable) -> Callable:
    """Return a net's forward pass under autocast. The loss is computed outside, in float32, as are the updates."""

    def run(*inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(_device.type, torch.bfloat16):
            y = forward(*inputs)
        return y.float()

    return run


class Program:
    """A net in one variant; see `impls.contract.Program`."""

    def __init__(self, implementation, spec: ModelSpec, params: Arrays, variant: Variant) -> None:
        self.spec = spec
        self.net = implementation.build(spec, params)
        self._dtype = next(iter(params.values())).dtype
        self._layout = torch.contiguous_format
        self._loss, self._gradients = implementation.loss, implementation.gradients
        self._functions: dict[str, tuned.Function] = {
            phase: partial(getattr(implementation, phase), self.net) for phase in PHASES
        }
        if _precision == "bf16" and self._dtype == np.float32:
            self.net.forward = _mixed(self.net.forward)
        self._is_tuned = variant.lane == "tuned"
        self._wants_cuda_graphs = "triton.cudagraphs" in tuned.OPTIONS.get(variant.name, {})
        is_unet = spec.model == "unet"
        if self._is_tuned and is_unet:
            self._layout = torch.channels_last
            self.net.to(memory_format=torch.channels_last)
        if variant.mode == "compiled":
            # All nets share torch's code for calling a module, so their programs count together against this limit.
            # It is set here and not in `configure`, since it imports Dynamo, which takes as long as torch: an eager net
            # imports it while its optimizer is built, the two-layer net not at all.
            torch.compiler.config.recompile_limit = 64
            if self._is_tuned and not is_unet:
                self._functions = tuned.functions(implementation, self.net, variant.name)
            else:
                # In place, the same as net = torch.compile(net). Two nets or sizes in one process would otherwise
                # switch torch to dynamic shapes; fullgraph makes a graph break, or the limit, an error.
                self.net.compile(fullgraph=True, dynamic=False, options=tuned.OPTIONS.get(variant.name) or None)
        if variant.mode == "graph":
            if optimizer := getattr(self.net, "optimizer", None):
                optimizer.param_groups[0]["capturable"] = True  # Adam then asks the device nothing; others ignore it
                tuned.make_slots(optimizer)
            self._functions = {
                name: cuda_graph.Replayed(function, self.net) for name, function in self._functions.items()
            }
        # Decided here and not in each step: on a CPU even to ask for `_device.type` is 1 % of the smallest net's.
        self._is_on_host = _device.type == "cpu"
        self._calls = self._functions
        if not self._is_on_host and variant.mode != "graph":  # whose functions copy by themselves
            self._calls = {name: _fed(function) for name, function in self._functions.items()}
        self._addresses = self._parameter_addresses()

    def prepare(self, batch: Arrays) -> Batch:
        """Return CPU tensors, images in this variant's memory format; in the tuned lane pinned for a GPU's copies."""
        tensors = {}
        for name, array in batch.items():
            tensor = torch.from_numpy(aligned(array, self._dtype)).contiguous(memory_format=self._layout)
            tensors[name] = tensor.pin_memory() if self._is_tuned and _device.type == "cuda" else tensor
        return tensors

    def place(self, batch: Batch) -> Batch:
        """Return the batch on the device; on a CPU that is where it is."""
        return _feed(batch)

    def stack(self, batches: list[Batch]) -> Batch:
        """Return the batches one after the other on a new first axis."""
        return {name: torch.stack([batch[name] for batch in batches]) for name in batches[0]}

    def trace(self, phase: str, batch: Batch) -> None:
        """Do nothing: Dynamo traces when a function is called, and keeps nothing that was traced by other means."""

    def compile(self, phase: str, batch: Batch) -> None:
        """Do nothing: torch.compile has no ahead-of-time step that it shares with later calls; the first step pays."""

    def forward(self, batch: Batch) -> torch.Tensor:
        """Predict in eval mode."""
        return self._calls["forward"](batch)

    def layers(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return what the modules that own parameters return, eagerly also where the net is compiled."""
        outputs: dict[str, torch.Tensor] = {}
        names = {self.net.get_submodule(name): name for name in self.spec.layers}

        def keep(module, _args, output):
            outputs[names[module]] = output

        with self._untouched(), torch.no_grad(), ExitStack() as hooks:
            if self.net._compiled_call_impl:  # not otherwise: a stance imports Dynamo, which takes over a second
                hooks.enter_context(torch.compiler.set_stance("force_eager"))
            for module in names:
                hooks.enter_context(module.register_forward_hook(keep))
            self._loss(self.net, _feed(batch))
        return outputs

    def gradients(self, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return (loss, gradients by canonical name); where none arrived, torch has None, which stands for zeros."""
        with self._untouched():
            loss, grads = self._gradients(self.net, _feed(batch))
        by_name = {
            name: torch.zeros_like(param) if grad is None else grad
            for (name, param), grad in zip(self.net.named_parameters(), grads, strict=True)
        }
        return loss, {tensor.name: by_name[_torch_name(tensor.name)] for tensor in self.spec.params}

    @contextmanager
    def _untouched(self) -> Iterator[None]:
        """Put BatchNorm's statistics and the gradients back as they were."""
        kept = {name: buffer.clone() for name, buffer in self.net.named_buffers()}
        grads = [param.grad for param in self.net.parameters()]
        yield
        self.net.load_state_dict(kept, strict=False)
        for param, grad in zip(self.net.parameters(), grads, strict=True):
            param.grad = grad

    def train_step(self, batch: Batch) -> torch.Tensor:
        """Update once; return the loss from before."""
        return self._calls["train_step"](batch)

    def train_steps(self, batches: Batch) -> torch.Tensor:
        """Update once for each batch of a stack; return the losses from before."""
        return self._calls["train_steps"](batches)

    def ledger(self, phase: str) -> dict[str, str]:
        """Return what ran. Dynamo and Inductor count per process, so the counts are of all its programs and phases."""
        is_in_place = self._addresses == self._parameter_addresses()
        target = self._compiled(phase)
        is_replayed = isinstance(self._functions[phase], cuda_graph.Replayed)
        is_last = any(not param.is_contiguous() for param in self.net.parameters() if param.ndim == 4)
        return {
            "layout": "channels-last" if is_last else "NCHW, OIHW; dense (out, in)",
            "donation": f"none; parameters are {'updated in place' if is_in_place else 'replaced'}",
            "synchronisation": "torch.cuda.synchronize" if _device.type == "cuda" else "none needed: calls wait",
            "compiler": "none; a CUDA graph" if is_replayed else ledger.compiler(target, self._wants_cuda_graphs),
            "caches": ledger.caches(target),
            "precision": f"{self._dtype}; {PRODUCTS[_precision]}",
        }

    def _compiled(self, phase: str) -> str:
        """Return what of a phase was handed to torch.compile; "" for nothing."""
        if hasattr(self._functions[phase], "_torchdynamo_orig_callable"):
            return "the whole phase"
        return "the net alone" if self.net._compiled_call_impl else ""

    def _parameter_addresses(self) -> list[int]:
        return [param.data_ptr() for param in self.net.parameters()]

    def synchronize(self) -> None:
        """Wait for the device; on the CPU torch never runs ahead."""
        if not self._is_on_host:
            torch.cuda.synchronize()

    def to_numpy(self, value: torch.Tensor, kind: str = "plain") -> np.ndarray:
        """Return a canonical copy; only dense weights are stored transposed."""
        if value.dtype == torch.bfloat16:
            value = value.float()  # NumPy has no such type
        array = value.detach().cpu().numpy()
        return np.array(array.T if kind == "dense" else array, order="C")

    def state(self) -> dict[str, np.ndarray]:
        """Return canonical copies of parameters, statistics and slots; slots are zero before the first step."""
        tensors = self.net.state_dict(keep_vars=True)
        names = [tensor.name for tensor in (*self.spec.params, *self.spec.statistics)]
        named = {name: tensors[_torch_name(name)] for name in names}
        for slot in self.spec.optimizer.slots:
            for tensor in self.spec.params:
                param = named[tensor.name]
                slots = self.net.optimizer.state.get(param, {})
                named[f"{slot}/{tensor.name}"] = slots.get(_SLOT_NAMES[slot], torch.zeros_like(param))
        return {name: self.to_numpy(value, self.spec.kind(name)) for name, value in named.items()}


def _feed(batch: Batch) -> Batch:
    return {name: tensor.to(_device, non_blocking=True) for name, tensor in batch.items()}


def _fed(function: tuned.Function) -> tuned.Function:
    """Return `function` with the copy to the device before it."""
    return lambda batch: function(_feed(batch))
