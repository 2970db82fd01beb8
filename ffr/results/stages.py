"""What does a run leave on disk? One folder per finished stage, whole or not there at all.

A stage is written into a hidden folder beside its place and renamed when complete, so a
killed run leaves no half stage. A new stage removes the stages and the results that follow
from the old one: what lies in a result folder belongs together.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ffr.errors import ConfigError
from ffr.partial import PARTIAL
from meshes.errors import GeometryError

STAGES = ("scan", "segment", "tree", "solve", "report")
OBJECTS = "dicom"  # folder of DICOM objects made from the results
RESULTS = (
    "result.json", "report.html", "report.pdf", "tree.vtp",
    "lumen.vtp", "lumen.stl", "lumen.vtu",
)  # fmt: skip
STENTS = "stents"  # folder of what virtual stents would do, numbered
EDITS = "edits"  # folder of results after changes by hand, numbered
PENDING = "pending.json"  # stents and edits that are tried in the page and not kept yet
FORMAT = 1  # of the stage folders; another number is not read
_HOW = {
    "scan": "start with 'ffr run' or 'ffr segment'",
    "segment": "start with 'ffr run' or 'ffr segment'",
    "tree": "run 'ffr tree' first, or 'ffr run --from tree'",
    "solve": "run 'ffr solve' first, or 'ffr run --from solve'",
}
_FACTS = {
    "segment": ("lv_mass_g", "blood_hu", "flags", "models"),
    "tree": ("names", "flags", "models"),
    "solve": ("iterations", "residual_mmhg", "assumptions", "settings", "flags"),
}
_DAMAGE = (
    OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, IndexError,
    RuntimeError, zipfile.BadZipFile, zlib.error, GeometryError,
)  # fmt: skip


def stage_folder(out: Path, stage: str) -> Path:
    """Return where a stage keeps its files."""
    return out / "stages" / stage


@contextlib.contextmanager
def stage_files(out: Path, stage: str) -> Iterator[Path]:
    """Give a folder to fill; it becomes the stage when filled without error."""
    place = stage_folder(out, stage)
    place.parent.mkdir(parents=True, exist_ok=True)
    with partial(place.parent) as folder:
        yield folder
        discard_from(out, stage)
        os.replace(folder, place)


@contextlib.contextmanager
def result_files(out: Path) -> Iterator[Path]:
    """Give a folder to fill; its files then replace the results in `out`.

    Where `result.json` is, all the others are there and belong to it.
    """
    (out / "stages").mkdir(parents=True, exist_ok=True)
    with partial(out / "stages") as folder:
        yield folder
        discard_results(out)
        for path in sorted(folder.iterdir(), key=lambda p: p.name == RESULTS[0]):
            os.replace(path, out / path.name)


def discard_from(out: Path, stage: str) -> None:
    """Remove a stage and all that followed from it."""
    for name in (STENTS, EDITS):  # compared with what goes now
        if (out / name).exists():
            discard(out / name)
    (out / PENDING).unlink(missing_ok=True)
    discard_results(out)
    # the last one first: a kill in between leaves stages that belong together
    for later in reversed(STAGES[STAGES.index(stage) :]):
        discard(stage_folder(out, later))


def discard_results(out: Path) -> None:
    """Remove what a reader opens: objects made from the results, then `result.json` first."""
    if (out / OBJECTS).exists():
        discard(out / OBJECTS)
    for name in RESULTS:
        (out / name).unlink(missing_ok=True)


def next_numbered(parent: Path) -> Path:
    """Return the folder after the last: none is written twice, nor is a number used again."""
    taken = [int(p.name) for p in parent.glob("[0-9]*") if p.name.isdigit()]
    return parent / str(max(taken, default=0) + 1)


@contextlib.contextmanager
def partial(parent: Path) -> Iterator[Path]:
    """Give a hidden folder that is gone afterwards, unless it was moved away."""
    folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def discard(place: Path) -> None:
    """Remove a folder; nobody ever sees it half gone."""
    if place.exists():
        hidden = place.parent if place.parent.name == "stages" else place.parent / "stages"
        grave = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=hidden))
        os.replace(place, grave / "old")
        shutil.rmtree(grave, ignore_errors=True)


def require_stage(out: Path, stage: str) -> Path:
    """Return the folder of a finished stage.

    Raises
    ------
    ConfigError
        The stage is not there.
    """
    place = stage_folder(out, stage)
    if not place.is_dir():
        # the folder is not named: it may be called after the patient
        message = f"the result folder holds no finished stage '{stage}'; {_HOW[stage]}"
        raise ConfigError(message)
    return place


def save_seconds(folder: Path, seconds: float) -> None:
    """Note how long the stage took."""
    (folder / "seconds.txt").write_text(f"{seconds:.2f}\n")


def load_seconds(out: Path) -> dict[str, float]:
    """Return how long each finished stage took."""
    paths = {stage: stage_folder(out, stage) / "seconds.txt" for stage in STAGES}
    seconds = {}
    for stage, path in paths.items():
        if path.exists():
            with readable(path.parent):
                seconds[stage] = float(path.read_text())
    return seconds


def save_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write the small values of a stage."""
    text = json.dumps({"format": FORMAT, **facts}, indent=1, allow_nan=False)
    (folder / "facts.json").write_text(text)


def load_facts(folder: Path) -> dict[str, Any]:
    """Read the small values of a stage.

    Raises
    ------
    ConfigError
        Damaged, or of another format.
    """
    with readable(folder):
        facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
        version = facts.pop("format")
        if version == FORMAT:
            missing = [name for name in _FACTS.get(folder.name, ()) if name not in facts]
            if missing:
                raise KeyError(*missing)
    if version != FORMAT:
        message = f"stage '{folder.name}' was written by another version; run it again"
        raise ConfigError(message)
    return facts


@contextlib.contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a stage is read into one line.

    Raises
    ------
    ConfigError
        The stage is damaged.
    """
    try:
        yield
    except ConfigError:
        raise
    except _DAMAGE as error:
        message = f"stage '{folder.name}' is damaged; run it again"
        raise ConfigError(message) from error
