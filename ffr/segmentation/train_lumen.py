"""Train the lumen network: paint a pool of vessel pieces once, then many short epochs."""

from __future__ import annotations

import csv
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ffr.segmentation.networks import LumenNet
from ffr.segmentation.stacks import CHANNELS, RADII_MM, SAMPLES, STEP_MM, Lesson, lesson
from meshes.arrays import AnyArray

log = logging.getLogger(__name__)

CHUNK = 100  # pieces per file
USED = slice(1, -1)  # sections that count: the outermost see one side only
AVERAGE = 0.998  # of the weights over the last steps; they are what is shipped
LOG_SD_OFFSET = -2.3  # the raw spread is centred on about 0.1 mm
SMALL_MM = 0.3  # an error counts relative to the radius and this


@dataclass(frozen=True, slots=True)
class LumenConfig:
    """How many vessel pieces are painted, and how long training lasts.

    Parameters
    ----------
    pieces
        Vessel pieces; each gives 17 sections.
    steps, batch
        Optimiser steps and pieces per step.
    seed
        First piece's seed.
    learning_rate
        Peak rate of AdamW.
    threads
        CPU threads.
    """

    pieces: int = 4000
    steps: int = 3000
    batch: int = 12
    seed: int = 0
    learning_rate: float = 3e-3
    threads: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Many pieces, packed: arrays of `Lesson`, first axis the piece.

    Parameters
    ----------
    hu
        The two channels that differ from sample to sample, (n, 2, sections, angles, samples).
    by_ray, by_section
        Those that differ from ray to ray, (n, sections, angles), and from section to
        section, (n, 3, sections).
    lumen_mm, outer_mm
        As in `Lesson`.
    calcium
        Bits along the samples.
    stented
        As in `Lesson`.
    """

    hu: AnyArray
    by_ray: AnyArray
    by_section: AnyArray
    lumen_mm: AnyArray
    outer_mm: AnyArray
    calcium: AnyArray
    stented: AnyArray

    def __len__(self) -> int:
        return len(self.hu)

    def image(self, picked: AnyArray) -> AnyArray:
        """Return network input of some pieces, float32."""
        hu = self.hu[picked].astype(np.float32)
        out = np.empty((len(hu), CHANNELS, *hu.shape[2:]), dtype=np.float32)
        out[:, :2] = hu
        out[:, 2] = self.by_ray[picked][..., None]
        out[:, 3:6] = self.by_section[picked][..., None, None]
        out[:, 6] = RADII_MM / 5.0
        return out

    def calcium_of(self, picked: AnyArray) -> AnyArray:
        """Return calcium of some pieces, (k, sections, angles, samples), float32."""
        return np.unpackbits(self.calcium[picked], axis=-1)[..., :SAMPLES].astype(np.float32)


FIELDS = tuple(Lessons.__dataclass_fields__)


def packed(lessons: Sequence[Lesson]) -> Lessons:
    """Return lessons in the packed form."""
    return Lessons(
        np.stack([x.image[:2] for x in lessons]).astype(np.float16),
        np.stack([x.image[2, :, :, 0] for x in lessons]).astype(np.float16),
        np.stack([x.image[3:6, :, 0, 0] for x in lessons]).astype(np.float16),
        np.stack([x.lumen_mm for x in lessons]),
        np.stack([x.outer_mm for x in lessons]),
        np.packbits(np.stack([x.calcium for x in lessons]), axis=-1),
        np.stack([x.stented for x in lessons]),
    )


def pool(first: int, count: int, out: Path) -> Lessons:
    """Paint pieces, in chunks that survive a kill, and return them."""
    parts = []
    for seed in range(first, first + count, CHUNK):
        path = out / f"lessons-{seed}.npz"
        if not path.exists():
            made = packed([lesson(seed + i) for i in range(CHUNK)])
            temporary = path.with_suffix(".tmp.npz")
            np.savez(temporary, **{name: getattr(made, name) for name in FIELDS})
            os.replace(temporary, path)
            log.info("painted %d of %d pieces", seed + CHUNK - first, count)
        with np.load(path) as data:
            parts.append([data[name] for name in FIELDS])
    return Lessons(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def radius_of(inside: Tensor) -> Tensor:
    """Turn inside logits (..., samples) into the length spent inside, mm."""
    return inside.sigmoid().sum(dim=-1) * STEP_MM


def area_radius(radius: Tensor) -> Tensor:
    """Radius of the circle with the contour's area: root mean square over the rays."""
    return radius.square().mean(dim=-1).clamp_min(1e-6).sqrt()


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What the network should say about a batch, as tensors."""

    lumen_mm: Tensor
    outer_mm: Tensor
    calcium: Tensor
    stented: Tensor


def loss_of(maps: Tensor, numbers: Tensor, truth: Truth) -> Tensor:
    """Profiles and radii of lumen and wall, calcium, stent, and the radius's likelihood."""
    maps, numbers = maps[:, :, USED], numbers[:, :, USED]
    lumen, outer = truth.lumen_mm[:, USED], truth.outer_mm[:, USED]
    total = torch.zeros(())
    for logits, radius, weight in ((maps[:, 0], lumen, 1.0), (maps[:, 1], outer, 0.4)):
        target = (radius[..., None] / STEP_MM - torch.arange(SAMPLES)).clamp(0, 1)
        profile = nn.functional.binary_cross_entropy_with_logits(logits, target)
        ray = nn.functional.smooth_l1_loss(radius_of(logits), radius, beta=0.1)
        total = total + weight * (profile + 2.0 * ray)
    found, true = area_radius(radius_of(maps[:, 0])), area_radius(lumen)
    error = found - true
    total = total + 2.0 * (error.abs() * (1.0 + 1.0 / (true + SMALL_MM))).mean()
    log_sd = (numbers[:, 0] + LOG_SD_OFFSET).clamp(-5.0, 1.0)
    # the spread learns from the error, the contour does not hide behind the spread
    likelihood = (log_sd + 0.5 * (error.detach() / log_sd.exp()).square()).mean()
    calcium = nn.functional.binary_cross_entropy_with_logits(
        maps[:, 2], truth.calcium[:, USED], pos_weight=torch.tensor(4.0)
    )
    stent = nn.functional.binary_cross_entropy_with_logits(
        numbers[:, 1], truth.stented[:, USED]
    )
    return total + 0.1 * likelihood + 0.5 * calcium + 0.1 * stent


def batch(lessons: Lessons, rng: np.random.Generator, count: int) -> tuple[Tensor, Truth]:
    """Return random pieces, turned about the axis and mirrored at random."""
    picked = rng.integers(0, len(lessons), count)
    arrays = [
        lessons.image(picked), lessons.lumen_mm[picked], lessons.outer_mm[picked],
        lessons.calcium_of(picked), lessons.stented[picked].astype(np.float32),
    ]  # fmt: skip
    turn, mirrored, back = int(rng.integers(32)), rng.random() < 0.5, rng.random() < 0.5
    angle_axis = (3, 2, 2, 2, None)
    for k, axis in enumerate(angle_axis):
        if axis is not None:
            arrays[k] = np.roll(arrays[k], turn, axis=axis)
            if mirrored:
                arrays[k] = np.flip(arrays[k], axis=axis)
        if back:
            arrays[k] = np.flip(arrays[k], axis=2 if k == 0 else 1)
    image, *rest = (torch.from_numpy(np.ascontiguousarray(a)) for a in arrays)
    return image, Truth(*rest)


def train_lumen(config: LumenConfig, out: Path, device: str = "cpu") -> Path:
    """Train, or go on training, and return the checkpoint's path."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    lessons = pool(config.seed, config.pieces, out)
    model = LumenNet(CHANNELS).to(device)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps
    )
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    checkpoint, first = out / "lumen.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        model.load_state_dict(state["last"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        average, first = state["model"], state["step"]
        log.info("going on at step %d", first)
    half = device == "cuda" or torch.cpu._is_avx512_bf16_supported()
    began, losses = time.monotonic(), []
    for step in range(first + 1, config.steps + 1):
        image, truth = batch(lessons, np.random.default_rng([config.seed, step]), config.batch)
        with torch.autocast(device.split(":")[0], dtype=torch.bfloat16, enabled=half):
            maps, numbers = model(image.to(device))
        loss = loss_of(maps.float().cpu(), numbers.float().cpu(), truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        keep = min(AVERAGE, step / (step + 10))
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 1.0 - keep)
        losses.append(float(loss.detach()))
        if step % 50 == 0:
            row = (step, float(np.mean(losses)), round(time.monotonic() - began, 1))
            log.info("step %d loss %.4f %.0f s", *row)
            with (out / "lumen.csv").open("a", newline="") as file:
                csv.writer(file).writerow(row)
            losses.clear()
        if step % 200 == 0 or step == config.steps:
            state = {
                "model": average, "last": model.state_dict(), "step": step,
                "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict(),
            }  # fmt: skip
            torch.save(state, out / "lumen.tmp")
            os.replace(out / "lumen.tmp", checkpoint)
    return checkpoint
