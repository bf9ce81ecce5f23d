"""A matrix product in NumPy: a call returns when all is computed."""


def product(matrix):
    """Return the product; there is nothing to wait for."""
    return lambda: matrix @ matrix, lambda _: None


WAYS = {"NumPy": product}
