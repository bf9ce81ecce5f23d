"""The graphs behind the two-layer net in PyTorch: autograd's, Dynamo's, and the kernels that Inductor makes of it."""

import re

import torch

from impls.graphs import CHAIN, GRADIENTS, NET, Graph, Node, as_lines
from impls.torch import two_layer
from impls.torch.runtime import device


def chain(x):
    """Apply four operations five times."""
    for _ in range(5):
        x = torch.tanh(torch.clamp(x * 1.01, min=-1.0) + 0.5)
    return x


def eager(spec, params, batch):
    """Compute the loss; how it came about is a graph too, which autograd makes anew in every step."""
    net = two_layer.build(spec, params)
    batch = tensors(batch)
    nodes = grad_fn_nodes(two_layer.loss(net, batch))
    return [Graph(GRADIENTS, "grad_fn", "before", nodes, as_lines(nodes))]


def compiled(spec, params, batch):
    """Compile the net, its gradients, and the chain."""
    net = two_layer.build(spec, params)
    batch = tensors(batch)
    return [
        fx_graph(NET, two_layer.forward, net, batch),
        kernels(NET, two_layer.forward, net, batch),
        kernels(GRADIENTS, gradients, net, batch),
        fx_graph(CHAIN, chain, batch["x"][0]),
        kernels(CHAIN, chain, batch["x"][0]),
    ]


def gradients(net, batch):
    """Return the gradients; called within a compiled function, it breaks the graph behind the loss."""
    return torch.autograd.grad(two_layer.loss(net, batch), list(net.parameters()))


def tensors(batch):
    """Return the batch as tensors."""
    return {name: torch.from_numpy(array).to(device()) for name, array in batch.items()}


def grad_fn_nodes(tensor):
    """Walk from a tensor's `grad_fn` to the leaves; what reads a node is what hands it a gradient."""
    functions = [tensor.grad_fn]
    readers: dict = {tensor.grad_fn: []}
    for function in functions:  # grows while it is walked
        for following, _ in function.next_functions:
            if following is None:
                continue
            if following not in readers:
                functions.append(following)
                readers[following] = []
            readers[following].append(f"n{functions.index(function)}")
    return [
        Node(f"n{index}", function.name(), function.name(), tuple(readers[function]))
        for index, function in enumerate(functions)
    ]


def kept_graph(function, *arguments):
    """Return the FX graph that Dynamo makes of a function."""
    graphs = []

    def keep(module, _):
        graphs.append(module.graph)
        return module.forward

    torch.compiler.reset()
    torch.compile(function, backend=keep, fullgraph=True, dynamic=False)(*arguments)
    (graph,) = graphs
    return graph


def fx_graph(subject, function, *arguments):
    """Return Dynamo's graph of a function."""
    graph = kept_graph(function, *arguments)
    nodes = []
    for node in graph.nodes:
        op = node.target if isinstance(node.target, str) else node.target.__name__
        label = op.removeprefix("L_").strip("_")
        nodes.append(Node(node.name, op, label, tuple(read.name for read in node.all_input_nodes)))
    return Graph(subject, "FX graph", "before", nodes, str(graph))


def kernels(subject, function, *arguments):
    """Return the calls in the programs that Inductor writes for a function, and which of them reads which buffer."""
    from torch._inductor.utils import run_and_get_code

    torch.compiler.reset()
    _, programs = run_and_get_code(torch.compile(function, dynamic=False), *arguments)
    nodes = []
    text = []
    for number, program in enumerate(programs):
        lines = program[program.index("call(") :].splitlines()
        nodes += kernel_nodes(lines, f"p{number}.")
        text += lines
    return Graph(subject, "Inductor's kernels", "after", nodes, "\n".join(text))


def kernel_nodes(lines, prefix):
    """Return a node per call of a kernel; it reads the buffers that calls before it have touched."""
    nodes: list[Node] = []
    makers: dict[str, str] = {}  # of each buffer: the id of the last node that touched it
    for line in lines:
        if alias := re.match(r" +(buf\d+) = (?:reinterpret_tensor\()?(buf\d+)\b", line):
            makers[alias[1]] = makers.get(alias[2], "")
        call = re.match(r" +(?:buf\d+ = )?(extern_kernels\.\w+|cpp_fused\w*|triton_\w+)(?:\.run)?\((.*)", line)
        if call:
            buffers = re.findall(r"\bbuf\d+", line)
            inputs = dict.fromkeys(makers[name] for name in buffers if makers.get(name))
            nodes.append(Node(f"{prefix}{len(nodes)}", call[1], call[1].split(".")[-1], tuple(inputs)))
            makers.update(dict.fromkeys(buffers, nodes[-1].id))
    return nodes


WAYS = {"eager": eager, "torch.compile": compiled}
