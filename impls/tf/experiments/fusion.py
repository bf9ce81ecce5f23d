"""How often the chain goes over the memory in TensorFlow."""

import tensorflow as tf

from impls import hlo
from impls.tf.experiments import per_op

NO_KERNELS = {"Const", "Identity", "NoOp", "VarHandleOp", "ReadVariableOp", "_Arg", "_Recv", "_Retval", "_Send"}
"""Nodes that name memory, and do not go over it."""


def eager(x):
    """Return what computes the chain of x operation by operation, and what counts them."""
    return per_op.eager(x), count_operations


def function(x):
    """Return what computes the chain of x as one traced function, and what counts its nodes."""
    return per_op.function(x), count_nodes


def xla(x):
    """Return what computes the chain of x as XLA has compiled it, and what counts its kernels."""
    return per_op.xla(x), lambda: count_kernels(tf.constant(x))


def session(x):
    """Return what computes the chain of x in a Session, and what counts its nodes."""
    return per_op.session(x), count_nodes


def count_operations():
    """Return how many operations there are in the chain; eagerly, each of them runs as a kernel."""
    traced = tf.function(per_op.chain).get_concrete_function(tf.TensorSpec([None]))
    types = [operation.type for operation in traced.graph.get_operations()]
    return len([name for name in types if name not in NO_KERNELS | {"Placeholder"}]), "operations, each a kernel"


def count_nodes():
    """Return how many nodes are left when TensorFlow has optimised the graph of the chain."""
    metadata = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(output_partition_graphs=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None])
        session.run(per_op.chain(x), {x: [1.0]}, options, metadata)
    types = [node.op for graph in metadata.partition_graphs for node in graph.node]
    return len([name for name in types if name not in NO_KERNELS]), "nodes of the graph that Grappler has optimised"


def count_kernels(x):
    """Return how many kernels XLA has made of the chain."""
    optimised = tf.function(per_op.chain, jit_compile=True).experimental_get_compiler_ir(x)(stage="optimized_hlo")
    return hlo.num_kernels(optimised), "instructions that go over memory in XLA's optimised program"


WAYS = {"eager": eager, "tf.function": function, "tf.function, XLA": xla, "Session": session}
