"""Where are apex, septum and grooves of this heart?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ffr.anatomy import Anatomy
from meshes.arrays import AnyArray, Floats, floats
from meshes.components import largest_component
from meshes.errors import GeometryError
from meshes.tree import VesselTree, segment_length_mm
from meshes.volume import Volume, ijk_to_points_mm

# A supine adult heart in LPS, for what the labels do not show (judgement).
USUAL_APEX = (0.65, -0.5, -0.57)
USUAL_SEPTUM = (-0.8, -0.6, 0.1)
USUAL_LENGTH_MM = 85.0  # outer length of the left ventricle, base to apex
SLENDERNESS = 0.42  # its outer radius over that length
# The septum takes 120 degrees of the short axis: the six segments of a ring are 60 degrees
# each and two of them are septal (Cerqueira 2002).
USUAL_GROOVE_RAD = np.pi / 3
GROOVE_RANGE_RAD = (0.6, 1.5)  # believed from labels
WALL_MM = 4.0  # from the edge of the right ventricle's blood to the vessel in the groove
CONTACT_MM = 7.0  # two chambers this close are neighbours
LONG_BRANCH_MM = 25.0  # of a left tree: no branch of the trunk itself is that long
FEWEST_VOXELS = 40  # of a chamber that is believed


@dataclass(frozen=True, slots=True, eq=False)
class HeartFrame:
    """The landmarks that give coronary arteries their names, in patient coordinates (LPS).

    Parameters
    ----------
    base_mm
        Middle of the base of the left ventricle, in the plane of the mitral valve, shape (3,).
    apex_direction, septal_direction, anterior_direction
        Orthonormal: base to apex, towards the septum, towards the anterior wall; shape (3,).
    length_mm, radius_mm
        Outer length, base to apex, and largest outer radius of the left ventricle.
    anterior_groove_rad, inferior_groove_rad
        Angles of the interventricular grooves about the long axis: 0 at the middle of the
        septum, a quarter turn at the anterior wall; so one is positive, one negative.
    right_groove_mm, right_groove_normal
        Middle of the right atrioventricular groove and the unit normal of its plane,
        from atrium to ventricle, shape (3,).
    """

    base_mm: Floats
    apex_direction: Floats
    septal_direction: Floats
    anterior_direction: Floats
    length_mm: float
    radius_mm: float
    anterior_groove_rad: float
    inferior_groove_rad: float
    right_groove_mm: Floats
    right_groove_normal: Floats


def heart_frame(labels: Volume) -> HeartFrame:
    """Find the landmarks in a coarse map of `Anatomy` labels.

    Every landmark is found in more than one way or has a usual place relative to the
    others, so that one missing or ragged chamber does not turn the heart.

    Raises
    ------
    GeometryError
        Neither blood nor wall of the left ventricle is in the map.
    """
    spacing = float(np.mean(labels.grid.spacing_mm))
    mask = {part: largest_component(labels.values == part) for part in Anatomy if part}
    pool, wall = mask[Anatomy.LV], mask[Anatomy.MYOCARDIUM]
    solid = pool | wall
    if np.count_nonzero(solid) < FEWEST_VOXELS:
        message = (
            "the label map holds no left ventricle; name the vessels without a frame instead"
        )
        raise GeometryError(message)
    reach = max(1, round(CONTACT_MM / spacing))
    near = ndimage.binary_dilation(solid, iterations=reach)
    place = {part: _points_mm(labels, m) for part, m in mask.items()}
    body = _points_mm(labels, solid)
    valve = _points_mm(
        labels,
        solid
        & ndimage.binary_dilation(
            mask[Anatomy.LA] | mask[Anatomy.AORTA], iterations=reach // 2
        ),
    )
    apex = _long_axis(body, valve, place)
    along = body @ apex
    bottom, top = np.percentile(along, [1.0, 99.5])
    # the outflow tract sticks out of the base; the wall does not
    if len(place[Anatomy.MYOCARDIUM]) >= FEWEST_VOXELS:
        bottom = np.percentile(place[Anatomy.MYOCARDIUM] @ apex, 1.0)
    middle = body[along > 0.5 * (bottom + top)].mean(axis=0)
    base = middle + (bottom - middle @ apex) * apex
    length = float(top - bottom)
    septal = _septal(base, apex, length, place)
    anterior = -np.cross(apex, septal)  # the heart lies on the left, whichever way it turns
    offset = body - base
    radius = float(np.percentile(np.hypot(offset @ septal, offset @ anterior), 95))
    touching = _points_mm(labels, mask[Anatomy.RV] & near) - base
    grooves = _grooves(touching, apex, septal, anterior, length, radius)
    return HeartFrame(
        floats(base), floats(apex), floats(septal), floats(anterior), length, radius, *grooves,
        *_right_groove(labels, mask, reach, (base, apex, septal, radius)),
    )  # fmt: skip


def usual_frame(tree: VesselTree, side: str) -> HeartFrame:
    """Guess the landmarks from a tree alone: a usual heart hung on its trunk.

    The heart lies as in most supine adults. A left tree is hung on its first division and
    says how long the heart is; a right one is hung on its ostium.
    """
    apex = _unit(np.array(USUAL_APEX))
    septal = _across(np.array(USUAL_SEPTUM), apex)
    anterior = -np.cross(apex, septal)
    length, origin, place = USUAL_LENGTH_MM, 0, (-0.1, 0.75, 0.2)
    if side == "left":  # the trunk divides in the groove above the anterior wall
        origin, place = _first_division(tree), (-0.02, 0.0, 0.9)
        extent = float(np.max((tree.points_mm - tree.points_mm[origin]) @ apex))
        length = float(np.clip(extent, 0.7 * length, 1.3 * length))
    radius = SLENDERNESS * length
    scale = np.array([length, radius, radius])
    axes = np.array([apex, septal, anterior])
    base = tree.points_mm[origin] - (np.array(place) * scale) @ axes
    return HeartFrame(
        floats(base), floats(apex), floats(septal), floats(anterior), length, radius,
        USUAL_GROOVE_RAD, -USUAL_GROOVE_RAD, *_usual_right_groove(base, apex, septal, radius),
    )  # fmt: skip


def _first_division(tree: VesselTree) -> int:
    """First point with two long branches, the inlet if there is none."""
    ahead = np.zeros(len(tree))
    length = segment_length_mm(tree)
    long_branches = np.zeros(len(tree), dtype=np.int64)
    for i in range(len(tree) - 1, 0, -1):
        through = ahead[i] + length[i]
        ahead[tree.parent[i]] = max(ahead[tree.parent[i]], through)
        long_branches[tree.parent[i]] += through >= LONG_BRANCH_MM
    return int(np.argmax(long_branches > 1))


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / np.linalg.norm(vector))


def _across(vector: Floats, axis: Floats) -> Floats:
    """Return the unit part of `vector` that is perpendicular to `axis`."""
    return _unit(vector - vector @ axis * axis)


def _points_mm(labels: Volume, mask: AnyArray) -> Floats:
    return ijk_to_points_mm(labels.grid, np.argwhere(mask)[:, ::-1])


def _long_axis(body: Floats, valve: Floats, place: dict[Anatomy, Floats]) -> Floats:
    """Mean of up to three estimates: open shell, valves to far end, longest extent."""
    pool, wall = place[Anatomy.LV], place[Anatomy.MYOCARDIUM]
    found = []
    if min(len(pool), len(wall)) >= FEWEST_VOXELS:  # the wall is a cup, open at the base
        found.append(_unit(wall.mean(axis=0) - pool.mean(axis=0)))
    if len(valve) >= FEWEST_VOXELS:
        offset = body - valve.mean(axis=0)
        distance = np.linalg.norm(offset, axis=1)
        found.append(_unit(offset[distance >= np.percentile(distance, 98)].mean(axis=0)))
    _, axes = np.linalg.eigh(np.cov((body - body.mean(axis=0)).T))
    hint = np.sum(found, axis=0) if found else np.array(USUAL_APEX)
    found.append(axes[:, 2] * (1.0 if axes[:, 2] @ hint >= 0 else -1.0))
    return _unit(np.sum(found, axis=0))


def _septal(base: Floats, apex: Floats, length: float, place: dict[Anatomy, Floats]) -> Floats:
    """Towards the right ventricle, or else between the right atrium and the usual place."""
    right = place[Anatomy.RV]
    if len(right) >= FEWEST_VOXELS:
        height = (right - base) @ apex / length
        beside = right[(height > 0.05) & (height < 0.85)]  # without the outflow tract
        if len(beside) >= FEWEST_VOXELS:
            return _across(beside.mean(axis=0) - base, apex)
    usual = _across(np.array(USUAL_SEPTUM), apex)
    atrium = place[Anatomy.RA]
    if len(atrium) >= FEWEST_VOXELS:
        usual = _unit(usual + 0.5 * _across(atrium.mean(axis=0) - base, apex))
    return usual


def _grooves(
    touching: Floats,
    apex: Floats,
    septal: Floats,
    anterior: Floats,
    length: float,
    radius: float,
) -> tuple[float, float]:
    """Angles at which the right ventricle parts from the left one."""
    height = touching @ apex / length
    ring = touching[(height > 0.15) & (height < 0.75)]
    if len(ring) < FEWEST_VOXELS:
        return USUAL_GROOVE_RAD, -USUAL_GROOVE_RAD
    angle = np.arctan2(ring @ anterior, ring @ septal)
    low, high = np.percentile(angle, [2.0, 98.0])
    margin = WALL_MM / radius
    return (
        float(np.clip(high + margin, *GROOVE_RANGE_RAD)),
        float(-np.clip(margin - low, *GROOVE_RANGE_RAD)),
    )


def _right_groove(
    labels: Volume,
    mask: dict[Anatomy, AnyArray],
    reach: int,
    left: tuple[Floats, Floats, Floats, float],
) -> tuple[Floats, Floats]:
    """Where right atrium and ventricle meet, and the direction from one to the other."""
    atrium, ventricle = mask[Anatomy.RA], mask[Anatomy.RV]
    if min(np.count_nonzero(atrium), np.count_nonzero(ventricle)) < FEWEST_VOXELS:
        return _usual_right_groove(*left)
    seam = [
        _points_mm(labels, one & ndimage.binary_dilation(other, iterations=reach))
        for one, other in ((atrium, ventricle), (ventricle, atrium))
    ]
    if min(len(s) for s in seam) < FEWEST_VOXELS:
        return _usual_right_groove(*left)
    centre = [_points_mm(labels, chamber).mean(axis=0) for chamber in (atrium, ventricle)]
    # The seam alone bulges into the atrium, and the chambers' middle alone depends on how
    # much of them is in the scan: the mean of both.
    middle = 0.25 * (seam[0].mean(axis=0) + seam[1].mean(axis=0) + centre[0] + centre[1])
    return floats(middle), floats(_unit(centre[1] - centre[0]))


def _usual_right_groove(
    base: Floats, apex: Floats, septal: Floats, radius: float
) -> tuple[Floats, Floats]:
    return (
        floats(base + 1.3 * radius * septal + 0.1 * radius * apex),
        floats(_unit(apex - 0.4 * septal)),
    )
