"""Where do the coronary arteries leave the aorta, and which voxel is reached from where?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ffr.aortic_root import Root
from meshes.arrays import AnyArray, Floats, Ints
from meshes.distance import inside_mm, outside_mm
from meshes.kernels.paths import spread
from meshes.volume import Grid, ijk_to_points_mm

GAP_COST = 40.0  # cost per mm where there is no sign of a vessel
GAP_MM = 3.0  # longest stretch without evidence that a path may cross: beyond, veins join in
LEAST_SPEED = 0.2  # mm: of a path at the lumen's edge, where the depth is nothing
MOUTH_MM = 3.0  # the vessel map may begin this far from the aortic wall
ONE_MOUTH_MM = 5.0  # paths that leave the aorta this close go through one ostium: a wide LM's
LEAST_VESSEL_MM3 = 30.0  # 10 mm of a vessel 2 mm wide: less is no coronary artery
ALL_AROUND = np.ones((3, 3, 3), dtype=bool)  # the 26 neighbours that paths step to
LEVEL_MM = 5.0  # half height of the slab in which the middle of the root is taken


class Ground(NamedTuple):
    """What paths run over, on the vessel grid.

    Parameters
    ----------
    cost
        Per mm, 0 where no path goes, float32.
    depth_mm
        Distance to the lumen's surface, float32.
    sure
        Voxels that are vessel.
    """

    cost: AnyArray
    depth_mm: AnyArray
    sure: AnyArray


class Ostium(NamedTuple):
    """The mouth of an artery: voxels of the aortic wall (flat), and their middle."""

    seeds: Ints
    wall_mm: Floats


def ground(probability: AnyArray, sure: AnyArray, root: Root, spacing: float) -> Ground:
    """Return the cost of paths: low deep inside the lumen, high without evidence.

    Speed grows with the square of the depth under the lumen's surface, so paths keep to
    the middle of wide vessels instead of cutting corners. At the aorta the scan has its
    say: bright blood joins the artery to the aorta where the vessel map stops short of
    the wall, and dark wall parts them where the artery runs beside it.

    Parameters
    ----------
    probability
        Of vessel, 0 to 1, float32.
    sure
        Voxels that count as vessel.
    root
        The aorta.
    spacing
        Voxel edge in mm.
    """
    depth = inside_mm(sure, spacing)
    chance = probability.copy()
    aorta = outside_mm(root.lumen, spacing)
    zone = (aorta > 0) & (aorta <= MOUTH_MM)
    bright = root.brightness > 0.5
    joined = (sure[root.box] & ~(zone & ~bright)) | (zone & bright & ~root.wide) | root.lumen
    near = chance[root.box]
    near[zone] = np.clip(root.brightness, 0.0, 1.0)[zone] * (joined | sure[root.box])[zone]
    depth[root.box] = np.where(
        aorta <= 2 * MOUTH_MM, inside_mm(joined, spacing), depth[root.box]
    )
    cost = 1.0 / (chance * (LEAST_SPEED + depth) ** 2 + 1.0 / GAP_COST)
    # no path leaves the neighbourhood of what may be vessel: gaps are bridged, not wandered
    possible = sure.copy()
    possible[root.box] |= joined & zone
    reach = 2 * round(GAP_MM / spacing) + 1
    cost[ndimage.maximum_filter(possible, size=reach) == 0] = 0.0
    cost[root.box][root.wide | root.lumen] = 0.0
    return Ground(cost.astype(np.float32), depth, sure)


def find_ostia(over: Ground, root: Root, grid: Grid) -> dict[str, Ostium]:
    """Find the mouths of the left and the right coronary artery, by side.

    From the whole wall of the aorta at once the cheapest paths run to every vessel voxel;
    where most of the vessels of a side leave the wall is its ostium. The left one faces
    the patient's left and back, the right one the front and right (SCCT convention of the
    sinuses). A side without a vessel is left out.
    """
    spacing = float(grid.spacing_mm[0])
    shape = over.sure.shape
    edge = np.zeros(shape, dtype=bool)
    shell = root.lumen & ~ndimage.binary_erosion(root.lumen, ALL_AROUND, border_value=1)
    edge[root.box] = shell
    beside = ndimage.binary_dilation(over.cost[root.box] > 0, ALL_AROUND)
    edge[root.box] &= beside
    seeds = np.flatnonzero(edge)
    if seeds.size == 0:
        return {}
    _, parent = spread(over.cost, seeds, spacing, 1e9)
    start = starts(parent.ravel(), np.flatnonzero(over.sure))
    served = np.bincount(np.searchsorted(seeds, start[start >= 0]), minlength=seeds.size)
    mouths = _mouths(seeds, served, shape, spacing)
    where = np.argwhere(root.lumen) + [s.start for s in root.box]
    best: dict[str, tuple[float, Ostium]] = {}
    for mine in mouths:
        ijk = np.stack(np.unravel_index(seeds[mine], shape), axis=1)
        middle = np.average(ijk, axis=0, weights=served[mine])
        level = where[np.abs(where[:, 0] - middle[0]) * spacing <= LEVEL_MM]
        offset = middle - level.mean(axis=0)
        side = "left" if offset[2] + offset[1] > 0 else "right"
        size = float(served[mine].sum()) * spacing**3
        if size >= max(LEAST_VESSEL_MM3, best[side][0] if side in best else 0.0):
            best[side] = (size, Ostium(seeds[mine], ijk_to_points_mm(grid, middle[::-1])))
    return {side: ostium for side, (_, ostium) in best.items()}


def starts(parent: Ints, voxels: Ints) -> Ints:
    """Return the flat seed voxel that the path to each voxel starts from, -1: not reached."""
    at = np.array(voxels, dtype=np.int64)
    moving = parent[at] >= 0
    reached = moving.copy()
    while moving.any():
        at[moving] = parent[at[moving]]
        moving[moving] = parent[at[moving]] >= 0
    return np.where(reached, at, -1)


def _mouths(seeds: Ints, served: Ints, shape: tuple[int, ...], spacing: float) -> list[Ints]:
    """Group the seeds that serve vessels; the busiest seed gathers those around it first."""
    where = np.stack(np.unravel_index(seeds, shape), axis=1) * spacing
    free = served > 0
    mouths = []
    while free.any():
        busiest = int(np.argmax(np.where(free, served, -1)))
        close = free & (np.linalg.norm(where - where[busiest], axis=1) <= ONE_MOUTH_MM / 2)
        mouths.append(np.flatnonzero(close))
        free &= ~close
    return mouths
