"""The three trainings behind the shipped weights, and how weights are shipped."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

import torch

from ffr.errors import ConfigError
from ffr.segmentation.networks import INPUTS, OUTPUTS, WIDTHS, LumenNet, build
from ffr.segmentation.stacks import CHANNELS
from ffr.segmentation.train import TrainConfig, train
from ffr.segmentation.train_lumen import LumenConfig, train_lumen
from ffr.segmentation.weights import NETWORKS, best_device, save_weights, weights_path

RECIPES: dict[str, TrainConfig | LumenConfig] = {
    # goes on from 1500 steps on hearts that were neither bent nor stretched, without rare
    # anatomy and devices
    "anatomy": TrainConfig(
        "anatomy",
        steps=3000,
        batch=1,
        seed=30_000,
        learning_rate=1e-3,
        from_shipped=True,
        workers=2,
    ),
    # goes on from 2200 steps on patients without rare anatomy, devices and crossing veins
    "vessel": TrainConfig(
        "vessel", steps=2400, batch=2, seed=20_000, learning_rate=1e-3, from_shipped=True
    ),
    # goes on from 8400 steps on 13 000 pieces, all of them in fat
    "lumen": LumenConfig(
        pieces=3000, steps=1200, seed=18_000, learning_rate=1e-3, from_shipped=True
    ),
}


def train_network(
    name: str, runs: Path, steps: int | None, threads: int, ship: bool, anew: bool = False
) -> Path:
    """Train a network by its recipe; return the checkpoint, or the shipped weights.

    `anew`: from random weights, where the recipe goes on from shipped ones.

    Raises
    ------
    ConfigError
        No such network.
    """
    if name not in NETWORKS:
        message = f"no network {name!r}; choose one of {', '.join(NETWORKS)}"
        raise ConfigError(message)
    recipe = RECIPES[name]
    device = best_device()
    config = dataclasses.replace(
        recipe, threads=threads, steps=steps or recipe.steps,
        from_shipped=recipe.from_shipped and not anew,
    )  # fmt: skip
    if isinstance(config, LumenConfig):
        checkpoint = train_lumen(config, runs, device)
    else:
        checkpoint = train(config, runs, device)
    return ship_weights(name, checkpoint) if ship else checkpoint


def ship_weights(name: str, checkpoint: Path) -> Path:
    """Write a checkpoint's weights where `load_network` finds them."""
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    model: torch.nn.Module = LumenNet(CHANNELS) if name == "lumen" else build(name)
    model.load_state_dict(state["model"])
    path = weights_path(name)
    path.parent.mkdir(exist_ok=True)
    facts = {"step": state["step"], "commit": commit()}
    save_weights(name, model, architecture(name) | facts, path)
    return path


def architecture(name: str) -> dict[str, Any]:
    """Return what the header of a network's weights says about its shape."""
    if name == "lumen":
        return {"kind": "lumen", "inputs": CHANNELS}
    return {
        "kind": "unet", "inputs": INPUTS[name], "stem": True, "outputs": OUTPUTS[name],
        "widths": list(WIDTHS[name]),
    }  # fmt: skip


def commit() -> str:
    """Return the commit of the source tree this runs from, "unknown" without one."""
    done = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"
