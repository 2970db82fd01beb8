"""The same scan on another grid."""

from __future__ import annotations

import numpy as np
import SimpleITK

from meshes.arrays import floats
from meshes.volume import Grid, Volume, axis_aligned_grid, ijk_to_points_mm


def to_itk(volume: Volume) -> SimpleITK.Image:
    """Return the SimpleITK image of a volume; both speak LPS and mm."""
    image = SimpleITK.GetImageFromArray(volume.values)
    image.SetSpacing([float(x) for x in volume.grid.spacing_mm])
    image.SetOrigin([float(x) for x in volume.grid.origin_mm])
    image.SetDirection([float(x) for x in volume.grid.direction.ravel()])
    return image


def from_itk(image: SimpleITK.Image) -> Volume:
    """Return the volume of a 3D SimpleITK image."""
    grid = Grid(
        np.array(image.GetSize()),
        floats(image.GetSpacing()),
        floats(image.GetOrigin()),
        floats(np.reshape(image.GetDirection(), (3, 3))),
    )
    return Volume(grid, SimpleITK.GetArrayFromImage(image))


def resampled(volume: Volume, grid: Grid, outside: float, nearest: bool = False) -> Volume:
    """Interpolate a volume onto `grid`; linear, or nearest neighbour for labels.

    A much coarser grid first averages whole voxels, so that noise and thin structures
    are not aliased. Points outside the volume get `outside`.
    """
    image = to_itk(volume)
    if not nearest:
        shrink = [
            max(1, int(np.min(grid.spacing_mm) / s + 1e-6)) for s in volume.grid.spacing_mm
        ]
        if max(shrink) > 1:
            shrink = [min(f, n) for f, n in zip(shrink, image.GetSize(), strict=True)]
            image = SimpleITK.BinShrink(image, shrink)
    out = SimpleITK.Resample(
        image,
        [int(n) for n in grid.size],
        SimpleITK.Transform(),
        SimpleITK.sitkNearestNeighbor if nearest else SimpleITK.sitkLinear,
        [float(x) for x in grid.origin_mm],
        [float(x) for x in grid.spacing_mm],
        [float(x) for x in grid.direction.ravel()],
        outside,
        image.GetPixelID(),
    )
    return Volume(grid, SimpleITK.GetArrayFromImage(out))


def covering_grid(volume: Volume, spacing_mm: float) -> Grid:
    """Return the grid along the patient's axes that covers all voxels of a volume."""
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    points = ijk_to_points_mm(volume.grid, corners * (np.asarray(volume.grid.size) - 1))
    return box_grid(points.min(axis=0), points.max(axis=0), spacing_mm)


def box_grid(low_mm: np.ndarray, high_mm: np.ndarray, spacing_mm: float) -> Grid:
    """Return the grid along the patient's axes that fills the box from low to high."""
    size = np.maximum(1, np.floor((high_mm - low_mm) / spacing_mm + 1e-6).astype(int) + 1)
    return axis_aligned_grid(size, spacing_mm, low_mm)
