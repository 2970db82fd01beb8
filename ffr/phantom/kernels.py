"""Compiled painting: solids and tubes blended into a voxel lattice by signed distance.

All lengths in mm in the lattice's own axes (x along i, y along j, z along k; voxel
(0, 0, 0) at the origin), so oblique scans cost nothing extra. A boundary voxel gets the
fraction 1/2 - d/h of the solid (d signed distance, h voxel size): the area of a disc of
radius r comes out as pi (r^2 + h^2/12), 1 % of radius at r = 1 mm and h = 0.4 mm. Good
enough for chambers and veins; arteries are painted exactly by `fine_kernels.py`.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from meshes.arrays import AnyArray, Floats, Ints
from meshes.compiled import parallel_kernel


@parallel_kernel
def paint_ellipsoid(
    hu: AnyArray,
    label: AnyArray,
    spacing: Floats,
    centre: Floats,
    axes: Floats,
    semi: Floats,
    cut_normal: Floats,
    cut_offset: float,
    value: float,
    mark: int,
) -> None:
    """Blend an ellipsoid, cut off where cut_normal . (p - centre) < cut_offset.

    `axes` holds the unit axes as rows; `mark` < 0 leaves the labels alone.
    """
    nk, nj, ni = hu.shape
    h = (spacing[0] + spacing[1] + spacing[2]) / 3.0
    reach = max(semi[0], semi[1], semi[2]) + h
    for k in numba.prange(nk):
        dz = k * spacing[2] - centre[2]
        if abs(dz) > reach:
            continue
        for j in range(nj):
            dy = j * spacing[1] - centre[1]
            chord = reach * reach - dz * dz - dy * dy
            if chord <= 0.0:
                continue
            half = math.sqrt(chord)
            first = max(0, int(math.ceil((centre[0] - half) / spacing[0])))
            last = min(ni - 1, int(math.floor((centre[0] + half) / spacing[0])))
            for i in range(first, last + 1):
                dx = i * spacing[0] - centre[0]
                cut = cut_offset - (
                    cut_normal[0] * dx + cut_normal[1] * dy + cut_normal[2] * dz
                )
                if cut > 0.5 * h:
                    continue
                a = (axes[0, 0] * dx + axes[0, 1] * dy + axes[0, 2] * dz) / semi[0]
                b = (axes[1, 0] * dx + axes[1, 1] * dy + axes[1, 2] * dz) / semi[1]
                c = (axes[2, 0] * dx + axes[2, 1] * dy + axes[2, 2] * dz) / semi[2]
                k0 = math.sqrt(a * a + b * b + c * c)
                if k0 > 1.3:
                    continue
                a /= semi[0]
                b /= semi[1]
                c /= semi[2]
                k1 = math.sqrt(a * a + b * b + c * c)
                distance = k0 * (k0 - 1.0) / k1 if k1 > 0.0 else -semi[0]
                distance = max(distance, cut)
                fraction = min(1.0, 0.5 - distance / h)
                if fraction > 0.0:
                    hu[k, j, i] += fraction * (value - hu[k, j, i])
                    if mark >= 0 and fraction >= 0.5:
                        label[k, j, i] = mark


@parallel_kernel
def tube_distance(
    distance: AnyArray,
    along: AnyArray,
    spacing: Floats,
    start: Floats,
    end: Floats,
    radius: Floats,
    value: Floats,
    band: float,
) -> None:
    """Lower `distance` to the signed distance of round cones; keep the nearest one's value.

    `distance` must hold a large number where nothing is near; only voxels within `band`
    of a surface, and all inside, are written. `along` gets the value interpolated on the
    axis of the nearest cone. Columns of `radius` and `value` are start and end.
    """
    nk, nj, ni = distance.shape
    n = radius.shape[0]
    for k in numba.prange(nk):
        z = k * spacing[2]
        for m in range(n):
            reach = max(radius[m, 0], radius[m, 1]) + band
            if z < min(start[m, 2], end[m, 2]) - reach:
                continue
            if z > max(start[m, 2], end[m, 2]) + reach:
                continue
            ax, ay, az = start[m, 0], start[m, 1], start[m, 2]
            ux, uy, uz = end[m, 0] - ax, end[m, 1] - ay, end[m, 2] - az
            length2 = ux * ux + uy * uy + uz * uz
            j0 = max(0, int(math.ceil((min(ay, ay + uy) - reach) / spacing[1])))
            j1 = min(nj - 1, int(math.floor((max(ay, ay + uy) + reach) / spacing[1])))
            i0 = max(0, int(math.ceil((min(ax, ax + ux) - reach) / spacing[0])))
            i1 = min(ni - 1, int(math.floor((max(ax, ax + ux) + reach) / spacing[0])))
            for j in range(j0, j1 + 1):
                y = j * spacing[1] - ay
                for i in range(i0, i1 + 1):
                    x = i * spacing[0] - ax
                    w = z - az
                    t = 0.0
                    if length2 > 0.0:
                        t = min(1.0, max(0.0, (x * ux + y * uy + w * uz) / length2))
                    dx, dy, dz = x - t * ux, y - t * uy, w - t * uz
                    r = radius[m, 0] + t * (radius[m, 1] - radius[m, 0])
                    d = math.sqrt(dx * dx + dy * dy + dz * dz) - r
                    if d < band and d < distance[k, j, i]:
                        distance[k, j, i] = d
                        along[k, j, i] = value[m, 0] + t * (value[m, 1] - value[m, 0])


@parallel_kernel
def blend(
    hu: AnyArray, label: AnyArray, distance: AnyArray, value: AnyArray, h: float, mark: int,
    k0: int = 0, j0: int = 0, i0: int = 0,
) -> None:  # fmt: skip
    """Blend `value` into `hu` by the fraction that `distance` gives; mark the inside.

    `distance` and `value` are those of a part of the lattice, from (k0, j0, i0) on.
    """
    nk, nj, ni = distance.shape
    for k in numba.prange(nk):
        for j in range(nj):
            for i in range(ni):
                fraction = 0.5 - distance[k, j, i] / h
                if fraction > 0.0:
                    fraction = min(1.0, fraction)
                    old = hu[k0 + k, j0 + j, i0 + i]
                    hu[k0 + k, j0 + j, i0 + i] = old + fraction * (value[k, j, i] - old)
                    if mark >= 0 and fraction >= 0.5:
                        label[k0 + k, j0 + j, i0 + i] = mark


def tubes_near(start: Floats, end: Floats, radius: Floats, low: Floats, high: Floats) -> Ints:
    """Return the indices of the cones whose bounding box meets the box (low, high)."""
    reach = radius[:, None]
    touches = (np.minimum(start, end) - reach <= high) & (np.maximum(start, end) + reach >= low)
    return np.flatnonzero(touches.all(axis=1))
