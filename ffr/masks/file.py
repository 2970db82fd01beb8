"""Which labels does a mask file hold, and is it a mask at all?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK

from ffr.errors import ConfigError, StudyError
from ffr.reading.image_file import grid_of, kind_of, read_itk
from meshes.arrays import AnyArray, Ints
from meshes.volume import Volume

MOST_LABELS = 200  # TotalSegmentator, the richest in use, has 117
COARSEST_MM = 1.5  # a 3 mm artery is two voxels wide
FEWEST_SLICES = 8
ROUNDING = 1e-3
FULL = 0.5  # share of voxels above which a file holds no background


class Labelled(NamedTuple):
    """A label map in axes nearest to L, P, S.

    Parameters
    ----------
    volume
        Labels, uint16, 0 outside.
    kind
        "nifti", "nrrd" or "mha".
    counts
        Voxels by label, from 0.
    fractions
        The file held fractions of one, cut at one half.
    """

    volume: Volume
    kind: str
    counts: Ints
    fractions: bool

    def labels(self) -> list[int]:
        """Return the labels that occur, without the background."""
        return [int(x) for x in np.flatnonzero(self.counts) if x > 0]


def read_labels(path: Path, progress: Callable[[float], None]) -> Labelled:
    """Read a label map or a binary mask.

    Raises
    ------
    StudyError
        "file-corrupt", "gantry-tilt", "several-volumes", "too-few-slices", "mask-coarse",
        "mask-empty", "mask-full", "mask-not-labels".
    ConfigError
        No file, or of another kind.
    """
    if not path.is_file():
        raise ConfigError(
            "no earlier run and no mask there; give a run's folder or a mask file"
        )
    kind = kind_of(path)
    if kind is None:
        message = "the file is no mask; give a NIfTI, NRRD or MetaImage file, or a run's folder"
        raise ConfigError(message)
    image = read_itk(path)
    progress(0.3)
    if image.GetNumberOfComponentsPerPixel() != 1:
        message = f"{image.GetNumberOfComponentsPerPixel()} values per voxel"
        raise _no_labels(message)
    _check_shape(image)
    image = SimpleITK.DICOMOrient(image, "LPS")  # turns and mirrors axes, moves no voxel
    values, fractions = _whole_numbers(SimpleITK.GetArrayFromImage(image))
    counts = np.bincount(values.ravel())
    _check_labels(counts)
    progress(1.0)
    return Labelled(Volume(grid_of(image), values), kind, counts, fractions)


def _no_labels(what: str) -> StudyError:
    message = f"{what}: this is no mask; give labels, whole numbers with 0 for background"
    return StudyError("mask-not-labels", message)


def _check_shape(image: SimpleITK.Image) -> None:
    size, spacing = image.GetSize(), image.GetSpacing()
    if min(size) < FEWEST_SLICES:
        shown = " x ".join(str(n) for n in size)
        message = (
            f"the mask has {shown} voxels, at least {FEWEST_SLICES} per axis are needed; "
            "give the whole mask"
        )
        raise StudyError("too-few-slices", message)
    if max(spacing) > COARSEST_MM + 1e-3:
        message = (
            f"voxels are up to {max(spacing):.2f} mm wide, at most {COARSEST_MM} mm can be "
            "analysed; segment at the resolution of the scan"
        )
        raise StudyError("mask-coarse", message)


def _whole_numbers(values: AnyArray) -> tuple[AnyArray, bool]:
    """Return labels as uint16, and whether fractions of one were cut at one half."""
    if values.dtype.kind not in "biuf":
        raise _no_labels(f"the voxels are stored as {values.dtype}")
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise _no_labels("some voxels are not numbers")
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise _no_labels(f"values run from {low:.4g} to {high:.4g}")
    labels = np.empty(values.shape, dtype=np.uint16)
    fractions = False
    for k, plane in enumerate(values):  # slice by slice: no second copy in float
        labels[k] = np.rint(plane)
        if values.dtype.kind == "f":  # resampling leaves 0.99999 of 1
            fractions |= bool(np.any(np.abs(plane - labels[k]) > ROUNDING))
    if fractions:
        if high > 1.0 + ROUNDING:
            raise _no_labels(f"there are fractions among values up to {high:.4g}")
        np.greater_equal(values, 0.5, out=labels, casting="unsafe")
    return labels, fractions


def _check_labels(counts: Ints) -> None:
    occurring = np.count_nonzero(counts[1:])
    if occurring == 0:
        raise StudyError("mask-empty", "all voxels are 0; give a mask with vessels in it")
    if occurring > MOST_LABELS:
        raise _no_labels(f"there are {occurring} different values")
    share = 1.0 - counts[0] / counts.sum()
    if share > FULL:
        message = (
            f"{100 * share:.0f} % of the voxels are labelled; a coronary mask leaves most at 0"
        )
        raise StudyError("mask-full", message)
