"""Where do the coronary arteries leave the aorta, and which voxel is reached from where?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ffr.tracing.aortic_root import Root
from ffr.tracing.paths import GAP_COST, Ground, Reached, path_back, reach
from meshes.arrays import Floats, Ints, floats
from meshes.kernels.paths import spread
from meshes.volume import Grid, ijk_to_points_mm

ONE_MOUTH_MM = 5.0  # paths that leave the aorta this close go through one ostium: a wide LM's
LEAST_VESSEL_MM3 = 30.0  # 10 mm of a vessel 2 mm wide: less is no coronary artery
ALL_AROUND = np.ones((3, 3, 3), dtype=bool)  # the 26 neighbours that paths step to
ARTERY_MM3 = 100.0  # and a whole artery of its own, from another place, has so much more,
ARTERY_MM = 30.0  # and reaches so far
INSIDE_MM = 3.0  # so deep in the aorta a tree with two mouths begins
ONE_SINUS_MM = 15.0  # between the mouths of the anterior descending and the circumflex
# Of the root's middle: vessels of the right coronary lie -26 to -3 mm to its left on average,
# those of the anterior descending and the circumflex 19 to 48 (40 virtual patients).
RIGHT_ENDS_MM = 8.0
DARK_MM = 3.0  # of wall and plaque that may part the artery from its mouth beside the aorta
FIRST_MM = 25.0  # an artery that lies against the aorta does so in its first part
TRUNK_SHARE = 0.7  # a trunk's radius over that of what it feeds: narrower is a branch
OPEN = 0.5  # of the first mouth's opening: a mouth is open, a wall that is touched is not
MOST = 0.5  # of its vessels are still reached from where an artery really begins
LEVEL_MM = 5.0  # half height of the slab in which the middle of the root is taken


class Ostium(NamedTuple):
    """The mouths of a side's arteries, flat voxels of the aortic wall, and their middle.

    There is one, or one each of the anterior descending and the circumflex, or of the right
    coronary and its conus branch: then the middle lies between them, inside the aorta.
    `sinus` is the side that they face, "" if not known.
    """

    mouths: tuple[Ints, ...]
    wall_mm: Floats
    sinus: str = ""

    @property
    def seeds(self) -> Ints:
        """Flat voxels of all mouths."""
        return np.concatenate(self.mouths)


@dataclass(frozen=True, slots=True, eq=False)
class _Wall:
    """The wall of the aorta, and what leaves it.

    Parameters
    ----------
    seeds, where
        Flat voxels and indices k, j, i of the wall.
    served
        Vessel voxels that are reached from each.
    opening
        Number of the opening that each lies in.
    paths
        The cheapest paths from all of them at once.
    blood
        Indices k, j, i of the root's blood, sorted by height, (n, 3).
    """

    seeds: Ints
    where: Ints
    served: Ints
    opening: Ints
    paths: Reached
    blood: Ints

    def ends(self, mouth: Ints) -> Ints:
        """Flat vessel voxels that a mouth serves."""
        return self.paths.voxels[np.isin(self.paths.start, self.seeds[mouth])]

    def middle(self, mouth: Ints) -> Floats:
        """Place k, j, i where most leaves by a mouth."""
        return floats(np.average(self.where[mouth], axis=0, weights=self.served[mouth]))


def find_ostia(over: Ground, root: Root, grid: Grid) -> dict[str, Ostium]:
    """Find the mouths of the left and the right coronary artery, by side.

    From the whole wall of the aorta at once the cheapest paths run to every vessel voxel;
    where most of the vessels of a side leave the wall is its ostium, unless the artery
    only touches the wall there (see `_behind`). The left one faces the patient's left and
    back, the right one the front and right (SCCT convention of the sinuses). An artery that
    none of the two reaches springs from another place (see `_elsewhere`). A side without a
    vessel is left out.
    """
    spacing = float(grid.spacing_mm[0])
    seeds = _from_wall(over, root)
    if seeds.size == 0:
        return {}
    paths = reach(over, seeds, np.zeros(0, dtype=np.int64), grid)
    served = np.bincount(np.searchsorted(seeds, paths.start), minlength=seeds.size)
    where = np.stack(np.unravel_index(seeds, over.sure.shape), axis=1)
    blood = np.argwhere(root.lumen) + [s.start for s in root.box]
    wall = _Wall(seeds, where, served, _openings(over, root, seeds), paths, blood)
    area = np.bincount(wall.opening)[wall.opening]
    mouths = _mouths(floats(where * spacing), served)
    mouths.sort(key=lambda mine: -served[mine].sum())
    chosen: dict[str, list[Ints]] = {}
    for side in ("left", "right"):
        groups = [mine for mine in mouths if _side(wall, mine) == side]
        if not groups or served[groups[0]].sum() * spacing**3 < LEAST_VESSEL_MM3:
            continue
        ends = wall.ends(groups[0])
        course = path_back(paths.parent, int(ends[np.argmax(paths.length_mm[ends])]))
        open_mm2 = [float(area[group].max()) * spacing**2 for group in groups]
        behind = _behind(over, [seeds[g] for g in groups], open_mm2, course, spacing)
        if behind and not _feeds(over, seeds[groups[behind]], ends, grid):
            behind = 0
        chosen[side] = [groups[behind]]
    _elsewhere(chosen, wall, mouths, over)
    return {side: _ostium(wall, own, grid) for side, own in sorted(chosen.items())}


def _ostium(wall: _Wall, mouths: list[Ints], grid: Grid) -> Ostium:
    """The ostium of a side: one mouth, or two."""
    spacing = float(grid.spacing_mm[0])
    places = []
    for mouth in mouths:
        busiest = mouth[np.argmax(wall.served[mouth])]
        own = wall.opening == wall.opening[busiest]
        off = np.linalg.norm(wall.where - wall.middle(mouth), axis=1) * spacing
        places.append(wall.where[own & (off <= ONE_MOUTH_MM / 2)].mean(axis=0))
    middle = np.mean(places, axis=0)
    if len(mouths) > 1:  # the chord of the wall between them is no way for a vessel
        inwards = -_from_axis(wall, middle)
        middle = middle + INSIDE_MM / spacing * inwards / np.linalg.norm(inwards)
    seeds = tuple(wall.seeds[mouth] for mouth in mouths)
    return Ostium(seeds, ijk_to_points_mm(grid, middle[::-1]), _side(wall, mouths[0]))


def _elsewhere(
    chosen: dict[str, list[Ints]], wall: _Wall, mouths: list[Ints], over: Ground
) -> None:
    """Add to the `chosen` mouths of each side those of arteries that these do not reach.

    Where both coronary arteries leave one sinus, the right one is that whose vessels lie
    right of the other's. Where anterior descending and circumflex leave by mouths of their
    own (0.4 % of people, Yamanaka & Hobbs 1990), both are the left's.
    """
    grid = wall.paths.grid
    spacing = float(grid.spacing_mm[0])
    large = [g for g in mouths if wall.served[g].sum() * spacing**3 >= ARTERY_MM3]
    for mouth in large:
        taken = [g for own in chosen.values() for g in own]
        if any(np.array_equal(mouth, g) for g in taken):
            continue
        ends = wall.ends(mouth)
        seeds = wall.seeds[np.concatenate(taken)]
        if wall.paths.length_mm[ends].max() < ARTERY_MM or _feeds(over, seeds, ends, grid):
            continue
        own = _territory(wall, mouth)
        other = "right" if own == "left" else "left"
        if own not in chosen:
            chosen[own] = [mouth]
        elif other not in chosen and _territory(wall, chosen[own][0]) == other:
            chosen[other], chosen[own] = chosen[own], [mouth]
        elif len(chosen[own]) == 1:
            apart = wall.middle(mouth) - wall.middle(chosen[own][0])
            if float(np.linalg.norm(apart)) * spacing <= ONE_SINUS_MM:
                chosen[own].append(mouth)


def _territory(wall: _Wall, mouth: Ints) -> str:
    """Side of the vessels behind a mouth: the right coronary's lie right of the root."""
    behind = wall.paths.where(wall.ends(mouth))
    left_mm = (behind[:, 2].mean() - wall.blood[:, 2].mean()) * wall.paths.spacing_mm
    return "left" if left_mm > RIGHT_ENDS_MM else "right"


def _from_wall(over: Ground, root: Root) -> Ints:
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


def _side(wall: _Wall, mouth: Ints) -> str:
    """Side of a mouth, seen from the middle of the root's blood there."""
    offset = _from_axis(wall, wall.middle(mouth))
    return "left" if offset[2] + offset[1] > 0 else "right"


def _from_axis(wall: _Wall, place: Floats) -> Floats:
    """Offset of a place (k, j, i) from the middle of the root's blood at its height."""
    slab = place[0] + np.array([-1, 1]) * LEVEL_MM / wall.paths.spacing_mm
    low, high = np.searchsorted(wall.blood[:, 0], slab)
    return floats(place - wall.blood[low:high].mean(axis=0))


def _behind(
    over: Ground, mouths: list[Ints], open_mm2: list[float], course: Ints, spacing: float
) -> int:
    """Number of the mouth that the artery really begins at; 0: it does not only touch there.

    An artery may run back to the aorta and lie against it. What lies upstream of the
    place then looks like a side branch that ends at the aorta, as wide as the vessel it
    feeds; and no side branch does that. A mouth is open: by half of the opening where the
    artery may only touch, or, since a long touch opens wide, by its own cross-section.

    Parameters
    ----------
    over
        What paths run over.
    mouths
        Flat voxels of the mouths of this side, the one with most vessels first.
    open_mm2
        Area in which blood of artery and aorta meet at each.
    course
        Flat voxels of the path from the first mouth to the far end of its vessels.
    spacing
        Voxel edge in mm.
    """
    if len(mouths) < 2:
        return 0
    total, parent = spread(over.cost, mouths[0], spacing, FIRST_MM * GAP_COST)
    shape = over.sure.shape
    main = over.radius_mm.ravel()[course[: int(FIRST_MM / spacing)]]
    wide = TRUNK_SHARE * float(np.median(main))
    blood = (over.sure | over.mouth).ravel()
    best = (0.0, 0)
    for number in range(1, len(mouths)):
        beside = _neighbours(mouths[number], shape)
        beside = beside[blood[beside] & np.isfinite(total.ravel()[beside])]
        if beside.size == 0:
            continue
        back = path_back(parent.ravel(), int(beside[np.argmin(total.ravel()[beside])]))
        radius = float(np.median(over.radius_mm.ravel()[back]))
        shared = np.isin(back, course).sum() * spacing
        length = len(back) * spacing
        dark = np.count_nonzero(~blood[back[1:]]) * spacing
        apart = shared <= ONE_MOUTH_MM
        is_open = open_mm2[number] >= min(OPEN * open_mm2[0], np.pi * radius**2)
        if length > ONE_MOUTH_MM and apart and radius >= wide and dark <= DARK_MM and is_open:
            best = max(best, (length, number))
    return best[1]


def _feeds(over: Ground, mouth: Ints, vessels: Ints, grid: Grid) -> bool:
    """Tell whether most of these vessel voxels are reached from a mouth."""
    reached = reach(over, mouth, np.zeros(0, dtype=np.int64), grid).voxels
    return bool(np.count_nonzero(np.isin(vessels, reached)) > MOST * vessels.size)


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
