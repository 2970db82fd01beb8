"""How wide is the lumen of a mask? Areas of cross-sections, finer than its voxels."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.spacing import apart, distinct
from meshes.straighten import frames, sampled
from meshes.tree import VesselTree, sections
from meshes.volume import Volume

ANGLES = 32
STEP_MM = 0.1
FAR_MM = 6.0  # no radius is larger: what is wider was taken for the aorta
FRAME_SMOOTHING_POINTS = 4.0  # 2 mm: a path runs in steps of voxels
CENTRE_SMOOTHING_POINTS = 2.0
RADIUS_SMOOTHING_POINTS = 1.0
PASSES = 3  # of re-centring
SPREAD = 1.5  # of a ray over the median ray: beyond, it looks into a side branch
PARTING = 1.5  # radii of the parent around a bifurcation in which sections hold two vessels
UPSTREAM_POINTS = 12  # 6 mm of them say how wide the parent is
SMALLEST_MM = 0.15
END_MM = 1.0  # sections this near to a tip look past it
OSTIUM_MM = 2.0  # the same at the ostium, where the mask is cut at any angle
VOXEL_SHARE = 0.3  # SD of the radius over the voxel's edge; see `measure_mask`
UNKNOWN_SHARE = 0.35  # SD of the radius in a gap, over the radius


def measure_mask(
    lumen: Volume, tree: VesselTree, unknown: AnyArray
) -> tuple[VesselTree, Floats]:
    """Re-centre a traced tree in a mask and measure its radii.

    The radius is that of the disc with the area of the cross-section. The area is the
    integral of the interpolated mask, not what a contour holds: interpolation blurs the
    mask, which moves the contour of a thin vessel but keeps the integral.

    Parameters
    ----------
    lumen
        1 in the lumen, 0 elsewhere, any grid.
    tree
        Traced centrelines.
    unknown
        True at points in a gap, shape (n,): radii are interpolated there.

    Returns
    -------
    tree, radius_sd_mm
        The standard deviation holds the voxels only, not how wrong the mask itself is.
    """
    points, radius = np.array(tree.points_mm), np.array(tree.radius_mm)
    runs = sections(tree)
    for number in range(PASSES + 1):
        for run in runs:
            own = run if run[0] == 0 else run[1:]  # the first point is the parent's
            size, shift = _sections(lumen, points[run])
            known = ~unknown[own]
            if number < PASSES:
                shift = _inner(points[run], shift, run[0] == 0)
                moved = gaussian_filter1d(
                    shift, CENTRE_SMOOTHING_POINTS, axis=0, mode="nearest"
                )
                points[own] += moved[-len(own) :] * known[:, None]
            else:
                radius[own] = size[-len(own) :]
    _clean(points, radius, runs, unknown)
    points = apart(points, tree.parent)
    radius = np.maximum(radius, SMALLEST_MM)
    edge = float(np.prod(lumen.grid.spacing_mm) ** (1 / 3))
    sd = np.where(unknown, UNKNOWN_SHARE * radius, VOXEL_SHARE * edge)
    return VesselTree(floats(points), floats(radius), tree.parent), floats(sd)


def _sections(lumen: Volume, curve: Floats) -> tuple[Floats, Floats]:
    """Return radius (n,) and offset of the centroid (n, 3) of the sections along a run."""
    curve = distinct(curve)
    _, normal, binormal = frames(curve, FRAME_SMOOTHING_POINTS)
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    rays = np.cos(angle)[:, None] * normal[:, None] + np.sin(angle)[:, None] * binormal[:, None]
    reach = (np.arange(round(FAR_MM / STEP_MM)) + 0.5) * STEP_MM
    places = curve[:, None, None] + reach[:, None] * rays[:, :, None]
    share = sampled(lumen, places, outside=0.0)
    share *= _own(share)
    square = 2.0 * np.sum(share * reach, axis=2) * STEP_MM  # radius^2 of each ray
    most = SPREAD * np.sqrt(np.median(square, axis=1, keepdims=True)) + STEP_MM
    ray = np.minimum(np.sqrt(square), most)
    area = np.mean(ray**2, axis=1) / 2
    moment = np.mean(ray[:, :, None] ** 3 * rays, axis=1) / 3
    shift = moment / np.maximum(area, 1e-3)[:, None]
    size = np.linalg.norm(shift, axis=1, keepdims=True)
    shift *= np.minimum(1.0, 0.5 / np.maximum(size, 1e-9))
    return np.sqrt(2.0 * area), shift


def _inner(curve: Floats, shift: Floats, from_ostium: bool) -> Floats:
    """Let the ends of a run move as what lies inside of them: their sections are cut."""
    least = OSTIUM_MM + END_MM if from_ostium else 0.0
    first = np.linalg.norm(curve - curve[0], axis=1) >= least
    last = np.linalg.norm(curve - curve[-1], axis=1) >= END_MM
    good = np.flatnonzero(first & last)
    if not good.size:
        return shift
    return np.asarray(shift[np.clip(np.arange(len(curve)), good[0], good[-1])])


def _own(share: Floats) -> AnyArray:
    """Return which samples along each ray belong to the lumen that the ray starts in.

    Up to where the mask has faded out, or brightens again: there the next vessel begins.
    """
    faded = np.cumsum(share < 0.5, axis=2) > 0
    again = np.diff(share, axis=2, prepend=share[:, :, :1]) > 1e-6
    return np.asarray(np.cumsum(faded & (again | (share <= 0.0)), axis=2) == 0)


def _clean(points: Floats, radius: Floats, runs: tuple[Ints, ...], unknown: AnyArray) -> None:
    """Replace what a section cannot show: ends, gaps, and the widening where vessels part.

    Around a bifurcation sections hold two vessels, so what is wider than the vessel before
    or behind it does not count there; what is narrower does.
    """
    count = np.bincount(np.concatenate([run[:1] for run in runs]), minlength=len(radius))
    size = np.zeros(len(radius))  # of the vessel that a run ends with
    for run in runs:
        own = run if run[0] == 0 else run[1:]
        value = gaussian_filter1d(radius[own], RADIUS_SMOOTHING_POINTS, mode="nearest")
        from_first, to_last = (
            np.linalg.norm(points[own] - points[run[k]], axis=1) for k in (0, -1)
        )
        if run[0] == 0:  # behind the cut face, or the last half of a short trunk
            inner = from_first >= min(OSTIUM_MM, 0.5 * float(from_first[-1]))
            size[run[-1]] = np.median(value[inner][-UPSTREAM_POINTS:])
        else:
            size[run[-1]] = np.median(value[-UPSTREAM_POINTS:])
        bad, two = unknown[own].copy(), np.zeros(own.size, dtype=bool)
        if run[0] == 0:
            bad |= from_first < OSTIUM_MM + END_MM
        else:
            two |= from_first < PARTING * size[run[0]]
        if count[run[-1]] == 0:  # a tip
            bad |= to_last < END_MM
        else:
            two |= to_last < PARTING * size[run[-1]]
        good = np.flatnonzero(~(bad | two))
        if good.size:
            between = np.interp(np.arange(own.size), good, value[good])
            value = np.where(bad, between, np.where(two, np.minimum(value, between), value))
        elif run[0] == 0:  # a short trunk
            value = np.full(own.size, size[run[-1]])
        else:  # all of it lies between two bifurcations
            value = np.minimum(value, size[run[0]])
        radius[own] = value
