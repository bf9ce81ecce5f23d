"""How much a run does. Every preset certifies all that it times; they differ in nets, variants and patience."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Preset:
    """The settings of one preset.

    Attributes:
        sizes: the size of each net (see `impls.specs`).
        only_if_named: nets that are left out unless `--models` names them.
        headline_only: time the headline variants alone, unless `--variants` names others.
        with_slow: also time what is slow to start (`Variant.slow_models`), without `--variants` naming it.
        is_narrow: time the headline and the tuned variants alone, unless `--variants` names others.
        as_written_only: leave out the tuned variants, unless `--variants` names them.
        phases: timed, in this order.
        num_certified_steps: training steps that certificates follow, where fewer than the spec asks for.
        min_rounds, max_rounds: rounds of a launch; it stops between them when all headline intervals are narrow.
        max_group_s: time cap of a group's rounds in a launch. At least `min_rounds` are taken all the same.
        num_launches: fresh processes of every variant, one after the other, which all go through the rounds.
        mode_phases: of these phases latency, and the step time with resident batches, are taken as well.
        num_mode_rounds: rounds of each of the two.
        max_mode_s: time cap of these.
        energy_window_s: on a GPU, how long a cell takes steps for its energy, in the same phases; 0 leaves it out.
        with_conventions: also read what the frameworks take for granted.
        min_ceiling_s: how long each operation that probes the machine is repeated; 0 leaves the ceilings out.
        with_warm_cache: also launch with a compile cache on disk that an earlier process has filled.
        num_samples: timed blocks per visit; `num_long_samples` where a round is summed up by the median, which is where
            blocks are long.
        shares_workers: one process per variant for all nets, not one for each net. It saves starting them, and the
            cold stages of later nets are then those of a process that has run others.
        starts_together: start variants two at a time, on a CPU; their cold stages are then longer.
        optimizers: by net, those that `check` certifies it with, besides its own.
        certified_starts: precisions that are certified before the first step too (see `oracle.Oracle`).
        num_pictures: how many headline variants train for each picture.
        min_block_s: a block has as many steps as it takes to last this long.
        num_picture_steps: training steps before the report's pictures are taken.
        with_lesson: also run the experiments of `harness.lesson`.
    """

    name: str
    sizes: Mapping[str, str]
    headline_only: bool
    phases: tuple[str, ...]
    min_rounds: int
    max_rounds: int
    max_group_s: float
    only_if_named: tuple[str, ...] = ("recurrent",)
    with_slow: bool = False
    is_narrow: bool = False
    as_written_only: bool = False
    num_launches: int = 1
    mode_phases: tuple[str, ...] = ()
    num_mode_rounds: int = 6
    max_mode_s: float = 4.0
    energy_window_s: float = 0.0
    min_ceiling_s: float = 0.1
    with_warm_cache: bool = False
    with_conventions: bool = True
    num_samples: int = 4
    num_long_samples: int = 2
    shares_workers: bool = False
    starts_together: bool = False
    certified_starts: tuple[str, ...] = ()
    num_pictures: Mapping[str, int] = field(default_factory=lambda: {"autoencoder": 1, "unet": 1})
    min_block_s: float = 0.002
    num_certified_steps: Mapping[str, int] = field(default_factory=dict)
    optimizers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    num_picture_steps: Mapping[str, int] = field(default_factory=dict)
    with_lesson: bool = False


_CPU_SIZES = {"two_layer": "original", "autoencoder": "original", "recurrent": "small", "unet": "small"}

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "quick",
            sizes=_CPU_SIZES | {"unet": "narrow"},
            headline_only=True,
            phases=("train_step",),
            min_rounds=6,
            max_rounds=12,
            max_group_s=1,
            num_long_samples=1,
            min_ceiling_s=0,
            with_conventions=False,
            shares_workers=True,
            starts_together=True,
            num_certified_steps={"two_layer": 10, "autoencoder": 5, "recurrent": 5, "unet": 2},
            num_picture_steps={"autoencoder": 400, "unet": 6},
        ),
        Preset(
            "default",
            sizes=_CPU_SIZES,
            headline_only=False,
            is_narrow=True,
            phases=("train_step", "forward"),
            min_rounds=9,  # the interval is then the second to the eighth: one disturbed round does not widen it
            max_rounds=24,
            max_group_s=8,
            num_long_samples=1,
            mode_phases=("train_step",),
            max_mode_s=3,
            num_certified_steps={"two_layer": 100, "autoencoder": 10, "recurrent": 10, "unet": 2},
            num_picture_steps={"autoencoder": 1000, "unet": 40},
        ),
        Preset(
            "full",
            sizes=_CPU_SIZES,
            with_slow=True,
            headline_only=False,
            phases=("train_step", "forward"),
            min_rounds=12,
            max_rounds=24,
            max_group_s=40,
            num_launches=3,
            mode_phases=("train_step", "forward"),
            num_mode_rounds=12,
            max_mode_s=30,
            energy_window_s=2,
            with_warm_cache=True,
            num_long_samples=4,
            num_pictures={"autoencoder": 4, "unet": 1},
            certified_starts=("float32", "float64"),
            optimizers={"autoencoder": ("adamw", "rmsprop", "sgd", "momentum", "nesterov")},
            num_picture_steps={"autoencoder": 3000, "unet": 200},
        ),
        Preset(
            "gpu",
            sizes={"two_layer": "original", "autoencoder": "original", "recurrent": "small", "unet": "original"},
            headline_only=False,
            is_narrow=True,
            phases=("train_step", "forward"),
            min_rounds=9,
            max_rounds=24,
            max_group_s=6,
            mode_phases=("train_step",),
            max_mode_s=2,
            energy_window_s=2,
            num_long_samples=1,
            shares_workers=True,
            num_certified_steps={"two_layer": 20, "autoencoder": 10, "recurrent": 10, "unet": 1},
            num_picture_steps={"autoencoder": 1000, "unet": 40},
        ),
        Preset(
            "lesson",
            sizes={"two_layer": "original"},
            headline_only=False,
            as_written_only=True,
            phases=("train_step",),
            min_rounds=9,
            max_rounds=12,
            max_group_s=8,
            num_long_samples=1,
            num_certified_steps={"two_layer": 100},
            with_lesson=True,
        ),
    )
}


def get(name: str) -> Preset:
    """Return a preset by name; raises ValueError that lists the names for an unknown one."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose from {', '.join(PRESETS)}")
    return PRESETS[name]
