"""Where do the coronary arteries leave the aorta, and which voxel is reached from where?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ffr.tracing.aortic_root import Root
from ffr.tracing.paths import GAP_COST, Ground, path_back, reach
from meshes.arrays import Floats, Ints, floats
from meshes.kernels.paths import spread
from meshes.volume import Grid, ijk_to_points_mm

ONE_MOUTH_MM = 5.0  # paths that leave the aorta this close go through one ostium: a wide LM's
LEAST_VESSEL_MM3 = 30.0  # 10 mm of a vessel 2 mm wide: less is no coronary artery
ALL_AROUND = np.ones((3, 3, 3), dtype=bool)  # the 26 neighbours that paths step to
DARK_MM = 3.0  # of wall and plaque that may part the artery from its mouth beside the aorta
FIRST_MM = 25.0  # an artery that lies against the aorta does so in its first part
TRUNK_SHARE = 0.7  # a trunk's radius over that of what it feeds: narrower is a branch
OPEN = 0.5  # of the opening that is left for it: a mouth is open, a wall that is touched is not
LEVEL_MM = 5.0  # half height of the slab in which the middle of the root is taken


class Ostium(NamedTuple):
    """The mouth of an artery: voxels of the aortic wall (flat), and their middle."""

    seeds: Ints
    wall_mm: Floats


def find_ostia(over: Ground, root: Root, grid: Grid) -> dict[str, Ostium]:
    """Find the mouths of the left and the right coronary artery, by side.

    From the whole wall of the aorta at once the cheapest paths run to every vessel voxel;
    where most of the vessels of a side leave the wall is its ostium, unless the artery
    only touches the wall there (see `_behind`). The left one faces the patient's left and
    back, the right one the front and right (SCCT convention of the sinuses). A side
    without a vessel is left out.
    """
    spacing = float(grid.spacing_mm[0])
    seeds = _wall(over, root)
    if seeds.size == 0:
        return {}
    paths = reach(over, seeds, np.zeros(0, dtype=np.int64), grid)
    served = np.bincount(np.searchsorted(seeds, paths.start), minlength=seeds.size)
    where = np.stack(np.unravel_index(seeds, over.sure.shape), axis=1)
    opening = _openings(over, root, seeds)
    area = np.bincount(opening)[opening]
    blood = np.argwhere(root.lumen) + [s.start for s in root.box]
    mouths: dict[str, list[Ints]] = {"left": [], "right": []}
    for mine in _mouths(floats(where * spacing), served):
        middle = np.average(where[mine], axis=0, weights=served[mine])
        mouths[_side(middle, blood, spacing)].append(mine)
    found: dict[str, Ostium] = {}
    for side, groups in mouths.items():
        groups.sort(key=lambda mine: -served[mine].sum())
        if not groups or served[groups[0]].sum() * spacing**3 < LEAST_VESSEL_MM3:
            continue
        ends = paths.voxels[np.isin(paths.start, seeds[groups[0]])]
        leaf = int(ends[np.argmax(paths.length_mm[ends])])
        course = path_back(paths.parent, leaf)
        open_to = [area[group].max() for group in groups]
        others = [g for g, a in zip(groups, open_to, strict=True) if a >= OPEN * open_to[0]][1:]
        behind = _behind(over, seeds[groups[0]], [seeds[g] for g in others], course, spacing)
        chosen = groups[0] if behind is None else others[behind]
        middle = np.average(where[chosen], axis=0, weights=served[chosen])
        busiest = chosen[np.argmax(served[chosen])]
        own = opening == opening[busiest]
        own &= np.linalg.norm(where - middle, axis=1) * spacing <= ONE_MOUTH_MM / 2
        middle = where[own].mean(axis=0)
        found[side] = Ostium(seeds[chosen], ijk_to_points_mm(grid, middle[::-1]))
    return found


def _wall(over: Ground, root: Root) -> Ints:
    """Flat voxels of the aortic lumen's surface that paths can leave from."""
    edge = np.zeros(over.sure.shape, dtype=bool)
    shell = root.lumen & ~ndimage.binary_erosion(root.lumen, ALL_AROUND, border_value=1)
    edge[root.box] = shell & ndimage.binary_dilation(over.cost[root.box] > 0, ALL_AROUND)
    return np.flatnonzero(edge)


def _openings(over: Ground, root: Root, seeds: Ints) -> Ints:
    """Number of the opening in the wall that each seed lies in, its own where it is closed.

    An opening is where the blood of aorta and artery meet. Its middle is where the axis of
    the artery crosses the wall, at whatever angle.
    """
    open_wall = root.lumen & ndimage.binary_dilation(over.mouth[root.box], ALL_AROUND)
    parts, count = ndimage.label(open_wall, structure=ALL_AROUND)
    whole = np.zeros(over.sure.shape, dtype=np.int64)
    whole[root.box] = parts
    number = whole.ravel()[seeds]
    closed = number == 0
    return np.where(closed, count + 1 + np.arange(seeds.size), number)


def _side(middle: Floats, blood: Ints, spacing: float) -> str:
    """Side of a mouth (k, j, i), seen from the middle of the root's blood (n, 3) there."""
    low, high = np.searchsorted(blood[:, 0], middle[0] + np.array([-1, 1]) * LEVEL_MM / spacing)
    level = blood[low:high]  # by height: `argwhere` sorts
    offset = middle - level.mean(axis=0)
    return "left" if offset[2] + offset[1] > 0 else "right"


def _behind(
    over: Ground, seeds: Ints, others: list[Ints], course: Ints, spacing: float
) -> int | None:
    """Number of the mouth that the artery really begins at, when it only touches at `seeds`.

    An artery may run back to the aorta and lie against it. What lies upstream of the
    place then looks like a side branch that ends at the aorta, as wide as the vessel it
    feeds; and no side branch does that.

    Parameters
    ----------
    over
        What paths run over.
    seeds
        The mouth with most vessels.
    others
        The other mouths of this side.
    course
        Flat voxels of the path from the mouth to the far end of its vessels.
    spacing
        Voxel edge in mm.
    """
    if not others:
        return None
    total, parent = spread(over.cost, seeds, spacing, FIRST_MM * GAP_COST)
    shape = over.sure.shape
    main = over.radius_mm.ravel()[course[: int(FIRST_MM / spacing)]]
    wide = TRUNK_SHARE * float(np.median(main))
    blood = (over.sure | over.mouth).ravel()
    best: tuple[float, int] | None = None
    for number, other in enumerate(others):
        beside = _neighbours(other, shape)
        beside = beside[blood[beside] & np.isfinite(total.ravel()[beside])]
        if beside.size == 0:
            continue
        back = path_back(parent.ravel(), int(beside[np.argmin(total.ravel()[beside])]))
        radius = over.radius_mm.ravel()[back]
        shared = np.isin(back, course).sum() * spacing
        length = len(back) * spacing
        dark = np.count_nonzero(~blood[back[1:]]) * spacing
        apart = shared <= ONE_MOUTH_MM
        if length > ONE_MOUTH_MM and apart and np.median(radius) >= wide and dark <= DARK_MM:
            best = max(best or (0.0, -1), (length, number))
    return None if best is None else best[1]


def _neighbours(voxels: Ints, shape: tuple[int, ...]) -> Ints:
    """Flat voxels beside these, 26 around each, inside the grid."""
    where = np.stack(np.unravel_index(voxels, shape), axis=1)
    around = (where[:, None] + (np.argwhere(ALL_AROUND) - 1)[None]).reshape(-1, 3)
    inside = np.all((around >= 0) & (around < np.array(shape)), axis=1)
    return np.unique(np.ravel_multi_index(tuple(around[inside].T), shape))


def _mouths(where_mm: Floats, served: Ints) -> list[Ints]:
    """Group the seeds that serve vessels; the busiest seed gathers those around it first."""
    free = served > 0
    mouths = []
    while free.any():
        busiest = int(np.argmax(np.where(free, served, -1)))
        close = np.linalg.norm(where_mm - where_mm[busiest], axis=1) <= ONE_MOUTH_MM / 2
        mouths.append(np.flatnonzero(free & close))
        free &= ~close
    return mouths
