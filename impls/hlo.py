"""Reads the text of a program that XLA has optimised, which more than one framework can show."""

import re

_NO_KERNELS = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast"}
"""Instructions that name memory, and do not go over it."""

_INSTRUCTION = re.compile(r"= (?:\([^)]*\)|\S+) ([\w-]+)\(")


def num_kernels(text: str) -> int:
    """Return how many instructions of the entry computation go over memory: each fusion is one."""
    entry = text[text.index("\nENTRY ") :].partition("\n}")[0]
    return sum(operation not in _NO_KERNELS for operation in _INSTRUCTION.findall(entry))
