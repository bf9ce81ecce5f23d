"""What the nets make, for the report: noisy | clean | denoised digits, and a segmented photograph."""

from dataclasses import replace
from typing import Any

import numpy as np

from harness import data
from harness.problem import Problem
from harness.programs import CALL_TIMEOUT_S, open_program
from harness.worker import pack, unpack
from harness.workers import Worker

NUM_DIGITS = 10
NUM_BATCHES = {"autoencoder": 47}
"""Four epochs of digits, each with noise of its own: from the few batches that timing needs, a net learns little."""


def take(worker: Worker, problem: Problem, num_steps: int) -> dict[str, Any]:
    """Train a fresh float32 program in a worker and return its picture, as the result document holds it."""
    varied = replace(problem, num_batches=NUM_BATCHES.get(problem.spec.model))
    open_program(worker, varied, "picture", "float32")
    worker.call("train", CALL_TIMEOUT_S, key="picture", num_steps=num_steps)
    panels, metrics = {"autoencoder": _denoise, "unet": _segment}[problem.spec.model](worker, problem)
    worker.call("close", key="picture")
    return {
        "model": problem.spec.model,
        "size": problem.spec.size,
        "variant": worker.entry.name,
        "num_steps": num_steps,
        "metrics": metrics,
        "panels": [{"caption": caption, "png_base64": data.png_base64(image)} for caption, image in panels],
    }


def _predict(worker: Worker, batch: dict[str, np.ndarray]) -> np.ndarray:
    packed = {name: pack(array) for name, array in batch.items()}
    return unpack(worker.call("predict", CALL_TIMEOUT_S, key="picture", batch=packed))


def _denoise(worker: Worker, problem: Problem) -> tuple[list[tuple[str, np.ndarray]], dict[str, float]]:
    """Denoise digits that were not trained on."""
    batch = data.held_out(problem.spec, problem.seed, problem.spec.batch_size, csv=problem.csv)
    denoised = _predict(worker, batch)
    images = {"noisy": batch["x"], "clean": batch["y"], "denoised": denoised}
    panels = [
        (name, data.strip(np.clip(array[:NUM_DIGITS], 0, 1).reshape(-1, 28, 28))) for name, array in images.items()
    ]
    return panels, {
        "psnr_noisy_db": data.psnr_db(batch["x"], batch["y"]),
        "psnr_denoised_db": data.psnr_db(denoised, batch["y"]),
    }


def _segment(worker: Worker, problem: Problem) -> tuple[list[tuple[str, np.ndarray]], dict[str, float]]:
    """Segment the photograph that was trained on: the picture shows what the net computes, not how it generalises."""
    batch = problem.batches[0]
    probability = 1 / (1 + np.exp(-_predict(worker, batch)[0, 0]))
    target = batch["y"][0, 0]
    pixels = batch["x"].shape[-1]
    photograph = data.photograph(pixels)
    margin = (pixels - target.shape[-1]) // 2
    inside = photograph[:, margin:-margin, margin:-margin]
    panels = [
        ("input", np.moveaxis(photograph, 0, -1)),
        ("input, the part that the output covers", np.moveaxis(inside, 0, -1)),
        ("target", target),
        ("output", probability),
    ]
    return panels, {"pixel_accuracy": float(((probability > 0.5) == (target > 0.5)).mean())}
