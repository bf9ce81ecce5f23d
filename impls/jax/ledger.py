"""What was done for the sake of speed, as read from compiled programs; see `impls.contract.Program.ledger`."""

import re
from collections import Counter

import jax
import numpy as np

_AXES = {"b": "N", "f": "C", "0": "H", "1": "W", "i": "I", "o": "O"}
"""The letters of HLO's `dim_labels`, and those of everybody else."""
_LIBRARIES = {"ynn": "YNNPACK"}
"""What HLO calls a library, and what everybody else does."""


def of_executable(executable: jax.stages.Compiled | None) -> dict[str, str]:
    """Return the entries of what XLA made of a phase; None stands for an executable that JAX does not show."""
    if executable is None:
        return dict.fromkeys(("layout", "donation", "compiler"), "unknown: compiled by the first call")
    hlo = executable.as_text()
    kernels = Counter(re.findall(r'kind":"__(\w+?)_fusion|custom_call_target="([^"]+)"', hlo))
    names = {found: "".join(found) for found in kernels}
    libraries = [f"{kernels[found]} {_LIBRARIES.get(name, name)} kernels" for found, name in sorted(names.items())]
    memory = executable.memory_analysis()
    reused_bytes = memory.alias_size_in_bytes
    return {
        "layout": _layout(hlo),
        "donation": f"{reused_bytes} of {memory.argument_size_in_bytes} bytes of arguments" if reused_bytes else "none",
        "compiler": ", ".join(["XLA, one executable", *libraries]),
    }


def of_eager() -> dict[str, str]:
    """Return the entries of functions that Python runs line by line; JAX compiles each operation on its own."""
    return {
        "layout": "NHWC, kernels HWIO; dense (in, out)",
        "donation": "none",
        "compiler": "XLA, one executable per operation",
    }


def of_process(dtype: np.dtype, precision: str) -> dict[str, str]:
    """Return the entries that JAX's configuration decides, and the run's precision."""
    products = jax.config.jax_default_matmul_precision
    told = "no TF32" if products == "highest" else f"products {products}"
    if precision == "bf16":
        told = "computed in bfloat16"
    return {
        "synchronisation": "once per block; calls return before they have finished",
        "caches": jax.config.jax_compilation_cache_dir or "none",
        "precision": f"{dtype}; {told}",
    }


def _layout(hlo: str) -> str:
    """Return the axes of images and kernels, from the convolutions; without any, those of dense weights."""
    labels = Counter(re.findall(r"dim_labels=(\w+)_(\w+)->", hlo)).most_common(1)
    if not labels:
        return "(in, out)"
    (((image, kernel), _),) = labels
    image, kernel = ("".join(_AXES[axis] for axis in axes) for axes in (image, kernel))
    return f"{image}, kernels {kernel}"
