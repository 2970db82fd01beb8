"""Which paths through the vessel map make up a tree, and where do they part?"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from ffr.tracing.paths import GAP_MM, SLIT_MM, Reached
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.tree import VesselTree
from meshes.volume import array_shape, ijk_to_points_mm

BEYOND_GAP_MM = 12.0  # shortest vessel that is worth bridging a gap for
BESIDE_MM = 1.5  # the vessel map is wider than the lumen and frayed
BRANCH_MM = 6.0  # shortest branch that is kept, beyond its parent's lumen
COURSE_MM = 3.0  # over this length behind its take-off a branch shows where it comes from
ACUTE = 4.0  # radii behind its take-off a branch at 15 degrees leaves its parent's lumen
HEADING_MM = 5.0  # over this length before its tip a vessel shows where it goes
STEP_MM = 0.5
SMOOTHING_MM = 1.2


def grow(
    reached: Reached, mine: Ints, beside_mm: float = BESIDE_MM
) -> tuple[list[Ints], list[int]]:
    """Add the longest uncovered path again and again until only stubs are left.

    Parameters
    ----------
    reached
        All paths.
    mine
        Flat vessel voxels of this tree.
    beside_mm
        Vessel voxels this near to the lumen of a path are taken for its own.

    Returns
    -------
    paths, bridged
        Flat voxels of each path, from its take-off on an earlier one, and the flat voxel in
        the middle of each gap that was bridged.
    """
    covered = np.zeros(reached.evidence.size, dtype=bool)
    on_tree = np.zeros(reached.evidence.size, dtype=bool)
    paths: list[Ints] = []
    bridged: list[int] = []
    parent, length = reached.parent, reached.length_mm
    for leaf in mine[np.argsort(-length[mine], kind="stable")]:
        if covered[leaf]:
            continue
        path = [int(leaf)]
        while parent[path[-1]] >= 0 and not on_tree[path[-1]]:
            path.append(int(parent[path[-1]]))
        voxels = np.array(path[::-1])
        gap, last = _longest_gap(reached, voxels)
        after = length[leaf] - length[voxels[last]]
        if gap > SLIT_MM and (gap > GAP_MM or after < BEYOND_GAP_MM):
            _cover(
                covered, voxels[last:], reached, beside_mm
            )  # a speck; what leads to it may be vessel
            continue
        own = _own_part(reached, voxels, paths) if paths else voxels
        _cover(covered, own, reached, beside_mm)
        if length[leaf] - length[own[min(1, len(own) - 1)]] >= BRANCH_MM:
            bridged += _bridged(reached, own) or _middle(reached, voxels, gap, last)
            paths.append(own)
            on_tree[own] = True
    return paths, bridged


def grow_all(
    reached: Reached, mouths: tuple[Ints, ...], beside_mm: float = BESIDE_MM
) -> tuple[list[Ints], list[int]]:
    """Grow from each mouth of an ostium (flat voxels), as `grow` does; paths and gaps."""
    paths: list[Ints] = []
    bridged: list[int] = []
    for mouth in mouths:
        mine = reached.voxels[np.isin(reached.start, mouth)]
        more, gaps = grow(reached, mine, beside_mm)
        paths, bridged = paths + more, bridged + gaps
    return paths, bridged


def _bridged(reached: Reached, own: Ints) -> list[int]:
    """Middle voxels of the links that a path runs over."""
    over = np.flatnonzero(np.isin(own, list(reached.links)))
    groups = np.split(over, np.flatnonzero(np.diff(over) > 1) + 1)
    return [int(own[group[len(group) // 2]]) for group in groups if group.size]


def _middle(reached: Reached, voxels: Ints, gap: float, last: int) -> list[int]:
    """Middle voxel of the longest gap of a path, unless it is noise."""
    if gap <= SLIT_MM:
        return []
    length = reached.length_mm[voxels]
    return [int(voxels[np.argmin(np.abs(length - length[last] + 0.5 * gap))])]


def tip(reached: Reached, path: Ints) -> Ints:
    """Return the last stretch of a path: where its vessel is heading."""
    ahead = reached.length_mm[path[-1]] - reached.length_mm[path]
    return path[ahead <= HEADING_MM]


def _own_part(reached: Reached, voxels: Ints, paths: list[Ints]) -> Ints:
    """The part of a path that is a vessel of its own, from its take-off on the tree.

    In a wide parent two paths run side by side long before the lumens part. The branch
    begins where it leaves the parent's lumen; its take-off is the point of the parent's
    axis that the course behind this place points back to.
    """
    stem = np.concatenate(paths)
    stem_mm = reached.where(stem) * reached.spacing_mm
    here_mm = reached.where(voxels) * reached.spacing_mm
    off, found = cKDTree(stem_mm).query(here_mm)
    nearest = np.asarray(found)
    outside = np.flatnonzero(off > reached.radius_mm[stem[nearest]])
    if not outside.size:
        return voxels[-1:]
    first = max(1, int(outside[0]))
    ahead = reached.length_mm[voxels] - reached.length_mm[voxels[first]]
    course = here_mm[min(int(np.searchsorted(ahead, COURSE_MM)), len(voxels) - 1)]
    course = course - here_mm[first]
    size = float(np.linalg.norm(course))
    beside = int(stem[nearest[first]])
    between = _upstream(reached, stem, beside, ACUTE * float(reached.radius_mm[beside]))
    if size == 0.0:
        return np.concatenate([between[-1:], voxels[first:]])
    back = here_mm[first] - reached.where(between) * reached.spacing_mm
    along = np.maximum(back @ (course / size), 0.0)
    miss = np.linalg.norm(back - along[:, None] * course / size, axis=1)
    return np.concatenate([between[[int(np.argmin(miss))]], voxels[first:]])


def _upstream(reached: Reached, stem: Ints, beside: int, at_most_mm: float) -> Ints:
    """The tree's voxels from a little upstream to one of them, in the direction of flow."""
    inside = set(stem.tolist())
    run = [beside]
    least = reached.length_mm[beside] - at_most_mm
    while reached.parent[run[-1]] in inside and reached.length_mm[run[-1]] > least:
        run.append(int(reached.parent[run[-1]]))
    return np.array(run[::-1])


def _longest_gap(reached: Reached, voxels: Ints) -> tuple[float, int]:
    """Longest stretch of a path without vessel voxels, in mm, and where in the path it ends."""
    length = reached.length_mm[voxels]
    evidence = reached.evidence[voxels]
    evidence[0] = True  # the tree, or the wall of the aorta
    here = np.flatnonzero(evidence)
    if here.size < 2:
        return 0.0, 0
    gaps = length[here[1:] - 1] - length[here[:-1] + 1]  # negative between neighbours
    worst = int(np.argmax(gaps))
    return max(0.0, float(gaps[worst])), int(here[worst + 1])


def _cover(covered: AnyArray, voxels: Ints, reached: Reached, beside_mm: float) -> None:
    """Mark everything within the lumen (and a little more) of a path as explained."""
    where = reached.where(voxels)
    view = covered.reshape(array_shape(reached.grid))
    for (k, j, i), r in zip(where[::2], reached.radius_mm[voxels[::2]], strict=True):
        n = int((1.5 * r + beside_mm) / reached.spacing_mm) + 1
        view[
            max(0, k - n) : k + n + 1, max(0, j - n) : j + n + 1, max(0, i - n) : i + n + 1
        ] = True


def joined(paths: list[Ints], wall_mm: Floats, reached: Reached) -> VesselTree:
    """Smooth every path, thin it to even steps and hang it on its parent.

    A second path from the wall, through a mouth of its own, begins at the same first point.
    """
    points: list[Floats] = []
    radii: list[float] = []
    parent: list[int] = []
    index_of: dict[int, int] = {}  # voxel -> nearest tree point
    for voxels in paths:
        curve = ijk_to_points_mm(reached.grid, reached.where(voxels)[:, ::-1])
        first = index_of.get(int(voxels[0]), 0 if points else None)
        # the trunk starts at the wall of the aorta
        curve[0] = wall_mm if first is None else points[first]
        smooth = gaussian_filter1d(
            curve, SMOOTHING_MM / (1.2 * STEP_MM), axis=0, mode="nearest", truncate=3.0
        )
        smooth[0] = curve[0]
        s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
        keep = np.concatenate([[True], np.diff(s) > 1e-6])
        n = max(2, round(s[-1] / STEP_MM) + 1)
        even = np.linspace(0, s[-1], n)
        fine = np.stack([np.interp(even, s[keep], smooth[keep, c]) for c in range(3)], axis=1)
        size = np.maximum(np.interp(even, s, reached.radius_mm[voxels]), 0.4)
        base = len(points)
        for m in range(0 if first is None else 1, n):
            points.append(fine[m])
            radii.append(float(size[m]))
            last = len(points) - 2
            if m == 0:
                parent.append(-1)
            elif m == 1 and first is not None:
                parent.append(first)
            else:
                parent.append(last)
        made = np.searchsorted(even, s)
        offset = 0 if first is None else -1
        for voxel, m in zip(voxels, np.minimum(made, n - 1), strict=True):
            index_of.setdefault(int(voxel), max(base, base + int(m) + offset))
    return VesselTree(floats(points), floats(radii), np.array(parent))
