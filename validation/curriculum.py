"""Does a vessel network learn better from healthy patients first, or mixed from the start?

Run: python -m validation curriculum FOLDER [--steps 600]

Two trainings from random weights, alike but for the first 40 % of the steps, which see healthy
patients in one of them; both are judged on the same patches of held-out patients. A killed
run goes on where it was. Some 40 minutes with 600 steps on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from ffr.anatomy import Vessel
from ffr.segmentation.networks import build
from ffr.segmentation.recipes import RECIPES
from ffr.segmentation.samples import HELD_OUT_SEEDS, Sample, vessel_samples
from ffr.segmentation.train import TrainConfig, train
from ffr.segmentation.weights import best_device
from validation.setting import setting

FIRST_SEED = HELD_OUT_SEEDS + 900
HEALTHY_FIRST_PERCENT = 40.0
JUDGED = (Vessel.LUMEN, Vessel.PLAQUE, Vessel.CALCIUM, Vessel.VEIN)


def patches(patients: int, per_patient: int, healthy: bool) -> list[Sample]:
    """Return patches of held-out patients."""
    seeds = range(FIRST_SEED, FIRST_SEED + patients)
    return [p for s in seeds for p in vessel_samples(s, per_patient, healthy=healthy)]


def dice(model: nn.Module, samples: Sequence[Sample], device: str) -> dict[Vessel, float]:
    """Return Dice over all patches together, by label; nan for labels that are not there."""
    both, each = np.zeros(len(Vessel)), np.zeros(len(Vessel))
    model.eval()
    for sample in samples:
        with torch.inference_mode():
            image = torch.from_numpy(np.array(sample.image))[None].to(device)
            found = model(image)[0, : len(Vessel)].argmax(dim=0).cpu().numpy()
        for v in JUDGED:
            told, said = sample.label == v, found == v
            both[v] += np.sum(told & said)
            each[v] += np.sum(told) + np.sum(said)
    return {v: float(2 * both[v] / each[v]) if each[v] else float("nan") for v in JUDGED}


def table(rows: dict[tuple[str, str], dict[Vessel, float]]) -> str:
    """Return Dice by training and kind of patient as markdown."""
    names = " | ".join(v.name.lower() for v in JUDGED)
    lines = [f"| training | patients | {names} |", "|---|---|" + "---|" * len(JUDGED)]
    for (training, patients), values in rows.items():
        numbers = " | ".join(f"{values[v]:.3f}" for v in JUDGED)
        lines.append(f"| {training} | {patients} | {numbers} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train twice, judge, print."""
    parser = argparse.ArgumentParser(prog="python -m validation curriculum")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--patches", type=int, default=6)
    given = parser.parse_args(arguments)
    recipe, device = cast(TrainConfig, RECIPES["vessel"]), best_device()
    plain = replace(recipe, steps=given.steps, from_shipped=False)
    ways = {
        "mixed from the start": plain,
        "healthy first": replace(plain, healthy_first_percent=HEALTHY_FIRST_PERCENT),
    }
    kinds = {
        "healthy": patches(given.patients, given.patches, healthy=True),
        "any": patches(given.patients, given.patches, healthy=False),
    }
    rows = {}
    for way, config in ways.items():
        checkpoint = train(config, given.folder / way.replace(" ", "-"), device)
        model = build("vessel").to(device)
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        model.load_state_dict(state["model"])
        for kind, samples in kinds.items():
            rows[way, kind] = dice(model, samples, device)
    print(setting("python -m validation curriculum", arguments, device))
    print(f"\nDice of {given.patients} held-out patients, {given.patches} patches each:\n")
    print(table(rows))


if __name__ == "__main__":
    main()
