"""About how many seconds the stages of a run take, for the progress display alone.

Rough averages over the frameworks, on two cores.
"""

from collections.abc import Sequence

from harness.presets import Preset
from impls.registry import Entry

ORACLE_S = {"two_layer": 2.0, "autoencoder": 4.0, "recurrent": 2.0, "unet": 6.0}
LAUNCH_S = {"two_layer": 4.0, "autoencoder": 5.0, "recurrent": 4.0, "unet": 8.0}
PROVE_S = {"two_layer": 1.0, "autoencoder": 1.5, "recurrent": 2.0, "unet": 5.0}
# Of what is slow to start (`Variant.slow_models`).
SLOW_LAUNCH_S = {"two_layer": 35.0, "autoencoder": 35.0, "recurrent": 75.0, "unet": 65.0}
SLOW_PROVE_S = {"two_layer": 15.0, "autoencoder": 25.0, "recurrent": 30.0, "unet": 70.0}
SHARED_LAUNCH = 0.4
"""Of a launch, what it takes in a process that another net was in before."""
STARTED_TOGETHER = 0.7
"""Of a launch, its share of the time in which two go on side by side."""
PROVE_AGAIN = 0.25
"""Of the first launch's proof, what that of a later launch takes."""

VISIT_S = {"two_layer": 0.03, "autoencoder": 0.03, "recurrent": 0.05, "unet": 0.3}
"""Of one worker in one round."""
PICTURE_S = {"autoencoder": 3.0, "unet": 4.0}
CEILING_S = 2.0
PROFILE_S = 3.0


def launch_s(model: str, entry: Entry, preset: Preset) -> float:
    """Return what it takes to start a variant and take its first steps."""
    alone_s = (SLOW_LAUNCH_S if model in entry.variant.slow_models else LAUNCH_S)[model]
    shared = SHARED_LAUNCH if preset.shares_workers else 1.0
    return alone_s * shared * (STARTED_TOGETHER if preset.starts_together else 1.0)


def prove_s(model: str, entry: Entry) -> float:
    """Return what it takes to certify a variant."""
    return (SLOW_PROVE_S if model in entry.variant.slow_models else PROVE_S)[model]


def rounds_s(model: str, num_workers: int, preset: Preset) -> float:
    """Return what the rounds of one phase take."""
    return max(preset.max_group_s, preset.min_rounds * num_workers * VISIT_S[model])


def net_s(model: str, entries: Sequence[Entry], preset: Preset, is_timed: bool) -> float:
    """Return what one net takes: to certify it and, if `is_timed`, all else that the preset does with it."""
    launches_s = sum(launch_s(model, entry, preset) for entry in entries)
    proofs_s = sum(prove_s(model, entry) for entry in entries)
    if not is_timed:
        return ORACLE_S[model] + launches_s + proofs_s
    control_s = max((launch_s(model, entry, preset) for entry in entries if entry.variant.headline), default=0.0)
    proofs_s *= 1 + PROVE_AGAIN * (preset.num_launches - 1)
    all_rounds_s = len(preset.phases) * rounds_s(model, len(entries) + 1, preset)
    modes_s = len(preset.mode_phases) * 2 * preset.max_mode_s
    cached = [entry for entry in entries if preset.with_warm_cache and entry.variant.cache_env]
    warm_s = sum(2 * launch_s(model, entry, preset) for entry in cached)
    pictures_s = PICTURE_S[model] if model in preset.num_picture_steps else 0.0
    each_s = launches_s + control_s + all_rounds_s
    return ORACLE_S[model] + proofs_s + preset.num_launches * each_s + modes_s + warm_s + pictures_s
