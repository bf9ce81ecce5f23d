"""Every bad value gets one line that says what to write instead."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from harness import environment, options, presets
from impls import specs


def parse(**values: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    options.add_to(parser.add_argument)
    arguments = [text for name, value in values.items() for text in (f"--{name}", value)]
    return options.parse(parser.parse_args(arguments))


def test_defaults() -> None:
    settings = parse(device="cpu")
    assert settings["models"] == [model for model in specs.MODELS if model != "recurrent"]
    assert settings["preset"].name == "default"
    assert settings["num_threads"] == environment.default_num_threads()
    assert "numpy" in [entry.name for entry in settings["variants"]]


def test_quick_times_the_headline_variants_unless_told() -> None:
    assert all(entry.variant.headline for entry in parse(preset="quick")["variants"])
    assert [entry.name for entry in parse(preset="quick", variants="numpy")["variants"]] == ["numpy"]


@pytest.mark.parametrize("preset", [name for name, one in presets.PRESETS.items() if "recurrent" in one.sizes])
def test_a_net_that_no_preset_times_by_itself_is_timed_when_it_is_named(preset: str) -> None:
    assert "recurrent" not in parse(preset=preset, device="cpu")["models"]
    settings = parse(preset=preset, models="recurrent", device="cpu")
    assert settings["models"] == ["recurrent"]
    assert specs.get("recurrent", settings["preset"].sizes["recurrent"]).size == "small"


def test_the_lesson_has_one_net_and_no_tuned_variant() -> None:
    settings = parse(preset="lesson", device="cpu")
    assert settings["models"] == ["two_layer"]
    assert {entry.variant.lane for entry in settings["variants"]} == {"as-written"}
    assert "two_layer" not in dict(settings["left_out"]), "every as-written variant of so small a net has time"
    with pytest.raises(options.OptionError, match=r"preset 'lesson' has no unet; choose from two_layer"):
        parse(preset="lesson", models="unet")


def test_full_certifies_the_autoencoder_with_every_optimizer() -> None:
    others = parse(preset="full", device="cpu")["preset"].optimizers["autoencoder"]
    assert set(others) == set(specs.OPTIMIZERS) - {specs.get("autoencoder").optimizer.name}


def test_lists_are_split_and_repeats_dropped() -> None:
    assert parse(models="unet, two_layer,unet")["models"] == ["unet", "two_layer"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("preset", "fast", r"unknown preset 'fast'; choose from quick, default, full"),
        ("models", "resnet", r"unknown model 'resnet'; choose from two_layer, autoencoder, recurrent, unet"),
        ("variants", "torch-eagr", r"unknown variant 'torch-eagr'; choose from .*numpy"),
        ("device", "tpu", r"unknown device 'tpu'; choose from auto, cpu, gpu"),
        ("device", "gpu:one", r"unknown device 'gpu:one'; choose from auto, cpu, gpu, gpu:0, gpu:1 and so on"),
        ("device", "cpu:1", r"unknown device 'cpu:1'; choose from auto, cpu, gpu"),
        ("python", "torch", r"--python torch: write NAME=PYTHON"),
        ("threads", "0", r"--threads 0: give a whole number, 1 or more"),
        ("threads", "-2", r"--threads -2: give a whole number, 1 or more"),
        ("threads", "two", r"--threads two: give a whole number, 1 or more"),
        ("threads", "100000", r"--threads 100000: this machine has \d+ logical cores"),
        ("seed", "x", r"--seed x: give a whole number, 0 or more"),
        ("csv", "/nowhere.csv", r"--csv: .*/nowhere\.csv"),
    ],
)
def test_bad_values(option: str, value: str, message: str) -> None:
    with pytest.raises(options.OptionError, match=message) as caught:
        parse(**{option: value})
    assert "\n" not in str(caught.value)


def test_gpu_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "gpus", list)
    assert parse(device="auto")["device"] == "cpu"
    with pytest.raises(options.OptionError, match=r"--device gpu: nvidia-smi lists no GPU here; .*--device cpu"):
        parse(device="gpu")


def test_one_of_several_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = {"name": "NVIDIA H100", "memory_bytes": 2**36, "driver": "580.95.05"}
    monkeypatch.setattr(environment, "gpus", lambda: [gpu] * 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [parse(device=device)["device"] for device in ("auto", "gpu", "gpu:2")] == ["gpu", "gpu", "gpu:2"]
    with pytest.raises(options.OptionError, match=r"--device gpu:3: the last of the GPUs here is gpu:2"):
        parse(device="gpu:3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    with pytest.raises(options.OptionError, match=r"--device gpu:2: the last of the GPUs here is gpu:1"):
        parse(device="gpu:2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert parse(device="auto")["device"] == "cpu"
    with pytest.raises(options.OptionError, match=r"CUDA_VISIBLE_DEVICES hides all GPUs; unset it, or"):
        parse(device="gpu")


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(options.OptionError, match=r"cannot write to .*; choose another folder"):
        options.check_writable(tmp_path / "file" / "runs")


@pytest.mark.parametrize(
    ("options_given", "message"),
    [
        ({"precision": "fp8"}, "unknown precision 'fp8'; choose from fp32, tf32, bf16"),
        ({"precision": "tf32"}, "--precision tf32: a CPU has no such products"),
        ({"precision": "bf16", "preset": "lesson"}, "the lesson is measured in fp32"),
    ],
)
def test_a_precision_that_cannot_be(options_given: dict[str, str], message: str) -> None:
    with pytest.raises(options.OptionError, match=message):
        parse(device="cpu", **options_given)
