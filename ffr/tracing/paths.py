"""Along which voxels can vessels run, and from where is each voxel reached?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ffr.tracing.aortic_root import Root
from meshes.arrays import AnyArray, Ints
from meshes.distance import inside_mm, outside_mm
from meshes.kernels.paths import longest_gaps, path_lengths, spread
from meshes.volume import Grid, array_shape

GAP_COST = 40.0  # cost per mm where there is no sign of a vessel
SLIT_MM = 1.0  # longest gap in a vessel map that a path may cross: noise; beyond, veins join in
GAP_MM = 3.0  # the same in a mask, which has no veins
LINK_COST = 1.0  # per mm of a bridge: judged to be vessel, it costs as much as a thin one
LEAST_SPEED = 0.2  # mm: of a path at the lumen's edge, where the depth is nothing
AROUND_MM = 5.0  # edge of the cube in which a vessel shows how bright it is
MOUTH_MM = 3.0  # the vessel map may begin this far from the aortic wall
BEGINS_MM = 4.0  # and a voxel of the mouth this far from there, where a vessel leaves aslant


class Ground(NamedTuple):
    """What paths run over, on the vessel grid.

    Parameters
    ----------
    cost
        Per mm, 0 where no path goes, float32.
    radius_mm
        Largest distance to the lumen's surface in the voxel or beside it: the axis may run
        between voxels; float32.
    sure
        Voxels that are vessel.
    mouth
        Blood of vessels close to the aorta, whether or not the map says vessel.
    gap_mm
        Longest stretch without evidence that a path may cross.
    """

    cost: AnyArray
    radius_mm: AnyArray
    sure: AnyArray
    mouth: AnyArray
    gap_mm: float = SLIT_MM


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """How the cheapest paths from the ostia reach every voxel; arrays are flat.

    Parameters
    ----------
    grid
        The vessel grid.
    radius_mm
        Depth of the lumen around each voxel, float32.
    evidence
        True in vessel voxels and in what bridges a tight stenosis.
    links
        The latter voxels.
    parent
        Previous voxel, -1 at the seeds and where not reached.
    length_mm
        Length of the path, float32.
    voxels
        Vessel voxels that are reached without too long a gap.
    start
        The seed that the path to each of these starts from.
    """

    grid: Grid
    radius_mm: AnyArray
    evidence: AnyArray
    links: frozenset[int]
    parent: AnyArray
    length_mm: AnyArray
    voxels: Ints
    start: Ints

    @property
    def spacing_mm(self) -> float:
        """Voxel edge."""
        return float(self.grid.spacing_mm[0])

    def where(self, voxels: Ints) -> Ints:
        """Indices k, j, i of flat voxels, shape (n, 3)."""
        return np.stack(np.unravel_index(voxels, array_shape(self.grid)), axis=1)


def reach(over: Ground, seeds: Ints, links: Ints, grid: Grid) -> Reached:
    """Run cheapest paths from the seeds over all that may be vessel.

    Parameters
    ----------
    over
        What the paths run over.
    seeds
        Flat voxels of the mouths of all ostia.
    links
        Flat voxels that bridge tight stenoses.
    grid
        The vessel grid.
    """
    spacing, shape = float(grid.spacing_mm[0]), np.array(over.sure.shape)
    cost, evidence = over.cost, over.sure | over.mouth
    if links.size:
        cost = cost.copy()
        np.put(cost, links, LINK_COST)
        np.put(evidence, links, True)
    total, parent = spread(cost, seeds, spacing, np.inf)
    reached = np.flatnonzero(np.isfinite(total.ravel()))
    order = reached[np.argsort(total.ravel()[reached], kind="stable")]
    length = path_lengths(order, parent, shape, spacing)
    gap = longest_gaps(order, parent, evidence, shape, spacing)
    voxels = reached[over.sure.ravel()[reached]]
    voxels = voxels[gap[voxels] <= over.gap_mm]  # over more, `ffr.tracing.bridging` decides
    return Reached(
        grid, over.radius_mm.ravel(), evidence.ravel(), frozenset(links.tolist()),
        parent.ravel(), length, voxels, starts(parent.ravel(), voxels),
    )  # fmt: skip


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
    near_sure = sure[root.box]
    dark = zone & (root.brightness < 0.5 * _own_brightness(root, near_sure, spacing))
    blood = zone & (root.brightness > 0.5) & ~root.wide
    blood &= outside_mm(near_sure, spacing) <= BEGINS_MM
    joined = (near_sure & ~dark) | blood | root.lumen
    near = chance[root.box]
    near[zone] = np.clip(root.brightness, 0.0, 1.0)[zone] * (joined | near_sure)[zone]
    depth[root.box] = np.where(
        aorta <= 2 * MOUTH_MM, inside_mm(joined, spacing), depth[root.box]
    )
    cost = 1.0 / (chance * (LEAST_SPEED + depth) ** 2 + 1.0 / GAP_COST)
    # no path leaves the neighbourhood of what may be vessel: gaps are bridged, not wandered
    possible = sure.copy()
    possible[root.box] |= joined & zone
    reach = 2 * math.ceil(0.5 * SLIT_MM / spacing) + 3  # half way from either end, and one
    cost[ndimage.maximum_filter(possible, size=reach) == 0] = 0.0
    cost[root.box][root.lumen | (root.wide & ~near_sure)] = 0.0
    mouth = np.zeros_like(sure)
    mouth[root.box] = joined & zone
    return Ground(cost.astype(np.float32), ndimage.maximum_filter(depth, 3), sure, mouth)


def _own_brightness(root: Root, sure: AnyArray, spacing: float) -> AnyArray:
    """Mean brightness of the vessels around each voxel: blur dims a thin one."""
    size = 2 * round(0.5 * AROUND_MM / spacing) + 1
    count = ndimage.uniform_filter(sure.astype(np.float32), size)
    total = ndimage.uniform_filter(root.brightness * sure, size)
    return np.asarray(total / np.maximum(count, 1e-6))


def starts(parent: Ints, voxels: Ints) -> Ints:
    """Return the flat seed voxel that the path to each voxel starts from, -1: not reached."""
    at = np.array(voxels, dtype=np.int64)
    moving = parent[at] >= 0
    reached = moving.copy()
    while moving.any():
        at[moving] = parent[at[moving]]
        moving[moving] = parent[at[moving]] >= 0
    return np.where(reached, at, -1)


def path_back(parent: Ints, voxel: int) -> Ints:
    """Return the flat voxels from the seed to a voxel."""
    path = [voxel]
    while parent[path[-1]] >= 0:
        path.append(int(parent[path[-1]]))
    return np.array(path[::-1])
