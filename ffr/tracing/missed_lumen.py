"""Lumen that the vessel map has missed: a thin bright way between two of its pieces.

The network takes an artery that runs through the myocardium, or close by something brighter,
for a vein or for nothing, though the scan shows its lumen plainly.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ffr.anatomy import Vessel
from ffr.tracing.lumen_level import LEAST_PIECE_MM, lumen_hu
from ffr.tracing.paths import path_back
from meshes.arrays import AnyArray, Ints
from meshes.distance import inside_mm, outside_mm
from meshes.kernels.paths import spread
from meshes.resample import resampled
from meshes.volume import Grid, Volume

SMOOTHING_VOXELS = 0.4  # against noise; more would cost a lumen of 1.3 mm its contrast
WIDEST_MM = 2.5  # radius: what is wider is a chamber or the aorta, not lumen that was missed
RIM_MM = 1.5  # of a chamber: blur and trabeculae
LONGEST_MM = 60.0  # myocardial bridges are rarely so long (judgement)
LEAST_VEIN_VOXELS = 200  # core of the mapped veins that tells how bright they are
BRIGHT_VEINS = 0.75  # of the blood: veins so bright cannot be told from arteries
UNSEEN_VEINS = 0.85  # of the blood: where no vein is seen, what is brighter is none
SHORT_MM = 20.0  # and a vein that joins two arteries, late in a scan, is longer
ARTERY_SHARE = 1 / 3  # of the way from veins to blood: blur dims a thin artery that much
COARSE = 2  # chambers are found on every second voxel
INSIDE_COST = 1e-3  # per mm within what the map has; a way counts where it has nothing
LEAST_DEPTH_MM = 0.3  # ways keep to the middle, and still pass a lumen of one voxel


def missed_lumen(
    scan: Volume, blood_hu: float, sure: AnyArray, labels: AnyArray, grid: Grid
) -> AnyArray:
    """Return a mask of the lumen between pieces of the vessel map that it has missed.

    Pieces of at least 12 mm are joined where everything on a way of at most 60 mm between
    them is brighter than half way from tissue to blood, thinner than 5 mm and no rim of a
    chamber.
    Voxels that the map calls a vein count only where they are brighter than that scan's own
    veins (what is wide and bright is a pulmonary vein and none of them, what joins two pieces
    is what is asked), by a third of what these lack to the blood of the aorta, and not at all
    where the veins are nearly as bright. Where no vein is seen they count from 0.85 of the
    blood on, in parts of at most 20 mm.

    Parameters
    ----------
    scan
        HU, any grid.
    blood_hu
        Attenuation in the aorta.
    sure
        Voxels that count as vessel, on the vessel grid.
    labels
        `Vessel` values, on the vessel grid.
    grid
        The vessel grid.

    Returns
    -------
    missed
        Mask on the vessel grid: ways and the lumen around them.
    """
    spacing = float(grid.spacing_mm[0])
    missed = np.zeros(sure.shape, dtype=bool)
    parts, number = ndimage.label(sure, structure=np.ones((3, 3, 3), dtype=bool))
    boxes = ndimage.find_objects(parts)
    long = [n + 1 for n, box in enumerate(boxes) if _size_mm(box, spacing) >= LEAST_PIECE_MM]
    if blood_hu <= 0 or len(long) < 2:
        return missed
    pieces = np.where(np.isin(np.arange(number + 1), long), np.arange(number + 1), 0)[parts]
    thin = _thin_lumen(scan, blood_hu, labels, pieces, grid)
    joint, _ = ndimage.label(thin | (pieces > 0), structure=np.ones((3, 3, 3), dtype=bool))
    for n, box in enumerate(ndimage.find_objects(joint)):
        zone = joint[box] == n + 1
        own = np.where(zone, pieces[box], 0)
        if len(np.unique(own[own > 0])) < 2:
            continue
        ways = _ways(zone, own, spacing)
        missed[box] |= _lumen_around(ways, zone & (own == 0), spacing)
    return missed


def _size_mm(box: tuple[slice, ...], spacing: float) -> float:
    """Diagonal of a box."""
    return spacing * float(np.linalg.norm([s.stop - s.start for s in box]))


def _thin_lumen(
    scan: Volume, blood_hu: float, labels: AnyArray, pieces: AnyArray, grid: Grid
) -> AnyArray:
    """What may be lumen by its attenuation and its width."""
    spacing = float(grid.spacing_mm[0])
    hu = resampled(scan, grid, outside=-1000.0).values.astype(np.float32)
    hu = ndimage.gaussian_filter(hu, SMOOTHING_VOXELS)
    bright = hu > lumen_hu(blood_hu)
    every = (slice(None, None, COARSE),) * 3
    core = inside_mm(bright[every], COARSE * spacing) > WIDEST_MM
    wide = outside_mm(core, COARSE * spacing) <= WIDEST_MM + RIM_MM
    for axis, size in enumerate(bright.shape):
        wide = np.repeat(wide, COARSE, axis=axis).take(np.arange(size), axis=axis)
    vein = labels == Vessel.VEIN
    # pulmonary veins and the appendage, full of the left heart's blood, are no measure of
    # the heart's own veins
    witness = ndimage.binary_erosion(vein, iterations=2) & ~wide
    asked, short = _joining(vein & bright, pieces, spacing)
    inner = hu[witness & ~asked]
    if inner.size < LEAST_VEIN_VOXELS:
        vein &= (hu < UNSEEN_VEINS * blood_hu) | ~short
    elif np.median(inner) < BRIGHT_VEINS * blood_hu:
        vein &= hu < (1.0 - ARTERY_SHARE) * float(np.median(inner)) + ARTERY_SHARE * blood_hu
    return np.asarray(bright & ~wide & ~vein)


def _joining(mask: AnyArray, pieces: AnyArray, spacing: float) -> tuple[AnyArray, AnyArray]:
    """The parts of a mask that touch two or more of the numbered pieces; the short of them."""
    parts, count = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=bool))
    beside = ndimage.maximum_filter(parts, 3)
    touched = (pieces > 0) & (beside > 0)
    pairs = np.unique(np.stack([beside[touched], pieces[touched]]), axis=1)
    several = np.bincount(pairs[0], minlength=count + 1) > 1
    several[0] = False
    boxes = ndimage.find_objects(parts)
    short = np.array([False, *(_size_mm(box, spacing) <= SHORT_MM for box in boxes)])
    return several[parts], (several & short)[parts]


def _ways(zone: AnyArray, own: AnyArray, spacing: float) -> list[Ints]:
    """Voxels k, j, i of the cheapest ways that join the pieces in a zone to the largest."""
    sizes = np.bincount(own.ravel())
    sizes[0] = 0
    joined, rest = [int(sizes.argmax())], set(np.flatnonzero(sizes).tolist())
    rest -= set(joined)
    dear = np.where(zone, 1.0 / (LEAST_DEPTH_MM + inside_mm(zone, spacing)) ** 2, 0.0)
    cost = np.where(own > 0, INSIDE_COST, dear).astype(np.float32)
    found: list[Ints] = []
    while rest:
        total, parent = spread(cost, np.flatnonzero(np.isin(own, joined)), spacing, np.inf)
        ends = [_cheapest(total, own == piece, piece) for piece in sorted(rest)]
        way = min(ends)
        kji = np.stack(np.unravel_index(path_back(parent.ravel(), way[2]), own.shape), axis=1)
        if np.linalg.norm(np.diff(kji, axis=0), axis=1).sum() * spacing <= LONGEST_MM:
            found.append(kji)
        joined.append(way[1])
        rest.discard(way[1])
    return found


def _cheapest(total: AnyArray, piece: AnyArray, number: int) -> tuple[float, int, int]:
    """Where a piece is reached at least cost: that cost, its number, the flat voxel."""
    voxels = np.flatnonzero(piece)
    at = int(voxels[np.argmin(total.ravel()[voxels])])
    return float(total.ravel()[at]), number, at


def _lumen_around(ways: list[Ints], free: AnyArray, spacing: float) -> AnyArray:
    """The lumen that the ways run through: what is as near as the lumen is deep there."""
    lumen = np.zeros(free.shape, dtype=bool)
    if not ways:
        return lumen
    along = np.zeros(free.shape, dtype=bool)
    along[tuple(np.concatenate(ways).T)] = True
    near = outside_mm(along, spacing) <= WIDEST_MM
    parts, _ = ndimage.label(free & near)
    kept = np.unique(parts[along & free])
    return np.asarray(np.isin(parts, kept[kept > 0]) | (along & free))
