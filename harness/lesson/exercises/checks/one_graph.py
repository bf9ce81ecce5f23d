"""Lets Dynamo trace a function as one graph, which is an error where it cannot."""

from typing import Any

import numpy as np

from harness.lesson.exercises.checks import UnsolvedError

REQUIRES = ("torch",)
HINTS = (
    "torch._dynamo.explain(clipped)(torch.ones(3)) says where the graph breaks.",
    "`if` needs a truth value now. Both branches can be computed, and one chosen by an operation.",
    "torch.where(length > 1, …, …), or divide by torch.clamp(length, min=1).",
)


def check(solution: Any) -> str:
    """Compare with NumPy below and above the limit, in one graph."""
    import torch
    from torch._dynamo.exc import Unsupported

    graphs: list[Any] = []

    def keep(module: Any, _: Any) -> Any:
        graphs.append(module)
        return module.forward

    function = torch.compile(solution.clipped, backend=keep, fullgraph=True)
    for gradient in (np.array([3, 4, 12], np.float32), np.array([0.1, 0.2, 0.2], np.float32)):
        try:
            found = function(torch.tensor(gradient))
        except Unsupported as error:
            raise UnsolvedError(f"the graph breaks: {str(error).strip().splitlines()[0]}") from error
        if not np.allclose(found, gradient / max(float(np.linalg.norm(gradient)), 1.0)):
            raise UnsolvedError(f"the result for {gradient.tolist()} is not what it was")
    if len(graphs) != 1:
        raise UnsolvedError(f"torch made {len(graphs)} graphs")
    return "One graph for both cases."
