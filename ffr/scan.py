"""What does the reader hand on: which voxels, where they lie, and how they were made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ffr.flags import Flag
from meshes.volume import Volume

MASK = "mask"


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One CT volume of one patient at one cardiac phase, free of patient data.

    Parameters
    ----------
    volume
        Hounsfield units, int16, on the exact LPS grid of the study; of a mask its labels.
    source
        "dicom", "nifti", "nrrd" or "mha"; `MASK` where there is no scan but a lumen mask.
    series
        One line: which series was taken and why.
    slice_thickness_mm
        Nominal slice thickness; the largest voxel edge where the file does not say.
    sha256
        Hash of geometry and voxels; the order and the names of the files play no part.
    tube_voltage_kvp
        X-ray tube voltage, None where the file does not say.
    kernel
        Name of the reconstruction kernel, None where the file does not say.
    flags
        What the reader warns of.
    """

    volume: Volume
    source: str
    series: str
    slice_thickness_mm: float
    sha256: str
    tube_voltage_kvp: float | None
    kernel: str | None
    flags: tuple[Flag, ...]


def volume_sha256(volume: Volume) -> str:
    """Return the hash of geometry (to 1e-6 mm) and voxels of `volume`, as hexadecimal."""
    grid = volume.grid
    numbers = np.concatenate(
        [grid.size, grid.spacing_mm, grid.origin_mm, grid.direction.ravel()]
    )
    digest = hashlib.sha256()
    # adding 0.0 turns -0.0 into 0.0, which has other bytes
    digest.update((np.round(numbers, 6) + 0.0).astype("<f8").tobytes())
    for plane in volume.values:
        digest.update(np.ascontiguousarray(plane, dtype="<i2").data)
    return digest.hexdigest()
