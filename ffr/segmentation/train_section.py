"""Train the cross-section network: paint a pool of sections once, then many short epochs."""

from __future__ import annotations

import csv
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ffr.segmentation.networks import SectionNet
from ffr.segmentation.preprocess import SECTION_OFFSETS_MM, SECTION_SAMPLES, SECTION_STEP_MM
from ffr.segmentation.sections import section_samples
from meshes.arrays import AnyArray

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SectionConfig:
    """How many virtual patients are cut into sections, and how long training lasts.

    Parameters
    ----------
    patients
        Virtual patients; each gives about 85 sections.
    steps, batch
        Optimiser steps and sections per step.
    seed
        First patient seed.
    learning_rate
        Peak rate of AdamW.
    threads
        CPU threads.
    """

    patients: int = 250
    steps: int = 5000
    batch: int = 96
    seed: int = 500_000
    learning_rate: float = 3e-3
    threads: int = 1


def radius_from_inside(inside: Tensor) -> Tensor:
    """Turn inside logits (..., samples) into a radius in mm: the length spent inside."""
    return inside.sigmoid().sum(dim=-1) * SECTION_STEP_MM


def effective_radius(radius: Tensor) -> Tensor:
    """Radius of the circle with the contour's area: root mean square over the rays."""
    return radius.square().mean(dim=-1).clamp_min(1e-6).sqrt()


def loss_of(inside: Tensor, spread: Tensor, truth_mm: Tensor) -> Tensor:
    """Inside profile, radius per ray, and Gaussian likelihood of the effective radius."""
    middle = torch.arange(SECTION_SAMPLES) + 0.5
    target = (truth_mm[..., None] / SECTION_STEP_MM - middle + 0.5).clamp(0, 1)
    profile = nn.functional.binary_cross_entropy_with_logits(inside, target)
    radius = radius_from_inside(inside)
    ray = nn.functional.smooth_l1_loss(radius, truth_mm, beta=0.1)
    error = effective_radius(radius) - effective_radius(truth_mm)
    log_sd = spread.mean(dim=-1) - 2.3  # the raw output is centred on about 0.1 mm
    # the spread learns from the error, the contour does not hide behind the spread
    likelihood = (log_sd + 0.5 * (error.detach() / log_sd.exp()).square()).mean()
    return profile + 2.0 * ray + 4.0 * error.abs().mean() + 0.1 * likelihood


def pool(config: SectionConfig, out: Path) -> tuple[AnyArray, AnyArray]:
    """Paint the sections, in chunks that survive a kill; return images and radii."""
    chunk = 25
    parts = []
    for first in range(0, config.patients, chunk):
        path = out / f"sections-{config.seed}-{first}.npz"
        if not path.exists():
            made = [section_samples(config.seed + first + i) for i in range(chunk)]
            images, radii = (np.concatenate(x) for x in zip(*made, strict=True))
            temporary = path.with_suffix(".tmp.npz")
            np.savez(temporary, images=images, radii=radii)
            os.replace(temporary, path)
            log.info("painted %d of %d patients", first + chunk, config.patients)
        with np.load(path) as data:
            parts.append((data["images"], data["radii"]))
    images, radii = (np.concatenate(x) for x in zip(*parts, strict=True))
    return images, radii


def train_section(config: SectionConfig, out: Path, device: str = "cpu") -> Path:
    """Train and return the checkpoint's path; painted sections are kept for a restart."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    images, radii = pool(config, out)
    rng = np.random.default_rng(config.seed)
    model = SectionNet(len(SECTION_OFFSETS_MM)).to(device)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps
    )
    half = device == "cuda" or torch.cpu._is_avx512_bf16_supported()
    began, losses = time.monotonic(), []
    for step in range(1, config.steps + 1):
        picked = np.sort(rng.integers(0, len(images), config.batch))
        turn = int(rng.integers(images.shape[2]))
        image = np.roll(images[picked], turn, axis=2).astype(np.float32)
        truth = np.roll(radii[picked], turn, axis=1)
        if rng.random() < 0.5:
            image, truth = image[:, :, ::-1].copy(), truth[:, ::-1].copy()
        if rng.random() < 0.5:
            image = image[:, ::-1].copy()
        with torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=half):
            inside, spread = model(torch.from_numpy(image).to(device))
        loss = loss_of(inside.float().cpu(), spread.float().cpu(), torch.from_numpy(truth))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % 50 == 0:
            log.info("step %d loss %.4f", step, float(np.mean(losses)))
            with (out / "section.csv").open("a", newline="") as file:
                row = (step, float(np.mean(losses)), round(time.monotonic() - began, 1))
                csv.writer(file).writerow(row)
            losses.clear()
        if step % 500 == 0 or step == config.steps:
            torch.save({"model": model.state_dict(), "step": step}, out / "section.tmp")
            os.replace(out / "section.tmp", out / "section.pt")
    return out / "section.pt"
