"""A sharp little scene, ventricle, aorta and arteries as tubes: scan, heart and vessel map."""

from itertools import pairwise

import numpy as np

from ffr.anatomy import Anatomy
from ffr.segmentation.maps import HeartMap, VesselMap
from meshes.volume import Volume, axis_aligned_grid, ijk_to_points_mm

AORTA_MM = 12.0
BLOOD_HU, FAT_HU = 400.0, -100.0
LOW_MM, HIGH_MM = np.array([-32.0, -38.0, -6.0]), np.array([44.0, 42.0, 30.0])
FINE_MM, COARSE_MM = 0.5, 2.0


def around(*corners, step_mm=0.25):
    """Points along straight lines between corners given as (radius, angle in degrees, z)."""
    places = [(r * np.cos(np.deg2rad(a)), r * np.sin(np.deg2rad(a)), z) for r, a, z in corners]
    return polyline(*places, step_mm=step_mm)


def arc(radius_mm, from_deg, to_deg, z_mm):
    """Corners for `around` on a circle about the aorta."""
    return [(radius_mm, a, z_mm) for a in np.linspace(from_deg, to_deg, 12)]


def polyline(*corners, step_mm=0.25):
    points = [np.asarray(corners[0], dtype=float)[None]]
    for a, b in pairwise(corners):
        a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
        n = max(1, int(np.ceil(np.linalg.norm(b - a) / step_mm)))
        points.append(a + (np.arange(1, n + 1) / n)[:, None] * (b - a))
    return np.concatenate(points)


def tube(grid, points, radius_mm):
    """Voxels within a radius of points."""
    size = tuple(int(n) for n in np.asarray(grid.size)[::-1])
    mask = np.zeros(size, dtype=bool)
    reach = int(radius_mm / FINE_MM) + 2
    for point in points:
        at = np.rint((point - grid.origin_mm) / FINE_MM).astype(int)
        low = np.clip(at - reach, 0, None)
        box = tuple(slice(a, b + reach + 1) for a, b in zip(low[::-1], at[::-1], strict=True))
        inside = mask[box]
        if inside.size:
            where = np.argwhere(np.ones_like(inside))[:, ::-1] + low
            off = np.linalg.norm(grid.origin_mm + where * FINE_MM - point, axis=1)
            inside |= (off <= radius_mm).reshape(inside.shape)
    return mask


def scene(vessels, gaps=(), coarse_error_mm=0.0, others=()):
    """Return scan, heart and vessel map.

    vessels: (points, radius) of arteries; gaps: (points, radius, HU) painted over them and
    taken out of the vessel map; others: (points, radius, HU) that the map takes for vessels.
    """
    grid = axis_aligned_grid(((HIGH_MM - LOW_MM) / FINE_MM).astype(int) + 1, FINE_MM, LOW_MM)
    points = ijk_to_points_mm(grid, np.indices(tuple(grid.size)).reshape(3, -1).T)
    shape = tuple(int(n) for n in np.asarray(grid.size))
    off = np.hypot(points[:, 0], points[:, 1]).reshape(shape).transpose(2, 1, 0)
    hu = np.full(off.shape, FAT_HU, dtype=np.float32)
    probability = np.zeros(off.shape, dtype=np.uint8)
    for path, radius, value in [*((p, r, BLOOD_HU) for p, r in vessels), *others]:
        mask = tube(grid, path, radius)
        hu[mask], probability[mask] = value, 255
    for path, radius, value in gaps:
        mask = tube(grid, path, radius)
        hu[mask], probability[mask] = value, 0
    hu[off <= AORTA_MM] = BLOOD_HU
    probability[off <= AORTA_MM] = 0
    volume = Volume(grid, hu)
    labels = Volume(grid, (probability > 0).astype(np.uint8))
    return volume, heart(coarse_error_mm), VesselMap(labels, Volume(grid, probability))


def heart(coarse_error_mm):
    """The coarse map: an aorta that is too wide by an error, a ventricle below it."""
    low, high = LOW_MM - [10, 10, 50], HIGH_MM + [10, 10, 4]
    grid = axis_aligned_grid(((high - low) / COARSE_MM).astype(int) + 1, COARSE_MM, low)
    k, j, i = np.indices(tuple(int(n) for n in np.asarray(grid.size)[::-1]))
    x, y, z = (low[a] + COARSE_MM * n for a, n in enumerate((i, j, k)))
    labels = np.zeros(x.shape, dtype=np.uint8)
    labels[np.sqrt(x**2 + y**2 + (z + 32) ** 2) <= 24] = Anatomy.MYOCARDIUM
    labels[np.sqrt(x**2 + y**2 + (z + 32) ** 2) <= 16] = Anatomy.LV
    wide = np.hypot(x, y) <= AORTA_MM + coarse_error_mm
    labels[wide & (z > -8)] = Anatomy.AORTA
    return HeartMap(Volume(grid, labels), 100.0, BLOOD_HU)
