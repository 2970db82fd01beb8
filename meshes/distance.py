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
    image.SetSpacing([spacing_mm] * 3)
    squared = SimpleITK.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=True, useImageSpacing=True
    )
    distance = SimpleITK.GetArrayFromImage(squared)
    distance[np.asarray(mask, dtype=bool)] = 0.0
    return np.asarray(np.sqrt(distance, out=distance), dtype=np.float32)


def inside_mm(mask: AnyArray, spacing_mm: float) -> AnyArray:
    """Return the distance from each voxel of `mask` to the nearest one outside, else 0."""
    return outside_mm(~np.asarray(mask, dtype=bool), spacing_mm)
