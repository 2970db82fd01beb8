"""Adapt the vessel network to labelled scans: a short, resumable training."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ffr.errors import ConfigError
from ffr.labelled_scans import LabelMeaning
from ffr.segmentation.finetune_windows import Case, allowed_classes, told_loss, window
from ffr.segmentation.networks import UNet3d
from ffr.segmentation.samples import vessel_samples
from ffr.segmentation.train import loss_of, one_thread

log = logging.getLogger(__name__)

VIRTUAL_SEED = 700_000  # of the first virtual patient: the shipped training began at 1
VIRTUAL_PATIENTS = 200_000
ALL_OUT_BELOW = 5  # with fewer cases each is held out once
SAVE_EVERY = 50
ROW_EVERY = 10
LEAST_MAP = 3  # voxels along the coarsest map: torch's half-precision gradient of a
# convolution over a map of 2 voxels reads memory that nothing wrote (torch 2.13 on a CPU)
COLUMNS = ("step", "loss", "labelled", "virtual", "seconds")


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """How the vessel network is adapted.

    Parameters
    ----------
    steps, batch
        Optimiser steps, and windows in each.
    virtual_percent
        Windows from virtual patients among them, so that plaque, calcium and other scanners
        are not forgotten.
    held_out_percent
        Cases that are only judged on; with fewer than five, each is held out once.
    seed
        Of the split, the windows and the virtual patients.
    learning_rate
        Peak rate of AdamW, a seventh of that of the training from nothing.
    edge
        Voxels along a window.
    threads, workers
        CPU threads of the optimiser; processes that prepare windows.
    """

    steps: int = 400
    batch: int = 2
    virtual_percent: float = 50.0
    held_out_percent: float = 20.0
    seed: int = 1
    learning_rate: float = 3e-4
    edge: int = 80
    threads: int = 1
    workers: int = 1

    def learned(self) -> dict[str, Any]:
        """Return what the result depends on: not how many processors worked at it."""
        return {k: v for k, v in asdict(self).items() if k not in ("threads", "workers")}


@dataclass(frozen=True, slots=True)
class Fold:
    """One training: its number, and the cases it does not see."""

    number: int
    held_out: tuple[int, ...]


def folds(numbers: Sequence[int], config: FinetuneConfig) -> tuple[Fold, ...]:
    """Split cases; the weights of the last fold are the result.

    Below five cases each is held out of a training of its own, and a last one sees all.
    """
    if len(numbers) < ALL_OUT_BELOW:
        return (*(Fold(k, (n,)) for k, n in enumerate(numbers)), Fold(len(numbers), ()))
    count = round(len(numbers) * config.held_out_percent / 100)
    count = min(max(count, 1), len(numbers) - 1)
    rng = np.random.default_rng([config.seed, 31])
    chosen = rng.choice(np.asarray(numbers), count, replace=False)
    return (Fold(0, tuple(sorted(int(n) for n in chosen))),)


class Batches(Dataset[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]):
    """The windows of each step, which depend on seed and step alone."""

    def __init__(self, cases: Sequence[Case], config: FinetuneConfig, fold: Fold) -> None:
        self.cases = cases
        self.config = config
        self.fold = fold

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return images; codes of the first ones; labels and distances of the others."""
        c = self.config
        rng = np.random.default_rng([c.seed, self.fold.number, step])
        virtual = int(np.count_nonzero(rng.random(c.batch) < c.virtual_percent / 100))
        real = [
            window(self.cases[int(rng.integers(len(self.cases)))], rng, c.edge)
            for _ in range(c.batch - virtual)
        ]
        drawn = VIRTUAL_SEED + (c.seed * 10_007 + step) % VIRTUAL_PATIENTS
        painted = vessel_samples(drawn, virtual, c.edge) if virtual else []
        shape = (0, c.edge, c.edge, c.edge)
        images = [np.array(x) for x in (*(w.image for w in real), *(p.image for p in painted))]
        return (
            torch.from_numpy(np.stack(images)),
            _stacked([x.says for x in real], shape, np.int64),
            _stacked([x.label for x in painted], shape, np.int64),
            _stacked([x.distance_mm for x in painted], shape, np.float32),
            torch.tensor(virtual),
        )


def _stacked(arrays: Sequence[Any], shape: tuple[int, ...], kind: Any) -> Tensor:
    joined = np.stack(arrays) if arrays else np.zeros(shape)
    return torch.from_numpy(joined.astype(kind))


def begin(out: Path, settings: dict[str, Any]) -> None:
    """Make the folder of a training, or find the same one begun in it.

    Raises
    ------
    ConfigError
        The folder holds something else, or a training with other settings or other data.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError("--out is a file; give a folder")
    file = out / "training" / "settings.json"
    if file.is_file():
        if json.loads(file.read_text()) != settings:
            message = (
                "the folder holds a training with other settings, labels or scans; give "
                "another --out, or remove the folder"
            )
            raise ConfigError(message)
        return
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError("--out is not empty and holds no such training; give a new folder")
    file.parent.mkdir(parents=True, mode=0o700)
    out.chmod(0o700)
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(settings, indent=1))
    os.replace(temporary, file)


def adapt(
    base: UNet3d, cases: Sequence[Case], config: FinetuneConfig, fold: Fold,
    meaning: LabelMeaning, folder: Path, device: str, progress: Callable[[float], None],
) -> nn.Module:  # fmt: skip
    """Train one fold, or go on, and return the network in evaluation mode.

    Writes `fold-N.pt` (weights, optimiser, step) and `fold-N.csv` (the curve) every 50
    steps by atomic rename. `base` itself becomes the trained network.

    Raises
    ------
    ConfigError
        The loss is no longer a number; windows too small for the network.
    """
    least = LEAST_MAP * base.divisor
    if config.edge < least:
        message = f"windows of {config.edge} voxels are too small; use {least} or more"
        raise ConfigError(message)
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    run = _resumed(base.to(device).train(), config, folder / f"fold-{fold.number}.pt", device)
    seen = [case for case in cases if case.number not in fold.held_out]
    loader = DataLoader(
        Batches(seen, config, fold), batch_size=None, sampler=range(run.step, config.steps),
        num_workers=config.workers, prefetch_factor=3 if config.workers else None,
        worker_init_fn=one_thread,
    )  # fmt: skip
    kind = device.split(":")[0]
    half = kind == "cuda" or torch.cpu._is_avx512_bf16_supported()
    allowed = allowed_classes(meaning)
    began, losses = time.monotonic(), []
    for step, batch in enumerate(loader, start=run.step + 1):
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=half):
            output = run.model(batch[0].to(device))
        parts = _parts(output, batch, allowed, device)
        loss = torch.stack([part for part in parts if part is not None]).sum() / config.batch
        if not torch.isfinite(loss):
            message = f"the training broke down at step {step}: the loss is no number"
            raise ConfigError(message)
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(run.model.parameters(), 5.0)
        run.optimiser.step()
        run.schedule.step()
        losses.append([float(loss.detach()), *_each(parts, int(batch[4]), config.batch)])
        if step % ROW_EVERY == 0 or step == config.steps:
            means = [_mean(column) for column in zip(*losses, strict=True)]
            run.rows.append([step, *means, round(time.monotonic() - began, 1)])
            losses.clear()
        if step % SAVE_EVERY == 0 or step == config.steps:
            _save(run, step)
        progress(step / config.steps)
    return run.model.eval()


class _Run(NamedTuple):
    """A training at some step: what a checkpoint holds, and where it lies."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    step: int
    rows: list[list[float]]
    checkpoint: Path


def _resumed(model: nn.Module, config: FinetuneConfig, checkpoint: Path, device: str) -> _Run:
    """Return the training at its last checkpoint, or at its beginning."""
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=1e-3
    )
    warm = max(1, min(50, config.steps // 10))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda i: min(1, (i + 1) / warm) * 0.5 * (1 + math.cos(math.pi * i / config.steps)),
    )
    if not checkpoint.exists():
        return _Run(model, optimiser, schedule, 0, [], checkpoint)
    state = torch.load(checkpoint, weights_only=True, map_location=device)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    log.info("the training goes on at step %d", state["step"])
    return _Run(model, optimiser, schedule, state["step"], state["rows"], checkpoint)


def _save(run: _Run, step: int) -> None:
    """Write checkpoint and curve, each by atomic rename."""
    state = {
        "model": run.model.state_dict(), "optimiser": run.optimiser.state_dict(),
        "schedule": run.schedule.state_dict(), "step": step, "rows": run.rows,
    }  # fmt: skip
    temporary = run.checkpoint.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, run.checkpoint)
    with temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(run.rows)
    os.replace(temporary, run.checkpoint.with_suffix(".csv"))


def _parts(
    output: Tensor, batch: Sequence[Tensor], allowed: Tensor, device: str
) -> tuple[Tensor | None, Tensor | None]:
    """Return the loss of labelled and of virtual windows, each times their number."""
    _, code, label, distance, _ = batch
    real = len(code)
    told = told_loss(output[:real], code.to(device), allowed) * real if real else None
    known = None
    if len(label):
        known = loss_of("vessel", output[real:], label.to(device), distance.to(device))
        known = known * len(label)
    return told, known


def _each(parts: Sequence[Tensor | None], virtual: int, batch: int) -> list[float]:
    counts = (batch - virtual, virtual)
    return [
        math.nan if part is None else float(part.detach()) / count
        for part, count in zip(parts, counts, strict=True)
    ]


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return round(sum(known) / len(known), 5) if known else math.nan
