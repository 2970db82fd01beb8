"""Where do the arteries begin, when a mask shows no aorta?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ffr.errors import ConfigError
from ffr.tracing.ostia import Ostium
from ffr.tracing.paths import Ground, Reached, path_back, reach
from meshes.arrays import AnyArray, Floats, floats
from meshes.straighten import arc_length_mm
from meshes.volume import Grid, ijk_to_points_mm

ALL_AROUND = np.ones((3, 3, 3), dtype=bool)
LEAST_PIECE_MM = 15.0  # across: less is no coronary tree
MOST_PIECES = 8
TIP_MM = 3.0  # an end has no longer way around it; a bump on the wall has, downstream
END_MM = (2.0, 10.0)  # the stretch behind an end in which its calibre is taken
PER_MM_APART = 0.02  # and near each other
PER_MM_UP = 0.02  # arteries begin high in the heart: worth so much radius per mm
FIRST_MM = 45.0  # in this first part the two arteries run to their own sides
LEFT_MM = 2.0  # virtual patients: left trees lead 6 to 15 mm to the left, right ones -11 to -2
APART_MM = 60.0  # the ostia of the two arteries, at most; 20 to 35 mm are usual
BESIDE_MM = 12.0  # ends this near to each other are one mouth and its first branch
BESIDE_SHARE = 0.85
SECOND_SHARE = 0.6  # of the calibre of the first: an end may be the other ostium
DETOUR_MM = 100.0  # and the way from one to the other, through both trees, is so long
GIVEN_MM = 5.0  # an ostium that is given lies this near to lumen


class End(NamedTuple):
    """An end of a piece of lumen that an artery may begin at.

    Parameters
    ----------
    score
        Calibre in mm, more for a high place.
    radius_mm
        Calibre of the first millimetres.
    leftward_mm
        How far to the patient's left the first part of the tree lies.
    way_mm
        From here along the lumen to the far end of the piece, shape (n, 3).
    """

    score: float
    radius_mm: float
    leftward_mm: float
    way_mm: Floats


def free_ostia(over: Ground, grid: Grid, told: str | None = None) -> dict[str, Ostium]:
    """Find the ostia of a lumen without an aorta, by side.

    An artery begins at the widest and highest end of its tree; the left tree runs from there
    to the left, the right one first to the right. With the side `told`, there is one.
    """
    spacing = float(grid.spacing_mm[0])
    every = [ends_of(*piece, over, grid) for piece in pieces(over.sure, spacing)]
    every = [ends for ends in every if ends]
    if not every:
        return {}
    first = max((ends[0] for ends in every), key=lambda end: end.score)
    side = told or _side(first)
    chosen = {side: first}
    others = [end for ends in every for end in ends if ends[0] is not first]
    others = [end for end in others if _side(end) != side and _apart_mm(end, first) <= APART_MM]
    if others and not told:
        other = max(others, key=lambda end: end.score - PER_MM_APART * _apart_mm(end, first))
        chosen[_side(other)] = other
    if len(chosen) == 1 and not told:
        more = [_second(first, ends) for ends in every if ends[0] is first]
        chosen |= {_side(end): end for end in more if end is not None}
    if len(chosen) == 2:
        left, right = chosen["left"], chosen["right"]
        chosen = {"left": _nearer(left, right, every), "right": _nearer(right, left, every)}
    return {side: _ostium(end, over, grid) for side, end in sorted(chosen.items())}


def given_ostium(point_mm: Floats, option: str, over: Ground, grid: Grid) -> Ostium:
    """Return the ostium at a place that the user gave.

    Raises
    ------
    ConfigError
        No lumen there.
    """
    lumen_mm = ijk_to_points_mm(grid, np.argwhere(over.sure)[:, ::-1])
    off = np.linalg.norm(lumen_mm - point_mm, axis=1)
    if off.min() > GIVEN_MM:
        message = (
            f"{option} is {off.min():.0f} mm away from the nearest lumen, at most "
            f"{GIVEN_MM:g} mm are allowed; give mm in patient axes L, P, S"
        )
        raise ConfigError(message)
    near = np.flatnonzero(over.sure)[off <= max(off.min() + 1e-6, 1.0)]
    return Ostium((near,), floats(lumen_mm[int(np.argmin(off))]))


def _side(end: End) -> str:
    return "left" if end.leftward_mm > LEFT_MM else "right"


def _apart_mm(one: End, other: End) -> float:
    return float(np.linalg.norm(one.way_mm[0] - other.way_mm[0]))


def _nearer(end: End, other: End, every: list[list[End]]) -> End:
    """Of ends beside each other that are equally wide, return the one nearest to the aorta.

    It lies between the two arteries. Further out, a branch may begin behind the ostium.
    """
    (ends,) = (ends for ends in every if any(x is end for x in ends))
    beside = [
        x
        for x in ends
        if np.linalg.norm(x.way_mm[0] - end.way_mm[0]) <= BESIDE_MM
        and x.radius_mm >= BESIDE_SHARE * end.radius_mm
    ]
    return min(beside, key=lambda x: float(np.linalg.norm(x.way_mm[0] - other.way_mm[0])))


def _second(first: End, ends: list[End]) -> End | None:
    """Return the other ostium of two trees that touch far from both, None if they do not."""
    for end in ends:
        near = np.linalg.norm(end.way_mm[0] - first.way_mm[0]) <= APART_MM
        wide = end.radius_mm >= SECOND_SHARE * first.radius_mm
        if _side(end) != _side(first) and near and wide and _between(first, end) >= DETOUR_MM:
            return end
    return None


def _between(one: End, other: End) -> float:
    """Return the length of the way through the lumen between two ends of a piece."""
    ways = [one.way_mm, other.way_mm]
    if not np.array_equal(ways[0][-1], ways[1][-1]):  # one of them is where all ways lead to
        return float(min(arc_length_mm(way)[-1] for way in ways))
    n = min(map(len, ways))
    apart = np.any(ways[0][::-1][:n] != ways[1][::-1][:n], axis=1)
    shared = int(np.argmax(apart)) if apart.any() else n
    own = [way[: len(way) - shared + 1] for way in ways]
    return float(sum(arc_length_mm(way)[-1] for way in own if len(way) > 1))


def _ostium(end: End, over: Ground, grid: Grid) -> Ostium:
    """Return the mouth of an end: the middle of the face with which the lumen ends."""
    way, r = end.way_mm, max(end.radius_mm, 0.5)
    along = arc_length_mm(way)
    axis = way[along >= min(1.5 * r, 0.5 * along[-1])]
    ahead = arc_length_mm(axis)
    onward = axis[min(int(np.searchsorted(ahead, 3.0 * r)), len(axis) - 1)]
    lumen_mm = ijk_to_points_mm(grid, np.argwhere(over.sure)[:, ::-1])
    here, there = floats(axis[0]), floats(onward)
    for _ in range(2):  # the way runs in from the rim: go to the middle of the lumen
        out = (here - there) / np.linalg.norm(here - there)
        here, there = (_middle(lumen_mm, place, out, r) for place in (here, there))
    out = (here - there) / np.linalg.norm(here - there)
    offset = lumen_mm - here
    ahead_mm = offset @ out
    aside = np.linalg.norm(offset - ahead_mm[:, None] * out, axis=1)
    face = (aside <= 1.5 * r) & (ahead_mm > 0) & (ahead_mm < 4.0 * r)
    reach_mm = float(ahead_mm[face].max()) if face.any() else 0.0
    mouth = face & (ahead_mm > reach_mm - r) & (aside <= 0.5 * r)
    if not mouth.any():
        mouth = np.linalg.norm(lumen_mm - way[0], axis=1) <= 1e-3
    return Ostium((np.flatnonzero(over.sure)[mouth],), floats(here + reach_mm * out))


def _middle(lumen_mm: Floats, place_mm: Floats, direction: Floats, radius_mm: float) -> Floats:
    """Return the middle of the lumen in a disc across a direction."""
    offset = lumen_mm - place_mm
    along = offset @ direction
    aside = np.linalg.norm(offset - along[:, None] * direction, axis=1)
    disc = (np.abs(along) <= 0.5 * radius_mm) & (aside <= 1.6 * radius_mm)
    return floats(lumen_mm[disc].mean(axis=0)) if disc.any() else place_mm


def pieces(lumen: AnyArray, spacing: float) -> list[tuple[AnyArray, tuple[slice, ...]]]:
    """Return the connected pieces that are large enough, the largest first, and their boxes."""
    parts, count = ndimage.label(lumen, structure=ALL_AROUND)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    boxes = ndimage.find_objects(parts)
    found = []
    for number in np.argsort(-sizes[1:], kind="stable")[:MOST_PIECES]:
        box = boxes[number]
        across = np.linalg.norm([s.stop - s.start for s in box]) * spacing
        if across >= LEAST_PIECE_MM:
            found.append((parts[box] == number + 1, box))
    return found


def ends_of(mask: AnyArray, box: tuple[slice, ...], over: Ground, grid: Grid) -> list[End]:
    """Return the ends of one piece, the likeliest ostium first.

    Parameters
    ----------
    mask, box
        The piece, and where it lies on `grid`.
    over, grid
        What paths run over.
    """
    corner = ijk_to_points_mm(grid, [s.start for s in box[::-1]])
    size = np.array(mask.shape[::-1])
    own = Grid(size, grid.spacing_mm, corner, grid.direction)
    depth = np.where(mask, over.radius_mm[box], 0)
    cost = np.where(mask, over.cost[box], 0).astype(np.float32)
    inside = Ground(cost, depth, mask, np.zeros_like(mask))
    none = np.zeros(0, dtype=np.int64)
    first = reach(inside, np.array([int(depth.argmax())]), none, own)
    start = int(first.voxels[np.argmax(first.length_mm[first.voxels])])
    reached = reach(inside, np.array([start]), none, own)
    farthest = int(reached.voxels[np.argmax(reached.length_mm[reached.voxels])])
    found = []
    ways = [path_back(reached.parent, tip)[::-1] for tip in _tips(reached, mask)]
    far = path_back(reached.parent, farthest)
    for way in (far, *ways):
        along = np.abs(reached.length_mm[way] - reached.length_mm[way[0]])
        stretch = way[(along >= END_MM[0]) & (along <= END_MM[1])]
        if not stretch.size:
            continue
        way_mm = ijk_to_points_mm(own, reached.where(way)[:, ::-1])
        radius = float(np.percentile(reached.radius_mm[stretch], 10))  # no mere bump
        leftward = float(way_mm[along <= FIRST_MM, 0].mean() - way_mm[0, 0])
        score = radius + PER_MM_UP * float(way_mm[0, 2])
        found.append(End(score, radius, leftward, floats(way_mm)))
    return sorted(found, key=lambda end: -end.score)


def _tips(reached: Reached, mask: AnyArray) -> list[int]:
    """Return the voxels from which no way leads on, away from where the paths start."""
    length = np.full(mask.shape, -1.0, dtype=np.float32)
    np.put(length, reached.voxels, reached.length_mm[reached.voxels])
    size = 2 * round(TIP_MM / reached.spacing_mm) + 1
    tips = np.flatnonzero((length == ndimage.maximum_filter(length, size)) & mask)
    return [int(tip) for tip in tips]
