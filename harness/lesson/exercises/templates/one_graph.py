"""One graph, without a break.

`torch.compile` can follow Python as long as Python does not need a tensor's numbers. `clipped` does, so that it falls
into two graphs with Python between them. Change it so that it is one graph, with the same result.
"""

import torch


def clipped(gradient):
    """Return a gradient (n,), scaled down to a length of 1 if it is longer."""
    length = torch.linalg.norm(gradient)
    if length > 1:
        gradient = gradient / length
    return gradient * 1.0
