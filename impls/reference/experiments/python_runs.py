"""When Python runs, in NumPy: in every call."""


def plain(ran):
    """Return a function that counts its runs."""

    def scale(x, number):
        ran()
        return x * number

    return scale


WAYS = {"NumPy": plain}
