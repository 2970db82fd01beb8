"""Train the volume networks on virtual patients: one flat loop, resumable, CPU or GPU."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numba
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ffr.anatomy import Anatomy, Vessel
from ffr.segmentation.networks import build
from ffr.segmentation.samples import DISTANCE_CAP_MM, Sample, anatomy_sample, vessel_samples
from ffr.segmentation.weights import load_network

log = logging.getLogger(__name__)

PATCHES_PER_PATIENT = 6
CHANNELS_LAST = torch.channels_last_3d


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What is trained, for how long, from which seeds.

    Parameters
    ----------
    network
        "anatomy" (whole heart, 2 mm) or "vessel" (lumen and plaque, 0.5 mm).
    steps
        Optimiser steps in all; the learning rate falls to zero over them.
    batch
        Samples per step.
    seed
        First patient seed; patient n has seed `seed + n`.
    learning_rate
        Peak rate of AdamW.
    healthy_first_percent
        Share of the steps, at the beginning, that see healthy patients only.
    bright_veins_percent
        Share of the patients who are hard negatives: veins as bright as arteries.
    from_shipped
        Begin with the shipped weights instead of random ones.
    threads, workers
        CPU threads of the optimiser; processes that paint samples.
    """

    network: str
    steps: int
    batch: int = 2
    seed: int = 1
    learning_rate: float = 2e-3
    healthy_first_percent: float = 0.0
    bright_veins_percent: float = 0.0
    from_shipped: bool = False
    threads: int = 1
    workers: int = 1


class Patients(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """An endless stream of samples; worker w of n paints every n-th patient."""

    def __init__(self, config: TrainConfig, first: int) -> None:
        super().__init__()
        self.config = config
        self.first = first

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (image, label, distance) for ever."""
        info = get_worker_info()
        number, count = (info.id, info.num_workers) if info else (0, 1)
        patient = self.first + number
        while True:
            for sample in self._samples(patient):
                yield (
                    torch.from_numpy(np.array(sample.image)),
                    torch.from_numpy(sample.label.astype(np.int64)),
                    torch.from_numpy(np.array(sample.distance_mm)),
                )
            patient += count

    def _samples(self, patient: int) -> list[Sample]:
        config = self.config
        if config.network == "anatomy":
            return [anatomy_sample(config.seed + patient)]
        seen = (patient - 1) * PATCHES_PER_PATIENT / (config.steps * config.batch)
        healthy = 100.0 * seen < config.healthy_first_percent
        seed = config.seed + patient
        drawn = np.random.default_rng([seed, 25]).uniform(0, 100)
        return vessel_samples(
            seed, PATCHES_PER_PATIENT, healthy=healthy,
            bright_veins=bool(drawn < config.bright_veins_percent),
        )  # fmt: skip


def loss_of(network: str, output: Tensor, label: Tensor, distance: Tensor) -> Tensor:
    """Cross-entropy plus soft Dice over the labels present, plus centreline distance."""
    classes = len(Anatomy) if network == "anatomy" else len(Vessel)
    logits = output[:, :classes].float()
    weight = torch.ones(classes)
    if network == "vessel":
        weight[1:] = 3.0  # a patch is 99 % background
        weight[Vessel.CALCIUM] = 12.0  # and a deposit is a few voxels of it
    loss = nn.functional.cross_entropy(logits, label, weight.to(logits.device))
    probability = logits.softmax(dim=1)
    truth = nn.functional.one_hot(label, classes).movedim(-1, 1).float()
    axes = (0, 2, 3, 4)
    overlap = 2 * (probability * truth).sum(axes) + 1.0
    total = probability.sum(axes) + truth.sum(axes) + 1.0
    present = truth.sum(axes)[1:] > 0
    if present.any():
        loss = loss + (1 - overlap / total)[1:][present].mean()
    if network == "vessel":
        near = 1.0 + 4.0 * (distance < DISTANCE_CAP_MM)
        error = nn.functional.smooth_l1_loss(
            output[:, classes].float(), distance, reduction="none", beta=0.5
        )
        loss = loss + 0.5 * (error * near).mean()
    return loss


def one_thread(_worker: int) -> None:
    """Let a process that paints samples use one core: there is one for each."""
    numba.set_num_threads(1)


def train(config: TrainConfig, out: Path, device: str = "cpu") -> Path:
    """Train, or go on training, and return the checkpoint's path.

    Writes `out/NETWORK.pt` (weights, optimiser, step) every 100 steps by atomic rename and
    `out/NETWORK.csv` (step, loss, seconds). A killed run goes on where it stopped.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, curve = out / f"{config.network}.pt", out / f"{config.network}.csv"
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    # a third less time for a step where the processor has matrix units; torch's stubs do
    # not know the argument
    model = build(config.network).to(device)
    model.to(memory_format=CHANNELS_LAST)  # type: ignore[call-overload]
    if config.from_shipped:
        model.load_state_dict(load_network(config.network, device).model.state_dict())
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=1e-3
    )
    warm = max(1, min(100, config.steps // 10))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda i: min(1, (i + 1) / warm) * 0.5 * (1 + math.cos(math.pi * i / config.steps)),
    )
    step = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        step = state["step"]
        log.info("going on at step %d", step)
    per_patient = 1 if config.network == "anatomy" else PATCHES_PER_PATIENT
    data = Patients(config, first=1 + step * config.batch // per_patient)
    loader = DataLoader(
        data, batch_size=config.batch, num_workers=config.workers,
        prefetch_factor=3 if config.workers else None, worker_init_fn=one_thread,
        # a fork would inherit threads of numba that do not run in it
        multiprocessing_context="spawn" if config.workers else None,
    )  # fmt: skip
    low = torch.bfloat16
    half = device == "cuda" or torch.cpu._is_avx512_bf16_supported()
    began, losses = time.monotonic(), []
    for image, label, distance in loader:
        if step >= config.steps:
            break
        with torch.autocast(device.split(":")[0], dtype=low, enabled=half):
            output = model(image.to(device, memory_format=CHANNELS_LAST))
        loss = loss_of(config.network, output, label.to(device), distance.to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        step += 1
        if step % 20 == 0:
            row = (step, float(np.mean(losses)), round(time.monotonic() - began, 1))
            losses.clear()
            log.info("step %d loss %.4f %.0f s", *row)
            with curve.open("a", newline="") as file:
                csv.writer(file).writerow(row)
        if step % 100 == 0 or step == config.steps:
            state = {
                "model": model.state_dict(), "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(), "step": step,
                "config": json.dumps(asdict(config)),
            }  # fmt: skip
            torch.save(state, checkpoint.with_suffix(".tmp"))
            os.replace(checkpoint.with_suffix(".tmp"), checkpoint)
    return checkpoint
