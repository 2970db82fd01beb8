"""How is one virtual patient scanned again, and what alone is different that time?

A usual, good scan (`clinical_imaging`) is the reference. The noise is drawn for the voxels of
the grid from a seed: where only strength, kernel or grid change, its pattern stays, so that a
row shows what it names; `noise` draws another one, as a second scan would.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ffr.phantom.imaging import Imaging, scan
from ffr.phantom.patient import VirtualPatient
from ffr.phantom.study import clinical_imaging, scan_grid
from meshes.resample import box_grid, resampled
from meshes.volume import Grid, Volume, ijk_to_points_mm

SIZE, SPACING_MM = (420, 420, 300), (0.4, 0.4, 0.4)
COARSE_MM = 0.6
DOSE = 0.9  # of the reference's; noise goes with 1 / sqrt(dose)
OTHER_NOISE = 10_000_000  # added to the seed of the noise
REFERENCE = "reference"
AGAIN = "again"
REPEATS = {AGAIN: "the same study again: new process, other hash seed, two threads for one"}
CHANGES = {
    "noise": "other noise",
    "shift": "grid moved by half a voxel along each axis",
    "dose": "90 % dose",
    "sharper": "sharper kernel",
    "smoother": "smoother kernel",
    "resampled": "resampled from 0.4 to 0.6 mm",
}


def rendered(
    patient: VirtualPatient, change: str, size: tuple[int, int, int] = SIZE,
    spacing_mm: tuple[float, float, float] = SPACING_MM,
) -> Volume:  # fmt: skip
    """Scan the patient as the reference, or with one change (a key of `CHANGES`).

    Raises
    ------
    ValueError
        No such change.
    """
    if change not in (REFERENCE, *REPEATS, *CHANGES):
        message = f"no change {change!r}; choose from {', '.join(CHANGES)}"
        raise ValueError(message)
    grid, seed = scan_grid(patient, size, spacing_mm), patient.seed
    if change == "shift":
        grid = half_voxel_on(grid)
    noise = seed + OTHER_NOISE if change == "noise" else seed
    volume = scan(patient, grid, changed(clinical_imaging(seed), change), noise)
    return on_coarse_grid(volume) if change == "resampled" else volume


def changed(imaging: Imaging, change: str) -> Imaging:
    """Return how the scanner sees the patient after a change of dose or kernel.

    A kernel changes sharpness in plane (what lies between slices is the collimation's) and,
    at one dose, the noise: the reference has 0.65 mm, 22 HU and grains of 0.35 mm.
    """
    if change == "dose":
        return replace(imaging, noise_hu=imaging.noise_hu / DOSE**0.5)
    if change == "sharper":
        return replace(
            imaging, psf_mm=0.52, overshoot_percent=10.0, noise_hu=31.0, noise_grain_mm=0.27
        )
    if change == "smoother":
        return replace(
            imaging, psf_mm=0.85, overshoot_percent=0.0, noise_hu=15.0, noise_grain_mm=0.46
        )
    return imaging


def half_voxel_on(grid: Grid) -> Grid:
    """Return the grid with its origin half a voxel further along each of its axes."""
    return replace(grid, origin_mm=ijk_to_points_mm(grid, [0.5, 0.5, 0.5]))


def on_coarse_grid(volume: Volume) -> Volume:
    """Return the scan on voxels of 0.6 mm, interpolated linearly as workstations do."""
    ends = ijk_to_points_mm(volume.grid, np.stack([np.zeros(3), volume.grid.size - 1]))
    return resampled(volume, box_grid(ends[0], ends[1], COARSE_MM), outside=-1024.0)
