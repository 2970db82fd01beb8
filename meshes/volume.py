"""Voxels in patient space: a grid is where they are, a volume is what they hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import AnyArray, Floats, Ints, floats, ints, locked
from meshes.errors import GeometryError


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A regular lattice of voxel centres in patient coordinates (LPS, mm).

    Parameters
    ----------
    size
        Number of voxels along the axes i, j, k, shape (3,).
    spacing_mm
        Distance between neighbouring voxel centres along i, j, k, shape (3,).
    origin_mm
        Patient position of the centre of voxel (0, 0, 0), shape (3,).
    direction
        Columns are the unit vectors of the axes i, j, k in patient space, shape (3, 3).

    Raises
    ------
    GeometryError
        An empty grid, a spacing that is not positive, axes that are not orthonormal.
    """

    size: Ints
    spacing_mm: Floats
    origin_mm: Floats
    direction: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", ints(self.size))
        object.__setattr__(self, "spacing_mm", floats(self.spacing_mm))
        object.__setattr__(self, "origin_mm", floats(self.origin_mm))
        object.__setattr__(self, "direction", floats(self.direction))
        _check_grid(self)


def _check_grid(grid: Grid) -> None:
    if grid.size.shape != (3,) or np.any(grid.size < 1):
        message = f"grid size is {grid.size.tolist()}, must be three positive counts"
        raise GeometryError(message)
    if grid.spacing_mm.shape != (3,) or not np.all(grid.spacing_mm > 0):
        message = f"spacing_mm is {grid.spacing_mm.tolist()}, must be three positive lengths"
        raise GeometryError(message)
    if grid.origin_mm.shape != (3,) or not np.all(np.isfinite(grid.origin_mm)):
        message = f"origin_mm is {grid.origin_mm.tolist()}, must be three finite coordinates"
        raise GeometryError(message)
    square = grid.direction.shape == (3, 3)
    # DICOM writes direction cosines as decimal strings, often with six digits
    if not square or not np.allclose(grid.direction.T @ grid.direction, np.eye(3), atol=1e-4):
        message = f"direction {grid.direction.tolist()} is not a rotation or reflection"
        raise GeometryError(message)


def axis_aligned_grid(size: ArrayLike, spacing_mm: ArrayLike, origin_mm: ArrayLike) -> Grid:
    """Return a grid whose axes i, j, k are the patient's L, P, S axes."""
    spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), (3,))
    return Grid(ints(size), floats(spacing), floats(origin_mm), floats(np.eye(3)))


def array_shape(grid: Grid) -> tuple[int, int, int]:
    """Return the shape (k, j, i) of a voxel array on `grid`."""
    i, j, k = (int(n) for n in grid.size)
    return k, j, i


def ijk_to_points_mm(grid: Grid, ijk: ArrayLike) -> Floats:
    """Map continuous voxel indices (..., 3), in order i, j, k, to patient points in mm."""
    steps = np.asarray(ijk, dtype=np.float64) * grid.spacing_mm
    points: Floats = grid.origin_mm + steps @ grid.direction.T
    return points


def points_mm_to_ijk(grid: Grid, points_mm: ArrayLike) -> Floats:
    """Map patient points (..., 3) in mm to continuous voxel indices i, j, k."""
    offset = np.asarray(points_mm, dtype=np.float64) - grid.origin_mm
    ijk: Floats = offset @ np.linalg.inv(grid.direction).T / grid.spacing_mm
    return ijk


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Voxel values on a grid; the array is indexed [k, j, i] and read-only.

    Parameters
    ----------
    grid
        Where the voxels are.
    values
        What they hold, shape `array_shape(grid)`; Hounsfield units for CT, small
        integers for labels, probabilities for network output.

    Raises
    ------
    GeometryError
        The array does not fit the grid.
    """

    grid: Grid
    values: AnyArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", locked(self.values))
        if self.values.shape != array_shape(self.grid):
            message = (
                f"voxel array has shape {self.values.shape}, "
                f"the grid needs {array_shape(self.grid)} (k, j, i)"
            )
            raise GeometryError(message)
