"""How well do two masks agree: Dice, clDice, HD95? And which voxels does a lumen hold?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from meshes.arrays import AnyArray, Floats, floats
from meshes.tree import CoronaryTree
from meshes.tubes import tubes_of, wall
from meshes.volume import Grid, array_shape, ijk_to_points_mm, points_mm_to_ijk
from validation.agreement import dice

PERCENTILE = 95.0
MARGIN_MM = 3.0  # around what is painted
BLOCK_MM = 2.0
REACH_MM = 0.5  # the wall is known this far outside


@dataclass(frozen=True, slots=True)
class MaskOverlap:
    """Two masks; None where one of them is empty.

    Parameters
    ----------
    dice_percent
        Twice what is common over the sum.
    cl_dice_percent
        See `cl_dice`.
    hd95_mm
        See `hd95_mm`.
    """

    dice_percent: float | None
    cl_dice_percent: float | None
    hd95_mm: float | None


def mask_overlap(found: AnyArray, told: AnyArray, spacing_mm: Floats) -> MaskOverlap:
    """Compare two masks (k, j, i); spacing along i, j, k."""
    if not (found.any() and told.any()):
        return MaskOverlap(0.0 if found.any() or told.any() else None, None, None)
    box = _box(found | told)
    found, told = found[box], told[box]
    return MaskOverlap(
        100.0 * dice(found, told),
        100.0 * cl_dice(found, told),
        hd95_mm(found, told, spacing_mm),
    )


def _box(mask: AnyArray) -> tuple[slice, ...]:
    """Return the slices around a mask with one voxel to spare, where there is one."""
    where = np.argwhere(mask)
    low, high = np.maximum(where.min(axis=0) - 1, 0), where.max(axis=0) + 2
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def cl_dice(found: AnyArray, told: AnyArray) -> float:
    """Return the centreline Dice of two masks, 0 to 1 (Shit et al., CVPR 2021).

    Harmonic mean of the share of the found mask's skeleton that lies in the other mask, and
    of the other's skeleton that lies in the found one. Skeletons by Lee 1994 (scikit-image).
    """
    shares = [
        np.count_nonzero(line & mask) / np.count_nonzero(line)
        for line, mask in ((skeletonize(found) > 0, told), (skeletonize(told) > 0, found))
    ]
    return 2.0 * shares[0] * shares[1] / sum(shares) if sum(shares) else 0.0


def hd95_mm(found: AnyArray, told: AnyArray, spacing_mm: Floats) -> float:
    """Return the larger of the two directed 95th percentiles of surface distance.

    Surface: voxels of the mask with one of six neighbours outside it; distance: from centre
    to the nearest centre of the other surface. The percentile is taken in each direction, by
    linear interpolation, and the larger one counts (Maier-Hein et al., Nat Methods 2024;21:195;
    so does MONAI; MedPy's pools both directions, which reads lower).
    """
    here, there = (_surface_mm(mask, spacing_mm) for mask in (found, told))
    ways = (cKDTree(there).query(here)[0], cKDTree(here).query(there)[0])
    return float(max(np.percentile(way, PERCENTILE) for way in ways))


def _surface_mm(mask: AnyArray, spacing_mm: Floats) -> Floats:
    edge = mask & ~binary_erosion(mask)
    return floats(np.argwhere(edge)[:, ::-1] * spacing_mm)


def painted(trees: Sequence[CoronaryTree], grid: Grid) -> AnyArray:
    """Return the voxels of a grid whose centres lie in the lumen of trees, by its contours."""
    inside = np.zeros(array_shape(grid), dtype=bool)
    for c in trees:
        tubes = tubes_of(c.tree, BLOCK_MM, REACH_MM, 0.0, contours=c.contours)
        low, high = _around(c, grid)
        j, i = np.mgrid[low[1] : high[1], low[0] : high[0]]
        for k in range(low[2], high[2]):
            places = ijk_to_points_mm(grid, np.stack([i, j, np.full_like(i, k)], axis=-1))
            place = wall(tubes, floats(places.reshape(-1, 3)))
            here = (place.segment >= 0) & (place.distance_mm < 0)
            inside[k, low[1] : high[1], low[0] : high[0]] |= here.reshape(i.shape)
    return inside


def _around(c: CoronaryTree, grid: Grid) -> tuple[list[int], list[int]]:
    """Return first and last voxel + 1 along i, j, k around a tree."""
    ijk = points_mm_to_ijk(grid, c.tree.points_mm)
    more = (c.tree.radius_mm.max() + MARGIN_MM) / grid.spacing_mm
    low = np.clip(np.floor(ijk.min(axis=0) - more), 0, grid.size)
    high = np.clip(np.ceil(ijk.max(axis=0) + more) + 1, 0, grid.size)
    return [int(x) for x in low], [int(x) for x in high]
