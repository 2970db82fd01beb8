"""Is the vessel wider on the outside where its lumen is narrowed?

Positive remodelling: the outer diameter at the lesion is 10 % or more above the mean of the
normal outer diameters before and behind it (Asian Society of Cardiovascular Imaging,
Korean J Radiol 2024, PMC10973734; after CAD-RADS, Cury 2016). Intravascular ultrasound
compares areas, which is the square of this index (Mintz 2001).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshes.arrays import AnyArray, Floats, floats
from meshes.contours import area_radius_mm
from meshes.stenosis import Lesion
from meshes.tree import CoronaryTree, path_length_mm, path_to

POSITIVE_FROM = 1.1
AT_THROAT_MM = 1.0  # to either side: the mean takes out the noise of single sections
REFERENCE_MM = 5.0  # of normal vessel, before and behind
FEWEST = 3  # points that make a reference
NO_WALL_MM = 1e-6


def remodelling_index(
    c: CoronaryTree, lesion: Lesion, lesions: Sequence[Lesion]
) -> float | None:
    """Return outer diameter at the throat over the mean of those before and behind.

    Before and behind: 5 mm of the same vessel without a lesion and with a wall in sight; one
    side is enough. None where neither shows 3 such points, or no wall is seen at the throat.
    """
    outer = outer_diameter_mm(c)
    if outer is None:
        return None
    s, own = path_length_mm(c.tree), c.branch == c.branch[lesion.throat]
    seen = wall_seen(c)
    at = own & seen & (np.abs(s - s[lesion.throat]) <= AT_THROAT_MM)
    normal = own & seen & ~in_lesions(c, lesions)
    before = normal & (s < s[lesion.start]) & (s >= s[lesion.start] - REFERENCE_MM)
    behind = normal & (s > s[lesion.end]) & (s <= s[lesion.end] + REFERENCE_MM)
    sides = [float(outer[x].mean()) for x in (before, behind) if x.sum() >= FEWEST]
    if not sides or not at.any():
        return None
    return float(outer[at].mean()) / float(np.mean(sides))


def outer_diameter_mm(c: CoronaryTree) -> Floats | None:
    """Return the diameter of the circle with the area inside the outer wall, shape (n,)."""
    return None if c.walls is None else floats(2.0 * area_radius_mm(c.walls.radius_mm))


def wall_seen(c: CoronaryTree) -> AnyArray:
    """Return True where the outer wall lies outside the lumen, shape (n,)."""
    if c.walls is None or c.contours is None:
        return np.zeros(len(c.tree), dtype=bool)
    gap = c.walls.radius_mm - c.contours.radius_mm
    return np.asarray(gap.max(axis=1) > NO_WALL_MM)


def in_lesions(c: CoronaryTree, lesions: Sequence[Lesion]) -> AnyArray:
    """Return True on the stretches of lesions, shape (n,)."""
    inside = np.zeros(len(c.tree), dtype=bool)
    for x in lesions:
        inside[lesion_points(c, x)] = True
    return inside


def lesion_points(c: CoronaryTree, lesion: Lesion) -> AnyArray:
    """Return the indices of a lesion's points, from start to end."""
    way = path_to(c.tree, lesion.end)
    return way[np.searchsorted(way, lesion.start) :]
