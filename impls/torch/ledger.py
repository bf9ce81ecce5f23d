"""What torch.compile did in this process, by its own counters. They are the process's: none is kept per function."""


def compiler(target: str, wants_cuda_graphs: bool = False) -> str:
    """Return which compiler ran.

    Args:
        target: what was handed to torch.compile; "" for nothing.
        wants_cuda_graphs: it was asked to replay what it compiles as CUDA graphs, which it leaves out where it must.
    """
    if not target:
        return "none"
    from torch._dynamo.utils import counters  # here, since an eager process does without

    num_graphs, num_breaks = counters["stats"]["unique_graphs"], counters["graph_break"].total()
    if not num_graphs:
        return "none yet; the first call compiles"
    backend = "Inductor" if counters["inductor"] else "no backend"
    num_skipped = counters["inductor"]["cudagraph_skips"]
    replayed = f", CUDA graphs left out {num_skipped} times" if wants_cuda_graphs else ""
    return f"{backend} on {target}; in this process {num_graphs} graphs, {num_breaks} graph breaks{replayed}"


def caches(target: str) -> str:
    """Return what the compile cache on disk did: whole graphs, forward and backward, that were found there."""
    if not target:
        return "none"
    from torch._dynamo.utils import counters

    found = counters["inductor"]
    return f"on disk: {found['fxgraph_cache_hit']} hits, {found['fxgraph_cache_miss']} misses in this process"
