"""Weights as files: safetensors with a header that says how to rebuild the network."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ffr.errors import ConfigError
from ffr.own_weights import NETWORKS as NETWORKS
from ffr.own_weights import file_name, own_path
from ffr.segmentation.networks import OUTPUTS, LumenNet, UNet3d

FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A trained network, ready to run.

    Parameters
    ----------
    model
        The torch module on its device, in evaluation mode.
    device
        "cpu" or "cuda".
    sha256
        Hash of the weights file; results carry it.
    """

    model: nn.Module
    device: str
    sha256: str


def best_device() -> str:
    """Return "cuda" when torch sees a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def weights_path(name: str) -> Path:
    """Return where the weights of a network are shipped."""
    return FOLDER / file_name(name)


def save_weights(
    name: str, model: nn.Module, architecture: dict[str, object], path: Path
) -> None:
    """Write weights in half precision, with the header that `load_network` needs."""
    state = {k: v.detach().cpu().contiguous().half() for k, v in model.state_dict().items()}
    header = {"network": name, "architecture": json.dumps(architecture)}
    temporary = path.with_suffix(".tmp")
    save_file(state, temporary, metadata=header)
    os.replace(temporary, path)


def load_network(name: str, device: str | None = None, folder: Path | None = None) -> Network:
    """Load a network: from a folder of own weights that has it, else as shipped.

    Parameters
    ----------
    name
        One of `NETWORKS`.
    device
        "cpu" or "cuda"; the best there is by default.
    folder
        Own weights, as `ffr train --finetune` leaves them.

    Raises
    ------
    ConfigError
        The weights are missing, damaged or of another network; a folder without any.
    """
    own = None if folder is None else own_path(name, folder)
    path = own or weights_path(name)
    device = device or best_device()
    if not path.exists():
        message = (
            f"weights of the {name} network are missing ({path.name}); "
            "reinstall ct-ffr or train them with 'ffr train'"
        )
        raise ConfigError(message)
    try:
        held, model = _read(path)
    except (SafetensorError, LookupError, ValueError, TypeError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        message = f"weights of the {name} network are damaged ({path.name}): {reason}"
        raise ConfigError(message) from error
    if held != name:
        raise ConfigError(f"{path.name} holds weights of another network ({held})")
    model.eval()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Network(model.to(device), device, digest)


def _read(path: Path) -> tuple[str, nn.Module]:
    """Return which network a file holds, and that network."""
    with safe_open(path, framework="pt", device="cpu") as file:
        header = file.metadata()
        state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    architecture = json.loads(header["architecture"])
    model = rebuilt(architecture)
    model.load_state_dict(state)
    name = str(header["network"])
    if architecture.get("outputs", OUTPUTS.get(name)) != OUTPUTS.get(name):
        message = (
            f"{architecture['outputs']} outputs, not {OUTPUTS.get(name)}: an older version's"
        )
        raise ValueError(message)
    return name, model


def rebuilt(architecture: Mapping[str, Any]) -> nn.Module:
    """Return the untrained module that a weights header describes."""
    if architecture["kind"] == "lumen":
        return LumenNet(architecture["inputs"])
    return UNet3d(
        architecture["inputs"],
        architecture["outputs"],
        tuple(architecture["widths"]),
        stem=architecture["stem"],
    )
