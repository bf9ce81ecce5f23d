"""The graphs behind the two-layer net in JAX: the jaxpr that tracing makes, and the program that XLA makes of it."""

import re

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from impls.graphs import CHAIN, GRADIENTS, NET, Graph, Node
from impls.jax import two_layer


def chain(x):
    """Apply four operations five times."""
    for _ in range(5):
        x = jnp.tanh(jnp.maximum(x * 1.01, -1.0) + 0.5)
    return x


def jit(spec, params, batch):
    """Trace and compile the net, its gradients, and the chain."""
    state = two_layer.build(spec, params)
    return [
        *traced_and_compiled(NET, two_layer.forward, state, batch),
        *traced_and_compiled(GRADIENTS, two_layer.gradients, state, batch),
        *traced_and_compiled(CHAIN, chain, batch["x"][0]),
    ]


def traced_and_compiled(subject, function, *arguments):
    """Return what jit traces, and what XLA makes of that."""
    jaxpr = jax.make_jaxpr(function)(*arguments)
    hlo = jax.jit(function).lower(*arguments).compile().as_text()
    return [
        Graph(subject, "jaxpr", "before", jaxpr_nodes(jaxpr.jaxpr), str(jaxpr)),
        Graph(subject, "optimised HLO", "after", hlo_nodes(hlo), readable(hlo)),
    ]


def jaxpr_nodes(jaxpr):
    """Return a node per argument and per equation; a call of a jitted function is replaced by what is in it."""
    nodes: list[Node] = []
    makers: dict = {}  # of each variable: the id of its node

    def ids(atoms):
        return tuple(makers[atom] for atom in atoms if not isinstance(atom, Literal))

    def add(op, label, inputs, results):
        nodes.append(Node(f"n{len(nodes)}", op, label, inputs))
        makers.update(dict.fromkeys(results, nodes[-1].id))

    def add_all(jaxpr):
        for equation in jaxpr.eqns:
            inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
            if inner is None:
                add(equation.primitive.name, equation.primitive.name, ids(equation.invars), equation.outvars)
                continue
            inner = getattr(inner, "jaxpr", inner)
            alias(inner.invars, equation.invars)
            add_all(inner)
            alias(equation.outvars, inner.outvars)

    def alias(names, atoms):
        pairs = zip(names, atoms, strict=True)
        makers.update({name: makers[atom] for name, atom in pairs if not isinstance(atom, Literal)})

    for var in (*jaxpr.constvars, *jaxpr.invars):
        add("argument", str(var.aval.str_short()), (), [var])
    add_all(jaxpr)
    return nodes


def hlo_nodes(hlo):
    """Return a node per instruction of the program's entry, as XLA prints it."""
    entry = hlo[hlo.index("\nENTRY ") :].partition("\n}")[0]
    nodes: list[Node] = []
    for name, op, rest in re.findall(r"^\s*(?:ROOT )?%?([\w.-]+) = (?:\(.*?\)|\S+) ([\w-]+)\((.*)$", entry, re.M):
        known = {node.id for node in nodes}
        read = [word for word in re.findall(r"%?([\w.-]+)", rest.split("), ")[0]) if word in known]
        nodes.append(Node(name, op, name.split(".")[0], tuple(dict.fromkeys(read))))
    return nodes


def readable(hlo):
    """Return a module without the tables of source files, which name paths of this machine, and what refers to them."""
    tables = r"^(?:FileNames|FunctionNames|FileLocations|StackFrames)\n(?:.+\n)+\n*"
    return re.sub(rf"{tables}|, metadata={{[^}}]*}}", "", hlo, flags=re.M)


def equations(jaxpr):
    """Return the equations of a jaxpr and of those inside it, such as the body of a loop."""
    found = []
    for equation in jaxpr.eqns:
        found.append(equation)
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    found += equations(inner)
    return found


WAYS = {"jit": jit}
