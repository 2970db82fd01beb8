"""From vessel maps to connected centrelines: ostia, cheapest paths, branches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.ndimage import gaussian_filter1d

from ffr.anatomy import Anatomy
from ffr.errors import StudyError
from ffr.flags import Flag
from ffr.segmentation.maps import HeartMap, VesselMap
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.kernels.paths import path_lengths, spread
from meshes.resample import resampled
from meshes.tree import VesselTree
from meshes.volume import Grid, Volume, ijk_to_points_mm

SURE = 0.5  # probability above which a voxel counts as vessel
GAP_COST = 40.0  # cost per mm where there is no sign of a vessel
GAP_MM = 3.0  # longest stretch without evidence that a path may cross: beyond, veins join in
SLIT_MM = 1.0  # two voxels: noise, not worth a flag
BEYOND_GAP_MM = 12.0  # shortest vessel that is worth bridging a gap for
BRANCH_MM = 6.0  # shortest branch that is kept, beyond its parent's lumen
OSTIUM_REACH_MM = 3.0  # an ostium is vessel this close to the aortic lumen
ROOT_REACH_MM = 55.0  # the root and ascending aorta end this far above the ventricle
SPECK_MM3 = 15.0
STEP_MM = 0.5
SMOOTHING_MM = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """Raw trees, inlet first; the radius is only a first guess from the vessel map.

    Parameters
    ----------
    left, right
        Trees, None where no ostium was found.
    flags
        Bridged gaps, missing ostia.
    """

    left: VesselTree | None
    right: VesselTree | None
    flags: tuple[Flag, ...]


def trace(heart: HeartMap, vessels: VesselMap) -> Traced:
    """Find both coronary trees in the vessel maps.

    Raises
    ------
    StudyError
        "coronary-origins-missing": no vessel leaves the aortic root.
    """
    grid = vessels.labels.grid
    probability = vessels.vessel_probability.values.astype(np.float32) / 255
    aorta = _root_lumen(heart, grid)
    sure = _plausible(probability > SURE, float(grid.spacing_mm[0]))
    seeds = _ostia(sure, aorta, grid)
    if not seeds:
        message = (
            "no coronary artery was found leaving the aortic root; check that the scan is a "
            "coronary CTA that covers the root"
        )
        raise StudyError("coronary-origins-missing", message)
    spacing = float(grid.spacing_mm[0])
    depth = (ndimage.distance_transform_edt(sure) * spacing).astype(np.float32)
    cost = _cost(probability, depth, aorta)
    # no path leaves the neighbourhood of what may be vessel: gaps are bridged, not wandered
    reach = 2 * round(GAP_MM / spacing) + 1
    cost[ndimage.maximum_filter(sure, size=reach) == 0] = 0.0
    trees: dict[str, VesselTree] = {}
    flags: list[Flag] = []
    for side in ("left", "right"):
        if side not in seeds:
            flags.append(
                Flag(f"{side}-coronary-missing", f"no {side} coronary ostium was found")
            )
            continue
        start = _middle(seeds[side], depth, aorta, spacing)
        wall = _nearest_wall(aorta, start, grid)
        tree, bridged = _grow(start, wall, sure, cost, depth, grid)
        if tree is None:
            flags.append(
                Flag(
                    f"{side}-coronary-missing", f"the {side} coronary artery ends at its ostium"
                )
            )
            continue
        trees[side] = tree
        if bridged:
            flags.append(
                Flag(
                    "gap-bridged",
                    f"{bridged} gap(s) in the {side} tree were bridged: artefact or occlusion",
                )
            )
    return Traced(trees.get("left"), trees.get("right"), tuple(flags))


def _root_lumen(heart: HeartMap, grid: Grid) -> AnyArray:
    """Aortic root and proximal ascending aorta on the vessel grid."""
    labels = heart.labels.values
    aorta = labels == Anatomy.AORTA
    ventricle = np.isin(labels, (Anatomy.LV, Anatomy.MYOCARDIUM))
    parts, count = ndimage.label(aorta)
    near = np.unique(parts[ndimage.binary_dilation(ventricle, iterations=4) & aorta])
    near = near[near > 0]
    if count == 0 or near.size == 0:
        message = "the aortic root was not found beside the left ventricle"
        raise StudyError("coronary-origins-missing", message)
    sizes = np.bincount(parts.ravel())
    root = parts == near[np.argmax(sizes[near])]
    spacing = float(heart.labels.grid.spacing_mm[0])
    height = ndimage.distance_transform_edt(~ventricle) * spacing
    # the descending aorta may hang on the arch: keep what is close to the ventricle
    root &= height < ROOT_REACH_MM
    parts, _ = ndimage.label(root)
    close = np.unique(parts[(height < 12) & root])
    root = np.isin(parts, close[close > 0])
    mask = Volume(heart.labels.grid, root.astype(np.float32))
    return resampled(mask, grid, outside=0.0).values > 0.5


def _plausible(sure: AnyArray, spacing: float) -> AnyArray:
    """Drop specks: components smaller than 10 mm of a vessel 1.4 mm wide."""
    parts, _ = ndimage.label(sure, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes * spacing**3 > SPECK_MM3)[parts])


def _ostia(sure: AnyArray, aorta: AnyArray, grid: Grid) -> dict[str, Ints]:
    """Return flat seed voxels per side: vessel voxels at the wall of the root.

    Contact patches are weighed by the vessel that hangs on them. The left ostium faces
    the patient's left and back, the right one the front and right (SCCT convention of
    the sinuses); the two best patches on different sides win.
    """
    spacing = float(grid.spacing_mm[0])
    reach = round(OSTIUM_REACH_MM / spacing)
    outside = sure & ~aorta
    contact = outside & ndimage.binary_dilation(aorta, iterations=reach)
    patches, count = ndimage.label(contact, structure=np.ones((3, 3, 3)))
    if count == 0:
        return {}
    vessels, _ = ndimage.label(outside, structure=np.ones((3, 3, 3)))
    weight = np.bincount(vessels.ravel())
    middle = np.argwhere(aorta).mean(axis=0)
    best: dict[str, tuple[float, Ints]] = {}
    for number, box in enumerate(ndimage.find_objects(patches)):
        voxels = np.argwhere(patches[box] == number + 1) + [s.start for s in box]
        offset = (voxels.mean(axis=0) - middle)[::-1] * spacing  # x, y, z
        side = "left" if offset[0] + offset[1] > 0 else "right"
        size = float(weight[vessels[tuple(voxels[0])]])
        flat = np.ravel_multi_index(tuple(voxels.T), sure.shape)
        if side not in best or size > best[side][0]:
            best[side] = (size, flat)
    return {side: flat for side, (size, flat) in best.items() if size * spacing**3 > 30.0}


def _middle(patch: Ints, depth: AnyArray, aorta: AnyArray, spacing: float) -> Ints:
    """The voxel of a contact patch that lies deep in the vessel and close to the aorta."""
    where = np.stack(np.unravel_index(patch, aorta.shape), axis=1)
    low, high = where.min(axis=0) - 8, where.max(axis=0) + 9
    box = tuple(slice(max(0, a), b) for a, b in zip(low, high, strict=True))
    away = ndimage.distance_transform_edt(~aorta[box]) * spacing
    inside = tuple((where - [s.start for s in box]).T)
    return patch[np.argmax(np.take(depth, patch) - 0.5 * away[inside])][None]


def _nearest_wall(aorta: AnyArray, start: Ints, grid: Grid) -> Floats:
    """Centre of the voxel of the aortic lumen nearest to the start of a coronary artery."""
    middle = np.array(np.unravel_index(int(start[0]), aorta.shape))
    low = np.maximum(middle - 16, 0)
    box = tuple(slice(a, a + 33) for a in low)
    inside = np.argwhere(aorta[box]) + low
    if inside.size == 0:
        return ijk_to_points_mm(grid, middle[::-1])
    nearest = inside[np.argmin(np.sum((inside - middle) ** 2, axis=1))]
    return ijk_to_points_mm(grid, nearest[::-1])


def _cost(probability: AnyArray, depth: AnyArray, aorta: AnyArray) -> AnyArray:
    """Cost per mm: low deep inside the lumen, high without evidence, none in the aorta.

    Speed grows with the square of the depth under the lumen's surface, so paths keep to
    the middle of wide vessels instead of cutting corners.
    """
    speed = np.clip(probability, 0, 1) * (0.2 + depth) ** 2
    cost = 1.0 / (speed + 1.0 / GAP_COST)
    cost[aorta] = 0.0
    return cost.astype(np.float32)


def _grow(
    seeds: Ints, wall_mm: Floats, sure: AnyArray, cost: AnyArray, depth: AnyArray, grid: Grid
) -> tuple[VesselTree | None, int]:
    """Add the longest uncovered path again and again until only stubs are left."""
    spacing = float(grid.spacing_mm[0])
    open_cost = cost.copy()
    np.put(open_cost, seeds, np.maximum(np.take(open_cost, seeds), 1.0))
    total, parent = spread(open_cost, seeds, spacing, GAP_COST * GAP_MM * 4 + 400.0)
    reached = np.flatnonzero(np.isfinite(total.ravel()))
    order = reached[np.argsort(total.ravel()[reached], kind="stable")]
    length = path_lengths(order, parent, np.array(sure.shape), spacing)
    candidates = np.flatnonzero(sure.ravel() & np.isfinite(total.ravel()))
    candidates = candidates[np.argsort(-length[candidates], kind="stable")]
    radius = np.asarray(ndimage.maximum_filter(depth, 3), dtype=np.float64).ravel()
    covered = np.zeros(sure.size, dtype=bool)
    on_tree = np.zeros(sure.size, dtype=bool)
    paths: list[Ints] = []
    bridged = 0
    flat_parent, flat_sure = parent.ravel(), sure.ravel()
    for leaf in candidates:
        if covered[leaf]:
            continue
        path = [int(leaf)]
        while flat_parent[path[-1]] >= 0 and not on_tree[path[-1]]:
            path.append(int(flat_parent[path[-1]]))
        voxels = np.array(path[::-1])
        fresh = length[leaf] - length[voxels[0]]
        beyond = fresh - (radius[voxels[0]] if paths else 0.0)
        gap, after = _longest_gap_mm(flat_sure[voxels], length[voxels])
        # what lies beyond a gap must be a vessel, not a speck
        whole = gap <= SLIT_MM or (gap <= GAP_MM and after >= BEYOND_GAP_MM)
        keep = beyond >= BRANCH_MM and whole
        if keep:
            bridged += gap > SLIT_MM
            paths.append(voxels)
            on_tree[voxels] = True
            _cover(covered, voxels, radius, sure.shape, spacing)
        else:  # nothing further out on this stub is worth another look
            _cover(covered, voxels[-max(1, len(voxels) // 2) :], radius, sure.shape, spacing)
    if not paths:
        return None, 0
    return _joined(paths, wall_mm, grid, radius), bridged


def _longest_gap_mm(evidence: AnyArray, length: AnyArray) -> tuple[float, float]:
    """Longest stretch of a path without vessel voxels, and how far the path goes on after.

    Both in mm; without a gap, zero and the whole length.
    """
    worst, after, start = 0.0, float(length[-1] - length[0]), None
    for i, sure in enumerate(evidence):
        if sure:
            start = None
            continue
        start = i if start is None else start
        gap = float(length[i] - length[start])
        if gap > worst:
            worst, after = gap, float(length[-1] - length[i])
    return worst, after


def _cover(
    covered: AnyArray, voxels: Ints, radius: Floats, shape: tuple[int, ...], spacing: float
) -> None:
    """Mark everything within the lumen (and a little more) of a path as explained."""
    where = np.stack(np.unravel_index(voxels, shape), axis=1)
    view = covered.reshape(shape)
    for (k, j, i), r in zip(where[::2], radius[voxels[::2]], strict=True):
        n = int((1.5 * r + 1.5) / spacing) + 1
        view[
            max(0, k - n) : k + n + 1, max(0, j - n) : j + n + 1, max(0, i - n) : i + n + 1
        ] = True


def _joined(paths: list[Ints], wall_mm: Floats, grid: Grid, radius: Floats) -> VesselTree:
    """Smooth every path, thin it to even steps and hang it on its parent."""
    nk, nj, ni = (int(n) for n in np.asarray(grid.size)[::-1])
    points: list[Floats] = []
    radii: list[float] = []
    parent: list[int] = []
    index_of: dict[int, int] = {}  # voxel -> nearest tree point
    for voxels in paths:
        ijk = np.stack(np.unravel_index(voxels, (nk, nj, ni)), axis=1)[:, ::-1]
        curve = ijk_to_points_mm(grid, ijk)
        first = index_of.get(int(voxels[0]))
        if first is None:  # the trunk starts at the wall of the aorta
            curve = np.vstack([wall_mm, curve])
            voxels = np.concatenate([voxels[:1], voxels])
        smooth = gaussian_filter1d(
            curve, SMOOTHING_MM / (1.2 * STEP_MM), axis=0, mode="nearest", truncate=3.0
        )
        if first is not None:
            smooth[0] = points[first]
        s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
        keep = np.concatenate([[True], np.diff(s) > 1e-6])
        n = max(2, round(s[-1] / STEP_MM) + 1)
        even = np.linspace(0, s[-1], n)
        fine = np.stack([np.interp(even, s[keep], smooth[keep, c]) for c in range(3)], axis=1)
        size = np.maximum(np.interp(even, s, radius[voxels]), 0.4)
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
