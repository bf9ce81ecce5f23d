"""Keeping the two-layer net's forward pass, in PyTorch: a pickled module, and an exported program."""

import torch

from impls import specs
from impls.torch import two_layer


def pickled():
    """Keep the module as `torch.save` does: its tensors, and the name of its class."""
    return "torch.save", "torch", save_module, load_module


def save_module(params, x, folder):
    """Pickle the module."""
    net = two_layer.build(specs.get("two_layer"), params).cpu()
    torch.save(net, folder / "net.pt")
    return two_layer.forward(net, {"x": torch.from_numpy(x)}).numpy()


def load_module(folder):
    """Read the module."""
    import torch

    net = torch.load(folder / "net.pt", weights_only=False)
    return lambda x: net(torch.from_numpy(x)).detach().numpy()


def exported():
    """Keep the graph that `torch.export` traces."""
    return "torch.export (.pt2)", "torch", save_exported, load_exported


def save_exported(params, x, folder):
    """Trace the module and write the graph and its tensors."""
    net = two_layer.build(specs.get("two_layer"), params).cpu()
    torch.export.save(torch.export.export(net, (torch.from_numpy(x),)), folder / "net.pt2")
    return two_layer.forward(net, {"x": torch.from_numpy(x)}).numpy()


def load_exported(folder):
    """Read the graph."""
    import torch

    net = torch.export.load(folder / "net.pt2").module()
    return lambda x: net(torch.from_numpy(x)).detach().numpy()


WAYS = {"torch.save": pickled, "torch.export": exported}
