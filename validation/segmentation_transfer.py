"""Which place of a found tree is which place of the true one? To move radii across.

With found radii on the true tree, everything else is the truth's: course, outlets, beds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from meshes.arrays import AnyArray, Floats, Ints, floats, ints, locked
from meshes.tree import CoronaryTree, VesselTree, outlets, path_length_mm, path_to
from validation.agreement import LEAST_RADIUS_MM, STEP_MM


@dataclass(frozen=True, slots=True, eq=False)
class Partner:
    """The place of a found tree that belongs to each point of the true tree of its side.

    Parameters
    ----------
    above, below
        Found points on either side of the place, shape (n,); 0 where there is none.
    part
        Share of the way from `above` to `below`, shape (n,).
    reached
        Where there is one, shape (n,).
    """

    above: Ints
    below: Ints
    part: AnyArray
    reached: AnyArray

    def moved(self, found: Floats, otherwise: Floats) -> Floats:
        """Return values of found points at the true ones, `otherwise` where not reached."""
        here = (1.0 - self.part) * found[self.above] + self.part * found[self.below]
        return floats(np.where(self.reached, here, otherwise))


def partner(found: CoronaryTree | None, true: CoronaryTree) -> Partner:
    """Follow each true path, longest first, along the found path that goes furthest with it.

    From the last point of a true path that a found centreline touches the found tree leads
    back to its ostium; the points of the true path get the nearest places on that way. So at
    a division each vessel meets its own, and a wrong way is not taken for the right one.
    """
    n = len(true.tree)
    above, below = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    part, reached, asked = np.zeros(n), np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    made = Partner(ints(above), ints(below), locked(part), locked(reached))
    if found is None:
        return made
    reach = np.maximum(true.reference_radius_mm, LEAST_RADIUS_MM)
    off, closest = cKDTree(found.tree.points_mm).query(true.tree.points_mm)
    touched = np.asarray(off) <= reach
    ends = outlets(true.tree)
    for end in ends[np.argsort(-path_length_mm(true.tree)[ends], kind="stable")]:
        path = path_to(true.tree, int(end))
        new = path[~asked[path]]
        asked[path] = True
        if not touched[path].any():
            continue
        last = int(np.asarray(closest)[path[touched[path]][-1]])
        way = path_to(found.tree, last)
        place, first, share = _fine(found.tree.points_mm[way])
        distance, index = cKDTree(place).query(true.tree.points_mm[new])
        at = np.asarray(index)
        above[new], below[new] = way[first[at]], way[np.minimum(first[at] + 1, len(way) - 1)]
        part[new], reached[new] = share[at], np.asarray(distance) <= reach[new]
    return Partner(ints(above), ints(below), locked(part), locked(reached))


def _fine(points_mm: Floats) -> tuple[Floats, Ints, Floats]:
    """Cut a way finely: places, the point before each, and the share of the way beyond it."""
    if len(points_mm) < 2:
        return points_mm, ints([0]), floats([0.0])
    each = np.linalg.norm(np.diff(points_mm, axis=0), axis=1)
    count = np.maximum(np.ceil(each / STEP_MM), 1).astype(int)
    first = np.repeat(np.arange(count.size), count)
    share = (np.arange(first.size) - np.repeat(np.cumsum(count) - count, count)) / count[first]
    place = points_mm[first] + share[:, None] * np.diff(points_mm, axis=0)[first]
    return floats(place), ints(first), floats(share)


def with_radii(true: CoronaryTree, link: Partner, radius_mm: Floats) -> CoronaryTree:
    """Return the true tree with found radii where it is reached, its own elsewhere."""
    moved = link.moved(radius_mm, true.tree.radius_mm)
    return replace(true, tree=VesselTree(true.tree.points_mm, moved, true.tree.parent))


def of_side(trees: Sequence[CoronaryTree], side: str) -> int | None:
    """Return the number of the tree of a side, None if it is not there."""
    return next((k for k, c in enumerate(trees) if c.side == side), None)
