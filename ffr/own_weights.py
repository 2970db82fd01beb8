"""Which folder of own weights comes before the shipped ones? Knows no network, only files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from ffr.errors import ConfigError

NETWORKS = ("anatomy", "vessel", "lumen")
_FOLDER: ContextVar[Path | None] = ContextVar("own weights", default=None)


@contextmanager
def own_weights(folder: Path | None) -> Iterator[None]:
    """Within this block networks are loaded from `folder` where it has them.

    Raises
    ------
    ConfigError
        A folder without weights.
    """
    if folder is not None:
        check_own_weights(folder)
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


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


def warning(folder: Path) -> str | None:
    """Return what to say of weights that were not better than the shipped ones."""
    with suppress(OSError, ValueError, AttributeError):
        report = json.loads((folder / "report.json").read_text())
        if report.get("recommended") is False:
            return (
                "these weights were not found better than the shipped ones; see their report.md"
            )
    return None


def own_path(name: str) -> Path | None:
    """Return the file of a network's own weights, None where the shipped ones are used."""
    folder = _FOLDER.get()
    path = None if folder is None else folder / file_name(name)
    return path if path is not None and path.is_file() else None


def file_name(name: str) -> str:
    """Return what the weights of a network are called."""
    return f"{name}.safetensors"
