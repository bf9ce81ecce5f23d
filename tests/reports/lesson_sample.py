"""A made-up but lifelike document with a lesson: every experiment, the graphs, the clinic, and what went wrong."""

import copy
import math
import random
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from harness.lesson import clinic, exercises, sources
from impls import registry

Record = dict[str, Any]

TITLES = {"reference": "NumPy (reference)", "tf": "TensorFlow", "keras": "Keras", "torch": "PyTorch", "jax": "JAX"}
PER_CALL: dict[tuple[str, str], tuple[float, float, int | None]] = {
    # (backend, way): microseconds on one element, nanoseconds per element, loops over memory
    ("reference", "NumPy"): (12, 18.5, 20),
    ("tf", "eager"): (1400, 70, 20),
    ("tf", "tf.function"): (700, 12.5, 20),
    ("tf", "tf.function, XLA"): (300, 7, 1),
    ("torch", "eager"): (80, 60, 20),
    ("torch", "torch.compile"): (40, 4.5, 1),
    ("jax", "eager"): (330, 65, 20),
    ("jax", "jit"): (6, 4.1, 1),
}
SIZES = [10**power for power in range(8)]
RETRACE: dict[tuple[str, str], tuple[float, float, int]] = {
    # (backend, way): seconds of a slow call, of a usual one, and how many of the first calls are slow
    ("tf", "eager"): (0.02, 0.0006, 1),
    ("tf", "tf.function"): (0.023, 0.0005, 20),
    ("tf", "tf.function, None"): (0.03, 0.0006, 1),
    ("tf", "tf.function, XLA"): (0.37, 0.0003, 20),
    ("torch", "eager"): (0.002, 0.0001, 1),
    ("torch", "torch.compile"): (2.4, 0.00016, 2),
    ("torch", "torch.compile, dynamic=True"): (3.1, 0.00017, 1),
    ("jax", "eager"): (0.05, 0.0003, 20),
    ("jax", "jit"): (0.125, 0.00005, 20),
    ("jax", "jit, padded to powers of two"): (0.13, 0.00006, 5),
}
LOOPS: dict[tuple[str, str], tuple[float | None, float, float, float]] = {
    # (backend, way): nodes per round (None: no graph), nodes beside, seconds of the first call and of a later per round
    ("reference", "NumPy"): (None, 0, 1e-5, 1e-5),
    ("tf", "eager"): (None, 0, 2e-4, 1.5e-4),
    ("tf", "tf.function, unrolled"): (2, 3, 3.5e-3, 1.4e-5),
    ("tf", "tf.function, tf.while_loop"): (0, 19, 5e-4, 2.6e-5),
    ("torch", "eager"): (None, 0, 3e-5, 2.5e-5),
    ("torch", "torch.compile, unrolled"): (3, 2, 4e-2, 9e-6),
    ("jax", "eager"): (None, 0, 4e-4, 1.2e-4),
    ("jax", "jit, unrolled"): (4, 2, 2e-3, 6e-6),
    ("jax", "jit, lax.scan"): (0, 14, 4e-4, 5e-6),
}
RAGGED: dict[tuple[str, str], tuple[float, float, int, int]] = {
    # (backend, way): seconds in all, of the first call, traces, wasted steps
    ("reference", "NumPy, one by one"): (0.03, 0.001, 0, 0),
    ("tf", "eager, one by one"): (1.3, 0.05, 0, 0),
    ("tf", "tf.function, tf.while_loop padded"): (0.5, 0.3, 1, 1800),
    ("torch", "eager, one by one"): (0.11, 0.004, 0, 0),
    ("torch", "torch.compile, padded"): (6.1, 6.0, 1, 1800),
    ("jax", "eager, one by one"): (1.1, 0.2, 0, 0),
    ("jax", "jit, lax.scan bucketed"): (0.7, 0.12, 4, 300),
}
BUFFERS = {
    ("tf", "eager"): 12.1,
    ("tf", "tf.function"): 7.2,
    ("tf", "tf.function, XLA"): 1.3,
    ("torch", "eager"): 11.2,
    ("torch", "torch.compile"): 1.05,
    ("jax", "eager"): 11.9,
    ("jax", "jit"): 1.05,
}
ASYNCHRONY = {
    ("reference", "NumPy"): 1.0,
    ("tf", "eager"): 0.99,
    ("tf", "tf.function"): 0.99,
    ("torch", "eager"): 1.0,
    ("jax", "eager"): 0.002,
    ("jax", "jit"): 0.001,
}
DEBUGGING: dict[tuple[str, str], tuple[int, int, bool, bool, str]] = {
    # (backend, way): prints, breakpoints, NaN located, own line shown, where a wrong shape shows
    ("tf", "eager"): (3, 3, True, True, "run"),
    ("tf", "tf.function"): (1, 1, True, True, "trace"),
    ("tf", "Session"): (1, 1, False, True, "build"),
    ("torch", "eager"): (3, 3, True, True, "run"),
    ("torch", "torch.compile"): (3, 3, True, True, "trace"),
    ("jax", "eager"): (3, 3, True, True, "run"),
    ("jax", "jit"): (1, 1, True, True, "trace"),
}
PYTHON_RUNS = {
    ("reference", "NumPy"): (1, 1, 1, 1),
    ("tf", "eager"): (1, 1, 1, 1),
    ("tf", "tf.function"): (2, 0, 1, 1),
    ("tf", "Session"): (1, 0, 0, 0),
    ("torch", "eager"): (1, 1, 1, 1),
    ("torch", "torch.compile"): (1, 0, 1, 1),
    ("jax", "eager"): (1, 1, 1, 1),
    ("jax", "jit"): (1, 0, 1, 0),
}
EXPORTS: dict[tuple[str, str], tuple[str, bool]] = {
    ("tf", "tf.function"): ("SavedModel", True),
    ("torch", "torch.export"): ("ExportedProgram (.pt2)", True),
    ("torch", "eager"): ("state_dict", False),
    ("jax", "jit"): ("jax.export (StableHLO)", True),
    ("keras", "export"): ("SavedModel", True),
}


def measurement(experiment: str, backend: str, way: str | None, data: Record | None, **changes: Any) -> Record:
    """Return one measurement, with a line of source."""
    status = "measured" if data is not None else "failed"
    return {
        "experiment": experiment,
        "backend": backend,
        "framework": TITLES[backend],
        "way": way,
        "status": status,
        "reason": None if data is not None else "RuntimeError: no compiler was found",
        "data": data,
        "source": f'def {experiment}(x):\n    """As it ran: {way}."""\n    return x' if data is not None else None,
        **changes,
    }


def samples(seconds: float, seed: str, num: int = 9, spread: float = 0.03) -> list[float]:
    """Return samples about `seconds`, never below."""
    draw = random.Random(seed)
    return [seconds * (1 + abs(draw.gauss(0, spread))) for _ in range(num)]


def chain(experiment: str) -> list[Record]:
    """Return the chain of 20 operations: on all sizes, or (fusion) on the largest."""
    found = []
    for (backend, way), (call_us, element_ns, kernels) in PER_CALL.items():
        times = [1e-6 * call_us + 1e-9 * element_ns * size for size in SIZES]
        taken = [samples(time, f"{backend} {way} {size}") for size, time in zip(SIZES, times, strict=True)]
        data: Record = {"num_ops": 20, "num_elements": SIZES, "seconds": taken}
        if experiment == "fusion":
            how = "operations, each a loop" if kernels == 20 else "fusions of the optimised HLO"
            data |= {"num_elements": SIZES[-1], "seconds": taken[-1], "num_kernels": kernels, "how_counted": how}
            data["num_page_faults"] = 9766.0 * kernels
        found.append(measurement(experiment, backend, way, data))
    return found


def retrace() -> list[Record]:
    """Return twenty batch sizes in every way."""
    sizes = [3 * number + 1 for number in range(20)]
    found = []
    for (backend, way), (slow, usual, num_slow) in RETRACE.items():
        again = samples(usual, f"{backend} {way} again", 20)
        first = samples(slow, f"{backend} {way} slow", num_slow) + samples(usual, f"{backend} {way}", 20 - num_slow)
        traces = None if way == "eager" else num_slow
        data = {"batch_sizes": sizes, "first_seconds": first, "again_seconds": again, "num_traces": traces}
        found.append(measurement("retrace", backend, way, data))
    return found


def loops() -> list[Record]:
    """Return loops of three lengths."""
    lengths = [10, 50, 200]
    found = []
    for (backend, way), (per_round, beside, first, later) in LOOPS.items():
        nodes = [None if per_round is None else round(beside + per_round * length) for length in lengths]
        data = {
            "lengths": lengths,
            "num_nodes": nodes,
            "first_seconds": [0.05 + first * length for length in lengths],
            "seconds": [samples(1e-5 + later * length, f"{backend} {way} {length}") for length in lengths],
        }
        found.append(measurement("loops", backend, way, data))
    return found


def ragged() -> list[Record]:
    """Return sixty examples of different lengths."""
    lengths = [5 + 7 * number % 56 for number in range(60)]
    found = []
    for (backend, way), (total, first, traces, wasted) in RAGGED.items():
        packing = "as they are" if way.endswith("one by one") else "bucketed" if "bucketed" in way else "padded"
        data = {
            "packing": packing,
            "lengths": lengths,
            "total_seconds": total,
            "first_seconds": first,
            "num_traces": traces,
            "num_wasted_steps": wasted,
        }
        found.append(measurement("ragged", backend, way, data))
    return found


def dynamic_depth() -> list[Record]:
    """Return a hundred steps with a depth drawn by lot; what is traced pays for each new one."""
    found = []
    ways = {("torch", "eager"): 1, ("torch", "torch.compile"): 4e3, ("tf", "eager"): 1, ("tf", "tf.function"): 60}
    ways |= {("jax", "eager"): 1, ("jax", "jit"): 900, ("reference", "NumPy"): 1}
    for (backend, way), surcharge in ways.items():
        draw = random.Random(0)
        depths = [[draw.randint(0, most) for _ in range(100)] for most in (3, 50)]
        seconds = []
        for mine in depths:
            seen: set[int] = set()
            times = []
            for depth in mine:
                usual = 1e-4 * (3 + depth) * (1 + 0.1 * draw.random())
                times.append(usual * (1 if depth in seen else surcharge))
                seen.add(depth)
            seconds.append(times)
        data = {"max_depths": [3, 50], "depths": depths, "seconds": seconds}
        found.append(measurement("dynamic_depth", backend, way, data))
    return found


def asynchrony() -> list[Record]:
    """Return matrix products, and when their calls return."""
    found = []
    for (backend, way), share in ASYNCHRONY.items():
        done = samples(0.12, f"{backend} {way}")
        data = {"returned_seconds": [share * seconds for seconds in done], "done_seconds": done}
        found.append(measurement("asynchrony", backend, way, data))
    return found


def debugging() -> list[Record]:
    """Return what the tools of a programmer find."""
    found = []
    for (backend, way), (prints, stops, located, own, place) in DEBUGGING.items():
        data = {
            "print_calls": 3,
            "prints": prints,
            "breakpoint_reached": stops,
            "nan_located": located,
            "nan_gradient_located": located and own,
            "nan_gradient_message": "the gradient of sqrt is infinite",
            "nan_message": "invalid value (nan) encountered in log" if located else "",
            "shape_error_at": place,
            "shape_error_message": "Incompatible shapes: [64,100] vs. [10,1000]",
            "own_line_in_traceback": own,
        }
        found.append(measurement("debugging", backend, way, data))
    return found


def export() -> list[Record]:
    """Return what was loaded without the source."""
    found = []
    for (backend, way), (artefact, works) in EXPORTS.items():
        data = {
            "artefact": artefact,
            "exported": True,
            "reloads_without_source": works,
            "export_seconds": 0.4,
            "num_bytes": 412_000,
            "load_seconds": 0.2 if works else None,
            "import_seconds": 2.1,
            "message": "" if works else "ModuleNotFoundError: No module named 'model'",
        }
        found.append(measurement("export", backend, way, data))
    return found


def measurements() -> list[Record]:
    """Return all experiments, and one way that failed."""
    runs = ["first call", "second call", "new shape", "new Python number"]
    keras = {"fit": 0.0011, "train_on_batch": 0.0016}
    return [
        *chain("per_op"),
        *chain("fusion"),
        *retrace(),
        *loops(),
        *ragged(),
        *dynamic_depth(),
        *(
            measurement("buffers", *who, {"num_terms": 10, "tensor_bytes": 2**26, "peak_bytes": round(tensors * 2**26)})
            for who, tensors in BUFFERS.items()
        ),
        *asynchrony(),
        *debugging(),
        *(
            measurement("python_runs", *who, {"calls": runs, "python_ran": list(ran)})
            for who, ran in PYTHON_RUNS.items()
        ),
        *(
            measurement("high_level", "keras", way, {"num_steps": 50, "seconds": samples(seconds, way)})
            for way, seconds in keras.items()
        ),
        *export(),
        measurement("buffers", "keras", None, None, status="not installed", reason="keras cannot be imported"),
    ]


def audit() -> list[Record]:
    """Return the lecture's programs: one learns, one is lost in the fourth step, one takes another path."""
    falling = [3e7 * math.exp(-0.055 * step) + 4e-5 for step in range(500)]
    lost: list[float | None] = [3e7, 4e12, 9e28, *[None] * 497]
    other = [3e7 * math.exp(-0.01 * step) * (1.2 + math.cos(step / 9)) for step in range(500)]
    told = ["What agrees: the prediction, the first loss.", "The first that differs is w1 after 1 training step."]
    found = []
    for title, rate, losses, refused in (
        ("TensorFlow, as printed", 1e-6, falling, None),
        ("PyTorch, as printed", 1e-3, lost, "state@1..3/w1"),
        ("PyTorch, rate put right", 1e-6, other, "state@1..3/w2"),
    ):
        explanation = told if refused else []
        entry = {"title": title, "learning_rate": rate, "losses": losses, "refused": refused}
        found.append({**entry, "explanation": explanation, "source": "for t in range(500):\n    w1 -= rate * grad_w1"})
    return found


def graph(backend: str, artefact: str, stage: str, nodes: Sequence[tuple[str, str, tuple[str, ...]]]) -> Record:
    """Return one graph of the forward pass."""
    return {
        "backend": backend,
        "framework": TITLES[backend],
        "subject": "two-layer net: forward",
        "artefact": artefact,
        "stage": stage,
        "nodes": [{"id": name, "op": op, "label": op, "inputs": list(inputs)} for name, op, inputs in nodes],
        "num_nodes": len(nodes),
        "text": "\n".join(f"{name} = {op}({', '.join(inputs)})" for name, op, inputs in nodes),
    }


def graphs() -> list[Record]:
    """Return a graph before and after optimisation, with an edge that passes a layer and one from nowhere."""
    before = [
        ("x", "parameter", ()),
        ("w1", "parameter", ()),
        ("w2", "parameter", ()),
        ("h", "dot_general", ("x", "w1")),
        ("zero", "constant", ()),
        ("relu", "max", ("h", "zero")),
        ("y", "dot_general", ("relu", "w2")),
        ("skip", "add", ("y", "x", "gone")),
    ]
    after = [("x", "parameter", ()), ("w1", "parameter", ()), ("all", "fusion", ("x", "w1"))]
    return [graph("jax", "jaxpr", "before", before), graph("jax", "optimised HLO", "after", after)]


def document(sample: ModuleType, **changes: Any) -> Record:
    """Return a lesson's document on top of the sample's two-layer net; `changes` overwrite the lesson's entries."""
    whole = copy.deepcopy(sample.full())
    block = whole["likeforlike"]
    for name in ("cells", "groups", "certificates", "trajectories", "pictures"):
        block[name] = [entry for entry in block[name] if entry["model"] == "two_layer"]
    for cell in block["cells"]:
        engine = cell["variant"].partition("-")[2]
        cell["versions"] = {cell["backend"]: "1.0"} | ({engine: "1.0"} if cell["backend"] == "keras" else {})
    block["run"] |= {"models": ["two_layer"], "preset": "lesson", "command": "pytest --benchmark --preset lesson"}
    headline = dict.fromkeys(entry.backend for entry in registry.variants().values() if entry.variant.headline)
    block["lesson"] = {
        "audit": audit(),
        "measurements": measurements(),
        "graphs": graphs(),
        "sources": sources.sources(headline, "two_layer"),
        "finished": [],
        "clinic": [case.as_dict() for case in clinic.cases()],
        "exercises": [exercise.as_dict() for exercise in exercises.exercises()],
        **changes,
    }
    return whole
