"""Unfinished work on disk: how its folders are named, and how they are cleared away.

Imports nothing heavy: it must run within a blink when a run is interrupted.
"""

from __future__ import annotations

import shutil
from pathlib import Path

PARTIAL = ".partial-"


def remove_partial(out: Path) -> None:
    """Remove what a killed run has left unfinished below `out`."""
    for folder in (out / "stages").glob(PARTIAL + "*"):
        shutil.rmtree(folder, ignore_errors=True)
