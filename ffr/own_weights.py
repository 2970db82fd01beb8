"""Which file of a folder holds the own weights of which network? Knows files only."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from ffr.errors import ConfigError
from ffr.flags import Flag

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


def weights_flags(folder: Path | None) -> tuple[Flag, ...]:
    """Return "weights-not-better" for weights that their own report does not recommend."""
    if folder is None:
        return ()
    report = None
    with suppress(OSError, ValueError):
        report = json.loads((folder / "report.json").read_text())
    if not isinstance(report, dict) or report.get("recommended") is not False:
        return ()
    message = (
        "the own weights of this run were not found better than the shipped ones; see the "
        "report.md beside them"
    )
    return (Flag("weights-not-better", message),)
