"""The oracle: every net in plain NumPy, with a backward pass written by hand. In float32 it is also a variant."""

from impls.contract import Backend, Variant

BACKEND = Backend(title="NumPy (reference)", variants=(Variant("numpy", mode="eager", requires=("numpy",)),))
