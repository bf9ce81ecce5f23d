"""What is expected of a run: more for what is slow to start, for more launches, and for a process of its own."""

from dataclasses import replace

import pytest

from harness import expected, presets
from impls import registry

QUICK, SLOW = (registry.variants()[name] for name in ("tf-graph", "torch-tuned"))


def test_slow_variants_are_expected_to_be_slow() -> None:
    preset = presets.PRESETS["full"]
    assert expected.launch_s("unet", SLOW, preset) > 3 * expected.launch_s("unet", QUICK, preset)
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


@pytest.mark.parametrize("setting", ["shares_workers", "starts_together"])
def test_sharing_processes_and_starting_them_together_save_time(setting: str) -> None:
    without, with_it = (replace(presets.PRESETS["quick"], **{setting: is_on}) for is_on in (False, True))
    assert expected.net_s("unet", [QUICK], with_it, True) < expected.net_s("unet", [QUICK], without, True)


def test_pictures_take_time_where_a_preset_takes_some() -> None:
    quick = presets.PRESETS["quick"]
    without = replace(quick, num_picture_steps={})
    assert expected.net_s("unet", [QUICK], without, True) < expected.net_s("unet", [QUICK], quick, True)
    assert expected.net_s("two_layer", [QUICK], without, True) == expected.net_s("two_layer", [QUICK], quick, True)


def test_rounds_that_must_be_taken_go_beyond_the_cap() -> None:
    preset = presets.PRESETS["quick"]
    assert expected.rounds_s("two_layer", 5, preset) == preset.max_group_s
    assert expected.rounds_s("unet", 5, preset) > preset.max_group_s
