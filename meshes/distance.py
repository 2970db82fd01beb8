"""How far is each voxel from a mask, or deep inside it?"""

from __future__ import annotations

import numpy as np
import SimpleITK

from meshes.arrays import AnyArray

FAR_MM = 1e6  # where there is nothing to measure to


def outside_mm(mask: AnyArray, spacing_mm: float) -> AnyArray:
    """Return the distance from each voxel to the nearest voxel of `mask`, 0 in it, float32.

    Centre to centre, exact (Maurer 2003); `FAR_MM` where the mask is empty.

    Parameters
    ----------
    mask
        Voxels, any shape of three axes.
    spacing_mm
        Edge of the cubic voxels.
    """
    if not mask.any():
        return np.full(mask.shape, FAR_MM, dtype=np.float32)
    image = SimpleITK.GetImageFromArray(np.asarray(mask, dtype=np.uint8))
    squared = SimpleITK.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=True, useImageSpacing=False
    )
    distance = SimpleITK.GetArrayFromImage(squared)  # in voxels: whole numbers, exact
    distance[np.asarray(mask, dtype=bool)] = 0.0
    return np.asarray(np.sqrt(distance, out=distance) * np.float32(spacing_mm))


def inside_mm(mask: AnyArray, spacing_mm: float) -> AnyArray:
    """Return the distance from each voxel of `mask` to the nearest one outside, else 0."""
    inside = np.asarray(mask, dtype=bool)
    box = box_around(inside, 1)  # with a rim: what lies beyond it is never nearest
    distance = np.zeros(inside.shape, dtype=np.float32)
    distance[box] = outside_mm(~inside[box], spacing_mm)
    return distance


def box_around(mask: AnyArray, margin: int) -> tuple[slice, ...]:
    """Return the slices that hold all of a mask and some voxels more; empty without one."""
    where = (
        np.flatnonzero(mask.any(axis=tuple(set(range(mask.ndim)) - {axis})))
        for axis in range(mask.ndim)
    )
    return tuple(
        slice(max(0, int(at[0]) - margin), int(at[-1]) + margin + 1) if at.size else slice(0, 0)
        for at in where
    )
