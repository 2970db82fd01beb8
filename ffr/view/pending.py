"""Which stents and edits are tried and not kept yet? In a file: a closed page loses none.

The file belongs to the trees that they were tried on and goes with them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ffr.errors import ConfigError
from ffr.results.stages import PENDING
from ffr.view.asked import tried_of
from meshes.tree import CoronaryTree
from meshes.writing import write_text

NONE: dict[str, list[Any]] = {"stents": [], "edits": []}


def save_pending(out: Path, trees: Sequence[CoronaryTree], body: bytes) -> None:
    """Write what is tried, for its owner only, whole or not at all; no file where nothing is.

    Raises
    ------
    ConfigError
        `body` is not what `ffr.view.asked.tried_of` takes.
    OSError
        It cannot be written.
    """
    tried = tried_of(body)
    if tried == NONE:
        (out / PENDING).unlink(missing_ok=True)
        return
    found = {"trees": _hash(trees), **tried}
    write_text(out / PENDING, json.dumps(found, indent=1) + "\n", private=True)


def load_pending(out: Path, trees: Sequence[CoronaryTree]) -> dict[str, Any]:
    """Return stents and edits that an earlier page has left, and `problem`: why none, or ""."""
    try:
        found = json.loads((out / PENDING).read_bytes())
        if not isinstance(found, dict):
            raise ConfigError("no object")
        if found.pop("trees", None) != _hash(trees):
            message = "What was tried earlier was on other trees and is not shown."
            return {**NONE, "problem": message}
        return {**tried_of(json.dumps(found).encode()), "problem": ""}
    except FileNotFoundError:
        return {**NONE, "problem": ""}
    except (OSError, ValueError, RecursionError, ConfigError):
        message = f"What was tried earlier cannot be read from {PENDING}."
        return {**NONE, "problem": message}


def _hash(trees: Sequence[CoronaryTree]) -> str:
    """Return a name for trees that others do not have: points, lumen, names."""
    found = hashlib.sha256()
    for c in trees:
        for array in (c.tree.points_mm, c.tree.radius_mm, c.branch):
            found.update(np.ascontiguousarray(array).tobytes())
        found.update(json.dumps([c.side, *c.names]).encode())
    return found.hexdigest()
