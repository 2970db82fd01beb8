"""Which loose piece of vessel is the far end of an artery beyond a tight stenosis?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ffr.tracing.lumen_level import FAT_HU, LEAST_PIECE_MM, TISSUE_HU, lumen_hu
from ffr.tracing.paths import path_back
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.kernels.paths import spread
from meshes.straighten import sampled
from meshes.volume import Grid, Volume, array_shape, ijk_to_points_mm

LONGEST_MM = 20.0  # occlusions from here on are long (J-CTO score, Morino 2011)
NEAR_END_MM = 5.0  # over this length an end shows its direction
STUMP_MM = 6.0  # a stenosis that begins at a bifurcation leaves a stump too short to be a tip
ALIGNED = float(np.cos(np.pi / 4))  # a bridge goes on in the direction of both its ends
# Half way from fat to soft tissue: wall and plaque are left where the lumen
# is too narrow to be seen; neighbours without a connection have fat between them.
NOT_FAT_HU = 0.5 * (FAT_HU + TISSUE_HU)
ASIDE_MM = 4.0  # the way across a gap may bend this far from a straight line
LEAST_BRIGHTNESS = 0.1  # of tissue over fat: noise counts as no less
BEGINS_COSINE, BEGINS_MM = 0.5, 0.4 * NEAR_END_MM  # see `_begins`
LUMEN_SHARE = 0.25  # of the contrast of blood: enhanced myocardium stays below


class Loose(NamedTuple):
    """A piece of vessel that no path reaches: its voxels in mm from the first voxel."""

    points_mm: Floats
    tree: cKDTree


def bridges(
    scan: Volume,
    blood_hu: float,
    sure: AnyArray,
    reached: AnyArray,
    tips: list[Ints],
    grid: Grid,
) -> Ints:
    """Return the flat voxels that join loose pieces of vessel to the tips of arteries.

    A stenosis can leave so little lumen that the vessel map breaks. A piece is joined
    when a gap of at most 20 mm separates it from a tip, when the gap goes on in the
    direction of both, as it does not between an artery and the vein beside it, and when
    there is tissue in the gap and not fat. A short gap may also start at the side of an
    artery, where a bifurcation hides a stump; then, and where the tip turns towards the gap, as
    the right coronary artery does behind its ostium, some lumen must shine through. Where
    it is as bright as lumen all along, the piece may also divide behind the gap or turn there.

    Parameters
    ----------
    scan
        HU, any grid.
    blood_hu
        Attenuation in the aorta.
    sure
        Vessel voxels, on the vessel grid.
    reached
        True for those of them that belong to a tree already.
    tips
        Flat voxels of the last stretch of each course so far, the tip last.
    grid
        The vessel grid.
    """
    spacing = float(grid.spacing_mm[0])
    pieces = _loose(sure & ~reached, spacing)
    found: list[tuple[float, int, int, Ints]] = []
    for t, tip in enumerate(tips):
        course = floats(np.stack(np.unravel_index(tip, sure.shape), axis=1) * spacing)
        for p, piece in enumerate(pieces):
            gap, at = piece.tree.query(course[-1])
            if gap > LONGEST_MM or not _at_its_end(course[-1], piece.points_mm, int(at)):
                continue
            line, hu = _brightest(scan, grid, course[-1], piece.points_mm[int(at)])
            if np.median(hu) > _least_hu(course, piece.points_mm[int(at)], blood_hu):
                flat = np.ravel_multi_index(tuple(line.T), sure.shape)
                found.append((float(gap), t, p, flat))
    found += _from_stumps(scan, blood_hu, floats(np.argwhere(reached) * spacing), pieces, grid)
    links: list[Ints] = []
    used: set[tuple[str, int]] = set()
    for _, t, p, flat in sorted(found, key=lambda row: row[:3]):
        if not used & {("tip", t), ("piece", p)}:  # the narrowest gap of each
            used |= {("tip", t), ("piece", p)}
            links.append(flat)
    return np.unique(np.concatenate(links)) if links else np.zeros(0, dtype=np.int64)


def _from_stumps(
    scan: Volume, blood_hu: float, known_mm: Floats, pieces: list[Loose], grid: Grid
) -> list[tuple[float, int, int, Ints]]:
    """Short gaps between the side of what is known and the end of a piece, as in `bridges`."""
    found: list[tuple[float, int, int, Ints]] = []
    if not len(known_mm):
        return found
    known = cKDTree(known_mm)
    for p, piece in enumerate(pieces):
        found_gaps, found_at = known.query(piece.points_mm, distance_upper_bound=STUMP_MM)
        gaps, nearest = np.asarray(found_gaps), np.asarray(found_at)
        at = int(np.argmin(gaps))
        if not np.isfinite(gaps[at]):
            continue
        start = known_mm[int(nearest[at])]
        line, hu = _brightest(scan, grid, start, piece.points_mm[at])
        shines = np.median(hu) > lumen_hu(blood_hu, LUMEN_SHARE)
        end_on = _at_its_end(start, piece.points_mm, at) and shines
        if end_on or (_begins(start, piece.points_mm, at) and hu.min() > lumen_hu(blood_hu)):
            flat = np.ravel_multi_index(tuple(line.T), array_shape(grid))
            found.append((float(gaps[at]), -1 - p, p, flat))
    return found


def _loose(mask: AnyArray, spacing: float) -> list[Loose]:
    """Connected pieces that are long enough."""
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=bool))
    pieces = []
    for number, box in enumerate(ndimage.find_objects(parts)):
        voxels = np.argwhere(parts[box] == number + 1)
        if np.linalg.norm(np.ptp(voxels, axis=0)) * spacing >= LEAST_PIECE_MM:
            points = (voxels + [s.start for s in box]) * spacing
            pieces.append(Loose(points, cKDTree(points)))
    return pieces


def _at_its_end(tip_mm: Floats, piece: Floats, at: int) -> bool:
    """Whether the gap from a tip meets a piece end on, and not its side."""
    gap = piece[at] - tip_mm
    around = piece[np.linalg.norm(piece - piece[at], axis=1) <= NEAR_END_MM]
    if len(around) < 3:
        return False
    _, axes = np.linalg.eigh(np.cov((around - around.mean(axis=0)).T))
    return abs(float(axes[:, 2] @ gap)) >= ALIGNED * float(np.linalg.norm(gap))


def _begins(tip_mm: Floats, piece: Floats, at: int) -> bool:
    """Whether a piece lies all beyond the gap: it may divide there, and turn by up to 60 deg.

    The first 5 mm of a tube have their middle 2.5 mm from its end, those of a fork a little
    less; of what runs past the gap they lie to both sides, and their middle is a radius away.
    """
    gap, near = piece[at] - tip_mm, piece - piece[at]
    middle = near[np.linalg.norm(near, axis=1) <= NEAR_END_MM].mean(axis=0)
    away = float(np.linalg.norm(middle))
    ahead = float(middle @ gap) >= BEGINS_COSINE * away * float(np.linalg.norm(gap))
    return ahead and away >= BEGINS_MM


def _least_hu(course: Floats, beyond_mm: Floats, blood_hu: float) -> float:
    """How bright a gap must be, from how much a course turns to cross it."""
    onward, gap = course[-1] - course[0], beyond_mm - course[-1]
    ahead = float(onward @ gap)
    if ahead >= ALIGNED * float(np.linalg.norm(onward) * np.linalg.norm(gap)) > 0:
        return NOT_FAT_HU
    if ahead > 0:
        return lumen_hu(blood_hu, LUMEN_SHARE)
    return np.inf


def _brightest(
    scan: Volume, grid: Grid, start_mm: Floats, end_mm: Floats
) -> tuple[Ints, Floats]:
    """Voxels k, j, i of the brightest way across a gap, and their HU: what lumen is left."""
    spacing = float(grid.spacing_mm[0])
    start, end = (np.rint(p / spacing).astype(np.int64) for p in (start_mm, end_mm))
    margin = int(ASIDE_MM / spacing)
    low = np.maximum(np.minimum(start, end) - margin, 0)
    high = np.minimum(np.maximum(start, end) + margin + 1, array_shape(grid))
    shape = high - low
    where = np.argwhere(np.ones(shape, dtype=bool)) + low
    hu = sampled(scan, ijk_to_points_mm(grid, where[:, ::-1]), outside=FAT_HU)
    bright = np.clip((hu - FAT_HU) / (TISSUE_HU - FAT_HU), LEAST_BRIGHTNESS, None)
    cost = (1.0 / bright**2).reshape(shape).astype(np.float32)
    first, last = (int(np.ravel_multi_index(tuple(p - low), shape)) for p in (start, end))
    _, parent = spread(cost, np.array([first]), spacing, np.inf)
    flat = path_back(parent.ravel(), last)
    return where[flat], hu[flat]
