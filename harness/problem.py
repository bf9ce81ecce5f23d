"""One net with its parameters and batches: the bytes that every framework is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness import data
from harness.worker import PACKED, pack
from impls import specs
from impls.specs import ModelSpec

NUM_BATCHES = {"two_layer": 1, "autoencoder": 8, "recurrent": 8, "unet": 2}
"""Distinct batches that training cycles through. The lecture's two-layer program trains on a single one."""

PERTURBATION = 8 * float(np.finfo(np.float32).eps)
"""About the noise that float32 kernels leave on a layer's output (see docs/equivalence.md)."""


@dataclass(frozen=True)
class Problem:
    """A spec and a seed, from which parameters and batches follow.

    Every value is exactly representable in float32, so that both precisions start from the same numbers.
    """

    spec: ModelSpec
    seed: int
    csv: str | None = None
    num_batches: int | None = None  # None: what timing and certificates use

    @classmethod
    def of(
        cls,
        model: str,
        size: str,
        seed: int,
        csv: str | None = None,
        num_batches: int | None = None,
        optimizer: str | None = None,
        changes: Mapping[str, int] | None = None,
    ) -> "Problem":
        """Make the problem of a model by name, with its own optimizer or another; ValueError for an unknown name.

        `changes` are sizes that differ from the named ones (see `specs.get`).
        """
        return cls(specs.get(model, size, optimizer=optimizer, **(changes or {})), seed, csv, num_batches)

    @property
    def changes(self) -> dict[str, int]:
        """Sizes that differ from the named ones."""
        return {name: value for name, value in self.spec.request.items() if name in specs.size_names(self.spec.model)}

    @cached_property
    def params(self) -> dict[str, np.ndarray]:
        """Initial parameters and statistics, float32, canonical."""
        return self.spec.initial(self.seed, "float32")

    @cached_property
    def batches(self) -> list[dict[str, np.ndarray]]:
        """Training batches, float32, canonical."""
        num_batches = self.num_batches or NUM_BATCHES[self.spec.model]
        return data.batches(self.spec, self.seed, num_batches, csv=self.csv)

    def packed(self, precision: str, perturbation: int = 0, reach: float = PERTURBATION) -> dict[str, object]:
        """Return the arguments `params` and `batches` of `worker.Worker.open`.

        Args:
            precision: "float32" or "float64".
            perturbation: if not 0, the seed of a draw that moves every parameter.
            reach: by how much of itself at most.
        """
        params: Mapping[str, np.ndarray] = self.params
        if perturbation:
            rng = np.random.default_rng([self.seed, perturbation])
            params = {name: _moved(array, rng, reach) for name, array in params.items()}
        return {
            "params": _pack_all(params, precision),
            "batches": [_pack_all(batch, precision) for batch in self.batches],
        }


def _moved(array: np.ndarray, rng: np.random.Generator, reach: float) -> np.ndarray:
    return (array * (1 + reach * rng.uniform(-1, 1, array.shape))).astype(np.float32)


def _pack_all(arrays: Mapping[str, np.ndarray], precision: str) -> dict[str, PACKED]:
    return {name: pack(array.astype(precision)) for name, array in arrays.items()}
