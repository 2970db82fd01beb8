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
from ffr.segmentation.stacks import (
    CHANNELS,
    SAMPLES,
    STEP_MM,
    Known,
    Lesson,
    Rays,
    for_sections,
    lesson,
    picture,
    roughly,
)
from ffr.segmentation.weights import load_network
from meshes.arrays import AnyArray, floats

log = logging.getLogger(__name__)

CHUNK = 100  # pieces per file
USED = slice(1, -1)  # sections that count: the outermost see one side only
AVERAGE = 0.998  # of the weights over the last steps; they are what is shipped
LOG_SD_OFFSET = -2.3  # the raw spread is centred on about 0.1 mm
HELD, HELD_SD = 0.9, 1.645  # share of errors inside so many spreads
LEAST_ERROR_MM = 0.002  # keeps the logarithm of an error finite
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
    from_shipped
        Begin with the shipped weights instead of random ones.
    """

    pieces: int = 5000
    steps: int = 3800
    batch: int = 12
    seed: int = 0
    learning_rate: float = 3e-3
    threads: int = 1
    from_shipped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Many pieces, packed: arrays of `Lesson`, first axis the piece.

    Parameters
    ----------
    hu, across_part, along_part
        As in `Rays`; half precision.
    psf_mm, psf_z_mm, noise_hu, blood_hu
        As in `Known`, (n,).
    lumen_mm, outer_mm, stented
        As in `Lesson`.
    calcium
        Bits along the samples.
    """

    hu: AnyArray
    across_part: AnyArray
    along_part: AnyArray
    psf_mm: AnyArray
    psf_z_mm: AnyArray
    noise_hu: AnyArray
    blood_hu: AnyArray
    lumen_mm: AnyArray
    outer_mm: AnyArray
    calcium: AnyArray
    stented: AnyArray

    def __len__(self) -> int:
        return len(self.hu)

    def image(self, picked: AnyArray, rng: np.random.Generator) -> AnyArray:
        """Return network input of some pieces, blur and blood told anew."""
        hu, across, along = (
            x[picked].astype(np.float32) for x in (self.hu, self.across_part, self.along_part)
        )
        scan = (self.psf_mm, self.psf_z_mm, self.noise_hu, self.blood_hu)
        known = roughly(rng, Known(*(x[picked] for x in scan)))
        return picture(Rays(hu, NO_RAYS, across, along), for_sections(known, hu.shape[1]))

    def calcium_of(self, picked: AnyArray) -> AnyArray:
        """Return calcium of some pieces, (k, sections, angles, samples), float32."""
        return np.unpackbits(self.calcium[picked], axis=-1)[..., :SAMPLES].astype(np.float32)


FIELDS = tuple(Lessons.__dataclass_fields__)
KNOWN = tuple(Known.__dataclass_fields__)
NO_RAYS = floats(np.zeros((0, 3)))  # directions, which the network does not see


def packed(lessons: Sequence[Lesson]) -> Lessons:
    """Return lessons in the packed form."""
    rays = [x.rays for x in lessons]
    scan = {k: np.stack([getattr(x.real, k) for x in lessons]) for k in KNOWN}
    return Lessons(
        hu=np.stack([x.hu for x in rays]).astype(np.float16),
        across_part=np.stack([x.across_part for x in rays]).astype(np.float16),
        along_part=np.stack([x.along_part for x in rays]).astype(np.float16),
        lumen_mm=np.stack([x.lumen_mm for x in lessons]),
        outer_mm=np.stack([x.outer_mm for x in lessons]),
        calcium=np.packbits(np.stack([x.calcium for x in lessons]), axis=-1),
        stented=np.stack([x.stented for x in lessons]),
        **scan,
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
    """Profiles and radii of lumen and wall, calcium, stent, and the radius's spread."""
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
    spread = spread_loss(error.detach(), log_sd)
    calcium = nn.functional.binary_cross_entropy_with_logits(
        maps[:, 2], truth.calcium[:, USED], pos_weight=torch.tensor(4.0)
    )
    stent = nn.functional.binary_cross_entropy_with_logits(
        numbers[:, 1], truth.stented[:, USED]
    )
    return total + 0.5 * spread + 0.5 * calcium + 0.1 * stent


def spread_loss(error_mm: Tensor, log_sd: Tensor) -> Tensor:
    """Pinball loss of the error's logarithm: 1.645 spreads hold 90 % of the errors.

    Koenker and Bassett 1978 (Econometrica 46). A Gaussian likelihood makes the spread so wide
    that the few gross errors fit, and nearly all others lie far inside.
    """
    beyond = (error_mm.abs() + LEAST_ERROR_MM).log() - log_sd - np.log(HELD_SD)
    return torch.maximum(HELD * beyond, (HELD - 1.0) * beyond).mean()


def batch(lessons: Lessons, rng: np.random.Generator, count: int) -> tuple[Tensor, Truth]:
    """Return random pieces, turned about the axis and mirrored at random."""
    picked = rng.integers(0, len(lessons), count)
    arrays = [
        lessons.image(picked, rng), lessons.lumen_mm[picked], lessons.outer_mm[picked],
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
    if config.from_shipped:
        model.load_state_dict(load_network("lumen", device).model.state_dict())
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
