"""Valid result documents, made up but lifelike: a run with every status and every warning, and a sweep."""

import base64
import itertools
import math
import random
import struct
import zlib
from typing import Any

from harness import breakeven
from harness.breakeven import Course

VARIANTS: dict[str, tuple[str, str, bool, str]] = {
    "tf-graph": ("tf", "graph", True, "as-written"),
    "keras-tf": ("keras", "graph", True, "as-written"),
    "torch-eager": ("torch", "eager", True, "as-written"),
    "jax-jit": ("jax", "compiled", True, "as-written"),
    "keras-jax": ("keras", "compiled", False, "as-written"),
    "keras-torch": ("keras", "eager", False, "as-written"),
    "tf-function": ("tf", "graph", False, "as-written"),
    "tf-eager": ("tf", "eager", False, "as-written"),
    "jax-eager": ("jax", "eager", False, "as-written"),
    "numpy": ("reference", "eager", False, "as-written"),
    "tf-xla": ("tf", "compiled", False, "tuned"),
    "torch-compile": ("torch", "compiled", False, "tuned"),
    "torch-channels-last": ("torch", "eager", False, "tuned"),
}
MILLISECONDS: dict[str, tuple[float, ...]] = {
    # in the order of VARIANTS
    "two_layer": (0.63, 1.1, 0.40, 0.31, 0.95, 1.6, 0.72, 2.1, 1.9, 0.25, 0.33, 0.404, 0.41),
    "unet": (71, 64, 68, 115, 118, 69, 66, 83, 310, 2400, 92, 61, 56),
    "autoencoder": (4.1, 4.6, 3.2, 3.3, 4.0, 4.4, 4.2, 6.3, 14.0, 7.7, 3.6, 3.0, 3.21),
}
SIZES = {
    "two_layer": ("original", 64, 101_000, {"forward": 12_928_000, "train_step": 25_984_000}),
    "unet": ("small", 1, 2_430_000, {"forward": 3_010_000_000, "train_step": 8_990_000_000}),
    "autoencoder": ("original", 128, 436_064, {"forward": 111_000_000, "train_step": 282_000_000}),
}
BYTES = {
    "two_layer": {"forward": 713_760, "train_step": 2_674_240},
    "unet": {"forward": 39_971_840, "train_step": 161_480_916},
    "autoencoder": {"forward": 3_129_344, "train_step": 20_649_152},
}
CEILINGS = [
    {
        "device": "cpu",
        "precision": "float32",
        "matmul": {"backend": backend, "size": 1024, "per_s": matmul},
        "copies": [
            {"backend": backend, "size": 2**20 * size, "per_s": rate}
            for size, rate in zip((1, 8, 64, 512), copies, strict=True)
        ],
    }
    for backend, matmul, copies in (
        ("torch", 202e9, (96e9, 31e9, 11.2e9, 10.4e9)),
        ("jax", 187e9, (41e9, 33e9, 11.9e9, 10.1e9)),
        ("reference", 195e9, (88e9, 18e9, 10.8e9, 9.9e9)),
    )
]
ROOF: dict[str, Any] = {
    "device": "cpu",
    "precision": "float32",
    "matmul": {"backend": "torch", "size": 1024, "per_s": 202e9},
    "copies": [
        {"backend": backend, "size": 2**20 * size, "per_s": rate}
        for backend, size, rate in (("torch", 1, 96e9), ("jax", 8, 33e9), ("jax", 64, 11.9e9), ("torch", 512, 10.4e9))
    ],
}
HARNESS_COST = [
    {"variant": "torch-eager", "ratio": 1.002, "ratio_low": 0.996, "ratio_high": 1.007},
    {"variant": "jax-jit", "ratio": 0.999, "ratio_low": 0.991, "ratio_high": 1.006},
]
DOCTOR = [
    {
        "check": "load",
        "status": "warning",
        "found": "1.2 of 2 CPUs busy with something else over 0.5 s: chromium (0.90, pid 4711)",
        "remedy": "wait until it ends, stop it (`kill PID`), or lower --threads",
        "affects": ["times", "cold stages", "ceilings"],
    },
    {
        "check": "swap",
        "status": "warning",
        "found": "1.3 GiB of memory are swapped out",
        "remedy": "end what uses memory, then run `sudo swapoff -a && sudo swapon -a`, which brings it back",
        "affects": ["memory", "times", "cold stages"],
    },
    {
        "check": "governor",
        "status": "unknown",
        "found": "the kernel does not control the clocks; the host of this virtual machine does",
        "remedy": None,
        "affects": [],
    },
    {"check": "power", "status": "fine", "found": "no battery", "remedy": None, "affects": []},
]
STAGES = {"tf": (2.9, 0.08), "keras": (3.4, 0.21), "torch": (1.4, 0.02), "jax": (0.8, 0.03), "reference": (0.1, 0.001)}
COMPILE = {"eager": 0.0, "graph": 0.6, "compiled": 2.3}
DISPATCHED = {"eager": 0.72, "graph": 0.99, "compiled": 0.31}
COMPILERS = {"eager": "none; eager", "graph": "none; 214 operations before Grappler", "compiled": "XLA, one program"}
TENSORS = {"two_layer": 2, "unet": 60, "autoencoder": 8}
OPTIMIZERS = {"two_layer": "sgd", "unet": "momentum", "autoencoder": "adam"}
SLOTS = {"sgd": (), "momentum": ("velocity",), "adam": ("m", "v")}
NUM_STEPS = {"two_layer": 500, "unet": 10, "autoencoder": 100}
EXPLANATION = [
    "In float64 all that was compared agrees; the fault shows in float32 only.",
    "What agrees: all 15 layers in train mode, the prediction in eval mode, the first loss, "
    "the gradients from the last layer down to that of layer1.w0.",
    "The first that differs is the gradient of layer0.w1: relative error 3.1e-01, limit 4.0e-06; "
    "worst element [3, 1] of (16, 3): 0.7, expected 0.2.",
    "Usual causes there: a gradient stopped on the way, counted twice, or of another parameter.",
]
CONVENTIONS: list[dict[str, Any]] = [
    {
        "subject": "batch_norm.eps",
        "title": "BatchNorm: default epsilon",
        "values": {"TensorFlow": 0.001, "Keras": 0.001, "PyTorch": 1e-5, "JAX": 1e-5},
    },
    {
        "subject": "batch_norm.momentum_weighs",
        "title": "BatchNorm: momentum is the weight of the old or of the new value",
        "values": {"Keras": "the old value", "PyTorch": "the new value", "JAX": "the old value"},
    },
    {
        "subject": "adam.learning_rate",
        "title": "Adam: default learning rate",
        "values": {"TensorFlow": 0.001, "Keras": 0.001, "PyTorch": 0.001},
    },
    {"subject": "adam.eps", "title": "Adam: default epsilon", "values": {"Keras": 1e-7, "PyTorch": 1e-8, "JAX": 1e-8}},
    {
        "subject": "gelu.approximate",
        "title": "GELU: tanh approximation by default",
        "values": {"TensorFlow": False, "Keras": False, "PyTorch": False, "JAX": True},
    },
    {
        "subject": "conv.kernel_shape",
        "title": "Convolution: order of the kernel's axes",
        "values": {
            "TensorFlow": "height, width, in, out",
            "Keras": "height, width, in, out",
            "PyTorch": "out, in, height, width",
            "JAX": "height, width, in, out",
        },
    },
    {"subject": "tf32.matmul", "title": "TF32 in matrix products by default", "values": {"TensorFlow": True}},
]


def png(width: int, height: int, kind: str, seed: int = 0) -> str:
    """Return a grey picture as base64: a ring, with noise on it where `kind` asks for it."""
    draw = random.Random(seed)
    rows = b""
    for y in range(height):
        row = bytearray([0])
        for x in range(width):
            column = x % height
            distance = math.hypot(column - height / 2, (y - height / 2) * (1 + 0.3 * (x // height % 3)))
            value = 255 * math.exp(-(((distance - height / 3.2) / (height / 10)) ** 2))
            value += draw.gauss(0, 40) if kind == "noisy" else 0
            row.append(max(0, min(255, int(value))))
        rows += bytes(row)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def cell(model: str, variant: str, phase: str, **changes: Any) -> dict[str, Any]:
    """Return a cell that was not timed; `changes` overwrite its entries."""
    backend, mode, headline, lane = VARIANTS.get(variant, ("extra", "eager", False, "as-written"))
    size, batch_size, _, _ = SIZES[model]
    return {
        "model": model,
        "size": size,
        "batch_size": batch_size,
        "phase": phase,
        "variant": variant,
        "backend": backend,
        "lane": lane,
        "mode": mode,
        "headline": headline,
        "precision": "float32",
        "device": "cpu",
        "status": "not timed",
        "reason": None,
        "explanation": [],
        "stages": None,
        "warm_stages": None,
        "launches": [],
        "launches_agree": None,
        "num_iterations": None,
        "steps_per_call": 1,
        "rounds_s": [],
        "step_time_s": None,
        "step_time_low_s": None,
        "step_time_high_s": None,
        "dispatch_s": None,
        "latency_s": None,
        "resident_step_time_s": None,
        "activity": None,
        "energy": None,
        "ratio": None,
        "ratio_low": None,
        "ratio_high": None,
        "verdict": None,
        "autocorrelation": None,
        "is_steady": None,
        "num_contaminated": 0,
        "peak_memory_bytes": None,
        "peak_device_memory_bytes": None,
        "versions": {},
        "flags": {},
        "ledger": {},
        "stderr_tail": "",
        **changes,
    }


def stages(model: str, variant: str, seconds: float, slowness: float = 1.0) -> dict[str, float]:
    """Return the cold stages of one launch of a variant whose step takes `seconds`."""
    backend, mode = VARIANTS.get(variant, ("torch", "eager"))[:2]
    import_s, build_s = STAGES[backend]
    compile_s = COMPILE[mode] * (2.5 if model == "unet" else 0.4) * slowness
    return {
        "import_s": import_s * slowness,
        "build_s": build_s * (10 if model == "unet" else 1),
        "trace_s": 0.3 * compile_s,
        "compile_s": 0.7 * compile_s,
        "first_step_s": 3 * seconds + 0.02,
        "second_step_s": 1.2 * seconds,
        "teardown_s": 0.004 * slowness,
    }


def interval(seconds: float, spread: float = 0.01) -> dict[str, float]:
    """Return a median of `seconds` with an interval of ± `spread`."""
    return {"median": seconds, "low": seconds * (1 - spread), "high": seconds * (1 + spread)}


def ledger(variant: str, model: str = "unet") -> dict[str, str]:
    """Return what may have sped a cell up or slowed it down."""
    backend, mode = VARIANTS.get(variant, ("torch", "eager"))[:2]
    is_first = backend == "torch" and variant != "torch-channels-last"
    return {
        "threads": f"{11 if backend == 'tf' else 4} in the process",
        "cores": "0, 1",
        "steps per call": "1",
        "layout": "(in, out)" if model != "unet" else "NCHW, kernels OIHW" if is_first else "NHWC, kernels HWIO",
        "donation": "the net's state" if backend == "jax" else "none; variables are updated in place",
        "synchronisation": "every call returns host values" if variant == "tf-graph" else "once per block",
        "compiler": COMPILERS[mode],
        "caches": "none",
        "precision": "float32; no TF32",
    }


def timed(
    model: str, variant: str, phase: str, seconds: float, ratio: float, spread: float = 0.01, **changes: Any
) -> dict:
    """Return a timed cell with 12 rounds of 4 samples about `seconds`, and an interval of ± `spread`."""
    num_rounds, num_launches = changes.pop("num_rounds", 12), changes.pop("num_launches", 1)
    draw = random.Random(f"{model} {variant} {phase}")
    rounds = [[seconds * (1 + abs(draw.gauss(0, 0.015))) for _ in range(4)] for _ in range(num_rounds)]
    backend = VARIANTS.get(variant, ("torch", "eager"))[0]
    if ratio == 1.0 and "verdict" not in changes:
        verdict = "baseline"
    else:
        verdict = (
            "faster" if ratio * (1 + spread) < 1 else "slower" if ratio * (1 - spread) > 1 else "no difference shown"
        )
    ends = {
        "ratio": ratio,
        "ratio_low": ratio * (1 - spread) if verdict != "baseline" else 1.0,
        "ratio_high": ratio * (1 + spread) if verdict != "baseline" else 1.0,
    }
    launches = [{"stages": stages(model, variant, seconds, 1 + 0.1 * number), **ends} for number in range(num_launches)]
    values = {
        "status": "timed",
        "stages": launches[num_launches // 2]["stages"],
        "launches": launches,
        "launches_agree": True if num_launches > 1 and verdict != "baseline" else None,
        "num_iterations": max(1, round(0.005 / seconds)),
        "rounds_s": rounds,
        "step_time_s": seconds,
        "step_time_low_s": seconds * (1 - spread / 2),
        "step_time_high_s": seconds * (1 + spread),
        **ends,
        "verdict": verdict,
        "autocorrelation": 0.05,
        "is_steady": True,
        "peak_memory_bytes": int(4e8 + 3e8 * draw.random()),
        "versions": {backend: "1.0"},
        "flags": {"threads": 2},
        "ledger": ledger(variant, model),
    }
    return cell(model, variant, phase, **{**values, **changes})


def in_all_modes(one: dict[str, Any]) -> dict[str, Any]:
    """Return a timed cell with dispatch and latency, its steps with resident batches, and what a warm start takes."""
    seconds = one["step_time_s"]
    one |= {
        "dispatch_s": interval(DISPATCHED[one["mode"]] * seconds),
        "latency_s": interval(1.12 * seconds),
        "resident_step_time_s": interval(0.9 * seconds),
    }
    if one["mode"] == "compiled":
        one["warm_stages"] = {**one["stages"], "compile_s": 0.1 * one["stages"]["compile_s"], "teardown_s": None}
    return one


def group(
    model: str, phase: str, baseline: str | None = "torch-eager", noise: float | None = 0.004, **changes: Any
) -> dict:
    """Return a group whose A/A control has an interval of ± `noise` (None: there is no control)."""
    size, batch_size, num_params, flops = SIZES[model]
    control = None
    if noise is not None and baseline is not None:
        control = {
            "variant": baseline,
            "rounds_s": [[1e-3] * 4] * 12,
            "num_iterations": 5,
            "ratio": 1.0,
            "ratio_low": 1 - noise * 0.9,
            "ratio_high": 1 + noise,
        }
    return {
        "model": model,
        "size": size,
        "changes": {},
        "batch_size": batch_size,
        "phase": phase,
        "precision": "float32",
        "num_params": num_params,
        "flops": flops[phase],
        "bytes": BYTES[model][phase],
        "bytes_per_s": next(
            copy["per_s"] for copy in reversed(ROOF["copies"]) if copy["size"] <= max(2**20, BYTES[model][phase])
        ),
        "baseline": baseline,
        "statistic": "median" if model == "unet" else "min",
        "num_rounds": 12,
        "launches": [{"num_rounds": 12, "stopped_by": "precision"}],
        "control": control,
        "break_even": [],
        **changes,
    }


def certificates(model: str, variant: str, failing: str | None = None, size: str | None = None) -> list[dict[str, Any]]:
    """Return both gates of a net and variant; the quantity `failing` fails in float32."""
    draw = random.Random(f"{model} {variant}")
    num_steps, optimizer = NUM_STEPS[model], OPTIMIZERS[model]
    tensors = [f"layer{index // 4}.w{index % 4}" for index in range(TENSORS[model])]
    quantities = [f"layer@0/{name}" for name in dict.fromkeys(name.partition(".")[0] for name in tensors)]
    quantities += ["forward@0", "loss@0", *(f"grad@0/{name}" for name in tensors)]
    quantities += [f"loss@1..{num_steps - 1}", "forward@1", f"forward@{num_steps}"]
    quantities += [f"state@1..{num_steps}/{name}" for name in tensors]
    quantities += [f"state@1..{num_steps}/{slot}/{name}" for slot in SLOTS[optimizer] for name in tensors]
    found = []
    for precision, scale, limit in (("float64", 1e-15, 1e-10), ("float32", 1e-7, 4e-6)):
        for quantity in quantities:
            first, _, last = quantity.partition("@")[2].partition("/")[0].partition("..")
            step = draw.randint(int(first), int(last or first))
            grown = step + 1 if precision == "float32" and last else 1  # a limit grows with the step, as its error does
            passed = not (quantity == failing and precision == "float32")
            found.append(
                {
                    "model": model,
                    "size": size or SIZES[model][0],
                    "variant": variant,
                    "precision": precision,
                    "device": "cpu",
                    "optimizer": optimizer,
                    "quantity": quantity,
                    "step": step,
                    "rel_error": scale * (1 + 8 * draw.random()) * grown if passed else 0.31,
                    "limit": limit * grown,
                    "passed": passed,
                    "detail": None if passed else "worst element [3, 1] of (16, 3): 0.7, expected 0.2",
                }
            )
    return found


def trajectories(model: str, variant: str, is_refused: bool = False, size: str | None = None) -> list[dict[str, Any]]:
    """Return how the error grows in both precisions; that of a refused variant passes its float32 limit at step 3."""
    draw = random.Random(f"{model} {variant} trajectory")
    num_steps = NUM_STEPS[model]
    steps = sorted({round(num_steps ** (index / 59)) for index in range(60)})
    speed, start = draw.uniform(0.02, 0.15), draw.uniform(0.2, 0.5)  # stays below what the certificates found
    found = []
    for precision, limit in (("float64", 1e-10), ("float32", 4e-6)):
        is_off = is_refused and precision == "float32"
        own = 1e-15 if precision == "float64" else limit / 8
        state = [own * start * step**speed * draw.uniform(0.8, 1.2) for step in steps]
        if is_off:
            state = [error * max(1, step - 1) ** 5 for step, error in zip(steps, state, strict=True)]
        loss = [0.0 if step == 1 else error * draw.uniform(0.02, 1) for step, error in zip(steps, state, strict=True)]
        if variant == "numpy" and precision == "float64":
            state = loss = [0.0] * len(steps)
        found.append(
            {
                "model": model,
                "size": size or SIZES[model][0],
                "variant": variant,
                "precision": precision,
                "optimizer": OPTIMIZERS[model],
                "steps": steps,
                "loss_error": loss,
                "loss_share": [error / limit for error in loss],
                "state_error": state,
                "state_share": [error / limit for error in state],
            }
        )
    return found


def document(**changes: Any) -> dict[str, Any]:
    """Return a document without a measurement; `changes` overwrite the block's entries, `run` is merged."""
    run = {
        "id": "2026-03-01T101500Z-cpu",
        "started_utc": "2026-03-01T10:15:00Z",
        "finished_utc": "2026-03-01T10:20:41Z",
        "status": "complete",
        "finished": [],
        "options": {},
        "preset": "default",
        "device": "cpu",
        "num_threads": 2,
        "seed": 0,
        "command": "pytest --benchmark --preset default --threads 2",
        "models": ["two_layer", "unet", "autoencoder"],
        "variants": list(VARIANTS),
        "sweep": None,
        "warnings": [],
    }
    environment = {
        "cpu": "AMD EPYC 7B13",
        "num_physical_cores": 1,
        "num_logical_cores": 2,
        "affinity": [0, 1],
        "memory_bytes": 8_331_000_000,
        "gpus": [],
        "os": "Linux 6.1 x86_64 (glibc 2.36)",
        "python": "3.11.7",
        "packages": {"jax": "0.10.2", "keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0", "torch": "2.13.0"},
        "commit": "99a9bbb5f1c04f4c2a5b53e1d6e1f6f0f2a7c111",
        "commit_is_clean": False,
        "load_at_start": [0.21, 0.4, 0.52],
        "load_at_end": [1.9, 1.4, 0.9],
        "worker_env": {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "-1"},
    }
    block = {
        "schema_version": 4,
        "run": {**run, **changes.pop("run", {})},
        "environment": environment,
        "doctor": [],
        "ceilings": [],
        "roof": None,
        "harness_cost": [],
        "groups": [],
        "cells": [],
        "certificates": [],
        "trajectories": [],
        "conventions": [],
        "pictures": [],
        **changes,
    }
    return {"machine_info": {}, "benchmarks": [], "likeforlike": block}


ABSENT: dict[tuple[str, str], tuple[str, str]] = {
    ("unet", "numpy"): ("not implemented", "impls/reference has no float32 U-Net"),
    ("unet", "tf-xla"): ("timed out", "compile took longer than 120 s"),
    ("unet", "keras-torch"): ("refused", "grad@0/layer0.w1 in float32: error 3.1e-01, limit 4.0e-06"),
    ("two_layer", "keras-jax"): ("crashed", "the worker ended with signal 11 (SIGSEGV)"),
    ("two_layer", "tf-eager"): ("broken", "impls/tf/two_layer.py: ImportError: cannot import name 'Session'"),
    ("autoencoder", "torch-compile"): ("not installed", "torch needs a C++ compiler for this mode, and none was found"),
    ("autoencoder", "jax-eager"): ("failed", "ValueError: operands could not be broadcast together"),
    ("autoencoder", "tf-function"): ("not timed", "the time limit came first"),
}


def break_evens(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return who overtakes whom after how many steps, as the harness computes it, with ratios of ± 1 %."""
    courses = {
        cell["variant"]: [Course.of(launch["stages"], cell["step_time_s"]) for launch in cell["launches"]]
        for cell in cells
        if cell["status"] == "timed"
    }
    found = []
    for early, late in itertools.combinations(sorted(courses, key=lambda name: courses[name][0].first_s), 2):
        ratio = courses[late][0].step_s / courses[early][0].step_s
        pair = breakeven.break_even((early, courses[early]), (late, courses[late]), (0.99 * ratio, 1.01 * ratio))
        found += [pair.as_dict()] if pair.low is not None else []
    return found


def full(num_rounds: int = 12, num_launches: int = 3) -> dict[str, Any]:
    """Return the whole run: three nets, both phases, thirteen variants, each status at least once."""
    groups, cells, proofs, drifts = [], [], [], []
    launched = [{"num_rounds": num_rounds // num_launches, "stopped_by": "precision"}] * num_launches
    for model, milliseconds in MILLISECONDS.items():
        for variant in VARIANTS:
            status = ABSENT.get((model, variant), ("timed", ""))[0]
            if status in ("timed", "refused", "not timed"):
                proofs += certificates(model, variant, "grad@0/layer0.w1" if status == "refused" else None)
                drifts += trajectories(model, variant, status == "refused")
        for phase, share in (("train_step", 1.0), ("forward", 0.33)):
            mine = []
            for variant, value in zip(VARIANTS, milliseconds, strict=True):
                seconds, baseline_s = value * 1e-3 * share, milliseconds[2] * 1e-3 * share
                changes = {"num_rounds": num_rounds, "num_launches": num_launches}
                mine.append(_full_cell(model, variant, phase, seconds, baseline_s, changes))
            about = {"num_rounds": num_rounds, "launches": launched, "break_even": break_evens(mine)}
            groups.append(group(model, phase, **about))
            cells += mine
    warnings = ["load 1.2 plus 2 threads exceed the 2 cores", "U-Net: three rounds were disturbed by another program"]
    return document(
        run={"warnings": warnings},
        doctor=DOCTOR,
        ceilings=CEILINGS,
        roof=ROOF,
        harness_cost=HARNESS_COST,
        groups=groups,
        cells=cells,
        certificates=proofs,
        trajectories=drifts,
        conventions=CONVENTIONS,
        pictures=pictures(),
    )


def _full_cell(
    model: str, variant: str, phase: str, seconds: float, baseline: float, changes: dict[str, Any]
) -> dict[str, Any]:
    if (model, variant) in ABSENT:
        status, reason = ABSENT[model, variant]
        stderr = 'Fatal Python error: Segmentation fault\n  File "worker.py", line 88' if status == "crashed" else ""
        told = EXPLANATION if status == "refused" else []
        return cell(model, variant, phase, status=status, reason=reason, explanation=told, stderr_tail=stderr)
    if variant == "jax-eager":
        changes |= {"is_steady": False, "autocorrelation": 0.47, "num_contaminated": 7}
    if variant == "keras-torch":
        changes |= {"verdict": "too wide to say", "spread": 0.2}
    one = in_all_modes(timed(model, variant, phase, seconds, seconds / baseline, **changes))
    if variant == "tf-function":
        one["launches_agree"] = False
        for number, launch in enumerate(one["launches"]):
            launch |= {end: launch[end] * (0.9 + 0.1 * number) for end in ("ratio", "ratio_low", "ratio_high")}
    return one


SWEPT = ("torch-eager", "jax-jit", "tf-graph", "numpy", "torch-compile")


def sweep(values: tuple[int, ...] = (1, 4, 16, 64)) -> dict[str, Any]:
    """Return a run of the two-layer net over batch sizes; every step has a fixed cost and one that grows with it."""
    groups, cells, proofs, drifts = [], [], [], []
    for batch_size in values:
        size = f"original, batch_size={batch_size}"
        of_size = {"size": size, "batch_size": batch_size}
        times_s = {variant: 1e-6 * (20 * (1 + index) + 5 * batch_size) for index, variant in enumerate(SWEPT)}
        flops = SIZES["two_layer"][3]["train_step"] * batch_size // 64
        groups.append(group("two_layer", "train_step", changes={"batch_size": batch_size}, flops=flops, **of_size))
        for variant, seconds in times_s.items():
            cells.append(
                timed("two_layer", variant, "train_step", seconds, seconds / times_s["torch-eager"], **of_size)
            )
            proofs += certificates("two_layer", variant, size=size)
            drifts += trajectories("two_layer", variant, size=size)
    run = {
        "models": ["two_layer"],
        "variants": list(SWEPT),
        "sweep": {"parameter": "batch", "values": list(values)},
        "command": f"pytest --benchmark --sweep batch={','.join(map(str, values))} --models two_layer",
    }
    measured = {"groups": groups, "cells": cells, "certificates": proofs, "trajectories": drifts}
    return document(run=run, ceilings=CEILINGS, roof=ROOF, **measured)


def pictures() -> list[dict[str, Any]]:
    """Return the autoencoder's strip and the U-Net's images."""
    strip = [
        {"caption": name, "png_base64": png(224, 28, name, seed)}
        for seed, name in enumerate(("noisy", "clean", "denoised"))
    ]
    images = [
        {"caption": caption, "png_base64": png(size, size, "clean")}
        for caption, size in (("input", 252), ("target", 68), ("output", 68))
    ]
    common = {"variant": "torch-eager"}
    return [
        {
            **common,
            "model": "autoencoder",
            "size": "original",
            "num_steps": 400,
            "metrics": {"psnr_noisy_db": 20.13, "psnr_denoised_db": 24.61},
            "panels": strip,
        },
        {
            **common,
            "model": "unet",
            "size": "small",
            "num_steps": 60,
            "metrics": {"pixel_accuracy": 0.914},
            "panels": images,
        },
    ]


def training(*cells: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a run of the autoencoder's training step, every cell certified; `changes` are those of the group."""
    proofs = [entry for cell in cells for entry in certificates("autoencoder", cell["variant"])]
    one = group("autoencoder", "train_step", **changes)
    return document(run={"models": ["autoencoder"]}, groups=[one], cells=list(cells), certificates=proofs)


def earlier(days: int = 1, slowness: float = 1.5) -> dict[str, Any]:
    """Return the whole run as it was some days before, when `jax-jit` took 1 / `slowness` of its later time."""
    found = full()
    found["likeforlike"]["run"] |= {
        "id": f"2026-02-{28 - days:02}T101500Z-cpu",
        "started_utc": f"2026-02-{28 - days:02}",
    }
    for one in found["likeforlike"]["cells"]:
        if one["variant"] == "jax-jit" and one["status"] == "timed":
            one["rounds_s"] = [[sample / slowness for sample in samples] for samples in one["rounds_s"]]
            for name in ("step_time_s", "step_time_low_s", "step_time_high_s", "ratio", "ratio_low", "ratio_high"):
                one[name] /= slowness
    return found


def three_runs() -> list[dict[str, Any]]:
    """Return three runs of one machine, oldest first; `jax-jit` became slower in the last."""
    return [earlier(2), earlier(1), full()]


def large(num_sizes: int = 20, num_rounds: int = 500) -> dict[str, Any]:
    """Return a sweep of 520 cells with 2,000 samples each: more than a million."""
    groups, cells, proofs, drifts = [], [], [], []
    for batch_size in range(1, num_sizes + 1):
        size = f"original, batch_size={batch_size}"
        of_size = {"size": size, "batch_size": batch_size}
        for variant in VARIANTS:
            proofs += certificates("two_layer", variant, size=size)
            drifts += trajectories("two_layer", variant, size=size)
        for phase in ("train_step", "forward"):
            launches = [{"num_rounds": num_rounds, "stopped_by": "precision"}]
            changes = {"batch_size": batch_size}
            groups.append(group("two_layer", phase, changes=changes, launches=launches, **of_size))
            for place, variant in enumerate(VARIANTS):
                seconds, baseline_s = (1e-6 * (20 * (1 + index) + 5 * batch_size) for index in (place, 2))
                about = {"num_rounds": num_rounds, **of_size}
                cells.append(timed("two_layer", variant, phase, seconds, seconds / baseline_s, **about))
    run = {"models": ["two_layer"], "sweep": {"parameter": "batch", "values": list(range(1, num_sizes + 1))}}
    measured = {"groups": groups, "cells": cells, "certificates": proofs, "trajectories": drifts}
    return document(run=run, ceilings=CEILINGS, roof=ROOF, **measured)
