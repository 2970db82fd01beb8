"""Which labelled scans does a folder hold, and is each pair fit to learn from?"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK

from ffr.anatomy import Vessel
from ffr.errors import ConfigError, StudyError
from ffr.masks.file import Labelled, read_labels
from ffr.masks.settings import _labels
from ffr.reading.image_file import KINDS, kind_of, read_image
from ffr.scan import Scan
from meshes.arrays import AnyArray
from meshes.resample import from_itk, to_itk
from meshes.volume import Grid, Volume, ijk_to_points_mm

LEAST_PAIRS = 2  # one to learn from, one to judge on
SAME_PLACE = 0.5  # voxels that corners may be apart: headers are rounded, labels are not moved
LUMEN_ML = (0.2, 40.0)  # virtual patients: 2 to 8 ml; labels are wider
OPACIFIED_HU = (120.0, 1200.0)  # blood in a coronary CTA: 200 to 750 HU
LAYOUTS = (
    "ASOCA (CTCA/*.nrrd beside Annotations/*.nrrd), ImageCAS (N.img.nii.gz beside "
    "N.label.nii.gz), nnU-Net (imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz) or plain "
    "(CASE.nii.gz beside CASE_label.nii.gz, or images/CASE.nii.gz and labels/CASE.nii.gz)"
)


class Pair(NamedTuple):
    """A scan and its label, by a number that tells nothing about the patient."""

    number: int
    layout: str
    image: Path
    label: Path


@dataclass(frozen=True, slots=True)
class LabelMeaning:
    """What the numbers in the label files stand for.

    Parameters
    ----------
    lumen
        Labels of coronary lumen; empty: all that are not named otherwise.
    wall, calcium
        Labels of wall and plaque, and of calcium; empty: the files say nothing of it.
    """

    lumen: tuple[int, ...] = ()
    wall: tuple[int, ...] = ()
    calcium: tuple[int, ...] = ()


def label_meaning(lumen: str | None, wall: str | None, calcium: str | None) -> LabelMeaning:
    """Turn the words of the command line into what labels stand for.

    Raises
    ------
    ConfigError
        Words that are no labels, a label with two meanings.
    """
    given = (("--labels", lumen), ("--wall-labels", wall), ("--calcium-labels", calcium))
    found = [_labels(option, text) for option, text in given]
    every = [label for labels in found for label in labels]
    if len(set(every)) < len(every):
        twice = next(label for label in every if every.count(label) > 1)
        raise ConfigError(f"label {twice} is given two meanings; give one")
    return LabelMeaning(*found)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScan:
    """A scan and what its label says, on one grid whose axes are near L, P, S.

    Parameters
    ----------
    number
        Of the pair.
    scan
        The image.
    told
        `Vessel` values, uint8, 0 where the label says nothing is there.
    """

    number: int
    scan: Scan
    told: Volume


def find_pairs(folder: Path, least: int = LEAST_PAIRS) -> tuple[Pair, ...]:
    """Find image and label files that belong together, in the order of their paths.

    Numbers in names count as numbers: 2 comes before 10. Images without a label, such as
    those of a test set, are left out.

    Raises
    ------
    ConfigError
        No folder, no pairs, fewer than `least`.
    """
    if not folder.is_dir():
        raise ConfigError("a folder of scans with labels is needed; there is none there")
    files = sorted(_image_files(folder), key=lambda path: _in_order(path.relative_to(folder)))
    found = [found for path in files if (found := _label_of(path)) is not None]
    if not found:
        raise ConfigError(f"no image has a label there; known layouts are {LAYOUTS}")
    if len(found) < least:
        message = "one image with a label was found; two are needed, one of them to judge on"
        raise ConfigError(message)
    return tuple(Pair(n + 1, *parts) for n, parts in enumerate(found))


def _image_files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if kind_of(Path(name)) is not None and not name.startswith("."):
                yield Path(parent, name)


def _in_order(path: Path) -> list[tuple[int, str]]:
    words = re.split(r"(\d+)", str(path))
    return [(int(w), "") if w.isdigit() else (-1, w) for w in words]


def _label_of(image: Path) -> tuple[str, Path, Path] | None:
    """Return layout, image and label, None if the file is no image with a label."""
    name, parent = image.name, image.parent
    stem = _stem(name)
    if stem.lower().endswith(".img"):
        label = _with_stem(parent, stem[: -len(".img")] + ".label")
        return ("ImageCAS", image, label) if label else None
    if parent.name.lower().startswith("ctca"):
        wanted = "annotations" + parent.name.lower().removeprefix("ctca")
        for beside in _folders(parent.parent, wanted):
            if label := _with_stem(beside, stem):
                return "ASOCA", image, label
    if parent.name.lower() == "imagestr" and stem.endswith("_0000"):
        for beside in _folders(parent.parent, "labelstr"):
            if label := _with_stem(beside, stem.removesuffix("_0000")):
                return "nnU-Net", image, label
    return _plain(parent, stem, image)


def _plain(parent: Path, stem: str, image: Path) -> tuple[str, Path, Path] | None:
    """Return what lies beside a plainly named image: CASE_label, or labels/CASE."""
    if parent.name.lower() == "images":
        for beside in _folders(parent.parent, "labels"):
            if label := _with_stem(beside, stem):
                return "plain", image, label
    label = _with_stem(parent, f"{stem}_label") or _with_stem(parent, f"{stem}-label")
    return ("plain", image, label) if label else None


def _stem(name: str) -> str:
    ending = max((e for e in KINDS if name.lower().endswith(e)), key=len)
    return name[: -len(ending)]


def _folders(parent: Path, name: str) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir() and path.name.lower() == name]


def _with_stem(folder: Path, stem: str) -> Path | None:
    found = [folder / f"{stem}{ending}" for ending in KINDS]
    return next((path for path in found if path.is_file()), None)


def read_pair(pair: Pair, meaning: LabelMeaning) -> LabelledScan:
    """Read a scan and its label, and check that they belong together.

    Raises
    ------
    ConfigError
        The pair cannot be learned from; the message names it by its number.
    """
    try:
        scan = _upright(read_image(pair.image, _kind(pair.image), _silent))
        label = read_labels(pair.label, _silent)
    except StudyError as error:
        raise ConfigError(f"pair {pair.number}: {error}") from error
    try:
        told = _meant(_on_grid(label, scan.volume.grid), meaning, label)
        _check_lumen(scan.volume, told)
    except ConfigError as error:
        raise ConfigError(f"pair {pair.number}: {error}") from error
    return LabelledScan(pair.number, scan, Volume(scan.volume.grid, told))


def _kind(path: Path) -> str:
    return kind_of(path) or ""


def _silent(part: float) -> None:
    """Progress that nobody watches: a pair is quick."""


def _upright(scan: Scan) -> Scan:
    """Turn and mirror axes to those nearest L, P, S, as `read_labels` does; no voxel moves."""
    volume = from_itk(SimpleITK.DICOMOrient(to_itk(scan.volume), "LPS"))
    return dataclasses.replace(scan, volume=volume)


def _on_grid(label: Labelled, grid: Grid) -> AnyArray:
    """Return label values on the scan's voxels, which they must be on but for rounding."""
    own = label.volume.grid
    if not np.array_equal(own.size, grid.size):
        sizes = [" x ".join(str(n) for n in g.size) for g in (own, grid)]
        message = (
            f"the label has {sizes[0]} voxels, the image {sizes[1]}; give both on one grid"
        )
        raise ConfigError(message)
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    corners = corners * (np.asarray(grid.size) - 1)
    apart = np.linalg.norm(
        ijk_to_points_mm(own, corners) - ijk_to_points_mm(grid, corners), axis=1
    )
    if apart.max() > SAME_PLACE * float(np.min(grid.spacing_mm)):
        message = (
            f"label and image lie up to {apart.max():.1f} mm apart; give both with the same "
            "origin, spacing and axes"
        )
        raise ConfigError(message)
    return label.volume.values


def _meant(values: AnyArray, meaning: LabelMeaning, label: Labelled) -> AnyArray:
    """Translate label numbers into `Vessel` values."""
    others = {*meaning.wall, *meaning.calcium}
    lumen = meaning.lumen or tuple(x for x in label.labels() if x not in others)
    table = np.zeros(np.iinfo(np.uint16).max + 1, dtype=np.uint8)
    table[list(meaning.wall)] = Vessel.PLAQUE
    table[list(meaning.calcium)] = Vessel.CALCIUM
    table[list(lumen)] = Vessel.LUMEN
    table[0] = Vessel.BACKGROUND
    told = table[values]
    if not (told == Vessel.LUMEN).any():
        held = ", ".join(str(x) for x in label.labels()[:12])
        message = f"no voxel is coronary lumen; the label holds {held}; choose with --labels"
        raise ConfigError(message)
    return told


def _check_lumen(volume: Volume, told: AnyArray) -> None:
    """Refuse labels that hold far more than arteries, or lie on something else."""
    lumen = told == Vessel.LUMEN
    size_ml = np.count_nonzero(lumen) * float(np.prod(volume.grid.spacing_mm)) / 1000
    low, high = LUMEN_ML
    if not low <= size_ml <= high:
        message = (
            f"the label holds {size_ml:.2g} ml, coronary arteries {low:g} to {high:g}; choose "
            "the arteries' labels with --labels"
        )
        raise ConfigError(message)
    blood_hu = float(np.median(volume.values[lumen]))
    low, high = OPACIFIED_HU
    if not low <= blood_hu <= high:
        message = (
            f"under the label the image reads {blood_hu:.0f} HU, opacified blood {low:.0f} to "
            f"{high:.0f}; check that image and label are of one scan with contrast"
        )
        raise ConfigError(message)
