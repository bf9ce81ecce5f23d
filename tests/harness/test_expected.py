"""What is expected of a run: more for what is slow to start, for more launches, and for a process of its own."""

from dataclasses import replace

from harness import expected, presets
from impls import registry

QUICK, SLOW = (registry.variants()[name] for name in ("tf-graph", "torch-tuned"))


def test_slow_variants_are_expected_to_be_slow() -> None:
    assert expected.launch_s("unet", SLOW) > 3 * expected.launch_s("unet", QUICK)
    assert expected.prove_s("unet", SLOW) > 3 * expected.prove_s("unet", QUICK)


def test_timing_takes_longer_than_proving() -> None:
    preset = presets.PRESETS["default"]
    proven, timed = (expected.net_s("unet", [QUICK], preset, is_timed) for is_timed in (False, True))
    assert timed > proven + len(preset.phases) * preset.max_group_s


def test_launches_add_up_and_are_proven_wholly_once() -> None:
    once = replace(presets.PRESETS["full"], num_launches=1)
    (one, two, three) = (
        expected.net_s("autoencoder", [QUICK, SLOW], replace(once, num_launches=number), True) for number in (1, 2, 3)
    )
    assert one < two < three < 3 * one
    assert two - one == three - two


def test_a_shared_process_is_started_once() -> None:
    own, shared = (replace(presets.PRESETS["quick"], shares_workers=shares) for shares in (False, True))
    assert expected.net_s("unet", [QUICK], shared, True) < expected.net_s("unet", [QUICK], own, True)
