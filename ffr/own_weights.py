"""Which file of a folder holds the own weights of which network? Knows files only."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from ffr.errors import ConfigError

NETWORKS = ("anatomy", "vessel", "lumen")


def file_name(network: str) -> str:
    """Return what the weights of a network are called."""
    return f"{network}.safetensors"


def check_own_weights(folder: Path) -> None:
    """Refuse a folder without weights of any network.

    Raises
    ------
    ConfigError
        No such folder, or none of the files.
    """
    if not any((folder / file_name(name)).is_file() for name in NETWORKS):
        files = ", ".join(file_name(name) for name in NETWORKS)
        message = (
            f"--weights needs a folder with one of {files}; give the --out folder of "
            "'ffr train --finetune'"
        )
        raise ConfigError(message)


def own_path(network: str, folder: Path) -> Path | None:
    """Return the file of a network's own weights, None where the shipped ones are used.

    Raises
    ------
    ConfigError
        A folder without weights of any network.
    """
    check_own_weights(folder)
    path = folder / file_name(network)
    return path if path.is_file() else None


def warning(folder: Path) -> str | None:
    """Return what to say of weights that were not better than the shipped ones."""
    with suppress(OSError, ValueError, AttributeError):
        report = json.loads((folder / "report.json").read_text())
        if report.get("recommended") is False:
            return (
                "these weights were not found better than the shipped ones; see their report.md"
            )
    return None
