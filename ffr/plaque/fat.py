"""How dense is the fat around the proximal coronary arteries?

Mean attenuation of the voxels from -190 to -30 HU, from the outer wall as far out as the
vessel is wide, around 10 to 50 mm of the RCA and the first 40 mm of LAD and LCx (Antonopoulos
et al., Sci Transl Med 2017;9:eaal2658; Oikonomou et al., Lancet 2018;392:929, CRISP-CT).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ffr.plaque.remodelling import outer_diameter_mm
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.tree import CoronaryTree, path_length_mm
from meshes.volume import Volume, ijk_to_points_mm, points_mm_to_ijk

FAT_FROM_HU, FAT_TO_HU = -190.0, -30.0
# of each vessel, from its beginning; the aortic wall is left out of the right one's
STRETCHES_MM = {"RCA": (10.0, 50.0), "LAD": (0.0, 40.0), "LCx": (0.0, 40.0)}
SHORTEST_SHARE = 0.5  # of the stretch must be there


@dataclass(frozen=True, slots=True)
class Fat:
    """Fat around one vessel.

    Parameters
    ----------
    vessel
        "RCA", "LAD" or "LCx".
    from_mm, to_mm
        Path length from the ostium of what was measured.
    attenuation_hu
        Mean of the voxels from -190 to -30 HU; None when it was not measured.
    fat_mm3
        Volume of these voxels.
    reason
        Why it was not measured; None when it was.
    """

    vessel: str
    from_mm: float
    to_mm: float
    attenuation_hu: float | None
    fat_mm3: float
    reason: str | None = None


def fat_around(
    volume: Volume, trees: Sequence[CoronaryTree], allowed: Sequence[AnyArray]
) -> tuple[Fat, ...]:
    """Measure the fat around RCA, LAD and LCx, as far as they are there.

    Each voxel belongs to the point of all trees that is nearest to it, and lies as far from
    the wall as that point's mean outer radius says.

    Parameters
    ----------
    volume
        The scan, HU.
    trees
        With walls.
    allowed
        Per tree, True where it can be judged.
    """
    points = np.concatenate([c.tree.points_mm for c in trees])
    radius = np.concatenate([_outer_radius_mm(c) for c in trees])
    known = cKDTree(points)
    before, found = 0, []
    for c, mask in zip(trees, allowed, strict=True):
        for vessel, ends in STRETCHES_MM.items():
            if vessel in c.names:
                here = _stretch(c, vessel, ends, mask)
                found.append(_measured(volume, c, vessel, ends, here, before, radius, known))
        before += len(c.tree)
    return tuple(found)


def _stretch(
    c: CoronaryTree, vessel: str, ends: tuple[float, float], allowed: AnyArray
) -> Ints:
    own = np.flatnonzero(c.branch == c.names.index(vessel))
    s = path_length_mm(c.tree)[own]
    way = s - s[0]
    return np.asarray(own[(way >= ends[0]) & (way <= ends[1]) & allowed[own]])


def _measured(
    volume: Volume, c: CoronaryTree, vessel: str, ends: tuple[float, float], here: Ints,
    before: int, radius: Floats, known: cKDTree,
) -> Fat:  # fmt: skip
    s = path_length_mm(c.tree)
    if not here.size or np.ptp(s[here]) < SHORTEST_SHARE * (ends[1] - ends[0]):
        place = (float(s[here].min()), float(s[here].max())) if here.size else (0.0, 0.0)
        return Fat(vessel, *place, None, 0.0, "less than half of the stretch was analysed")
    place = float(s[here[0]]), float(s[here[-1]])
    values, at = _fatty_voxels(volume, c.tree.points_mm[here], 3.0 * float(radius.max()))
    distance, nearest = known.query(at)
    own = np.zeros(len(radius), dtype=bool)
    own[here + before] = True
    beyond = distance - radius[nearest]
    inside = own[nearest] & (beyond > 0.0) & (beyond <= 2.0 * radius[nearest])
    if not inside.any():
        return Fat(vessel, *place, None, 0.0, "no fat was seen around it")
    amount = float(inside.sum() * np.prod(volume.grid.spacing_mm))
    return Fat(vessel, *place, float(values[inside].mean()), amount)


def _fatty_voxels(volume: Volume, points_mm: Floats, reach_mm: float) -> tuple[Floats, Floats]:
    """Return values and places of the voxels of fat in a box around points."""
    low, high = points_mm.min(axis=0) - reach_mm, points_mm.max(axis=0) + reach_mm
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T
    ijk = points_mm_to_ijk(volume.grid, corners)
    size = np.asarray(volume.grid.size)
    first = np.clip(np.floor(ijk.min(axis=0)), 0, size).astype(int)
    last = np.clip(np.ceil(ijk.max(axis=0)) + 1, 0, size).astype(int)
    part = volume.values[first[2] : last[2], first[1] : last[1], first[0] : last[0]]
    kji = np.argwhere((part >= FAT_FROM_HU) & (part <= FAT_TO_HU))
    values = part[tuple(kji.T)].astype(np.float64)
    return floats(values), ijk_to_points_mm(volume.grid, kji[:, ::-1] + first)


def _outer_radius_mm(c: CoronaryTree) -> Floats:
    outer = outer_diameter_mm(c)
    return c.tree.radius_mm if outer is None else floats(outer / 2.0)
