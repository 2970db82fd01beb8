"""Compiled painting of one short vessel piece, its plaque, stent and neighbours.

All lengths in mm. A point is given in the piece's own frame (tangent, normal, binormal at
the middle of the axis, origin there); the axis is a circular arc of curvature kappa towards
the normal, so path length s, distance rho and angle theta are exact. Contours are tables
over s (rows, even steps) and theta (columns, once around).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from meshes.arrays import AnyArray, Floats
from meshes.compiled import kernel, parallel_kernel

LEAST_CURVATURE_1_MM = 1e-6


@kernel
def _along(a: float, b: float, c: float, kappa: float) -> tuple[float, float, float]:
    """Return path length, distance from the axis and angle from the normal."""
    if kappa < LEAST_CURVATURE_1_MM:
        return a, math.hypot(b, c), math.atan2(c, b)
    reach = 1.0 / kappa
    u = reach - math.hypot(a, reach - b)
    return reach * math.atan2(a, reach - b), math.hypot(u, c), math.atan2(c, u)


@kernel
def _cell(
    s: float, theta: float, first: float, step: float, rows: int, columns: int
) -> tuple[int, int, int, float, float]:
    """Return the table cell of a place and how far into it the place lies."""
    x = min(max((s - first) / step, 0.0), rows - 1.000001)
    y = theta / (2.0 * math.pi) * columns
    y -= math.floor(y / columns) * columns
    i, j = int(x), int(y)
    if j >= columns:
        j = 0
    return i, j, (j + 1) % columns, x - i, y - math.floor(y)


@kernel
def _read(table: Floats, i: int, j: int, k: int, x: float, y: float) -> float:
    """Return a table's value, bilinear, periodic in theta."""
    near = table[i, j] * (1.0 - y) + table[i, k] * y
    far = table[i + 1, j] * (1.0 - y) + table[i + 1, k] * y
    return near * (1.0 - x) + far * x


@kernel
def _part(depth: float, h: float) -> float:
    """Return which part of a voxel lies inside a surface `depth` under which its centre is."""
    return min(1.0, max(0.0, 0.5 + depth / h))


@kernel
def _sheet(distance: float, thickness: float, h: float) -> float:
    """Return which part of a voxel a sheet fills, at a distance of its middle."""
    low = max(distance - 0.5 * h, -0.5 * thickness)
    high = min(distance + 0.5 * h, 0.5 * thickness)
    return max(0.0, high - low) / h


@kernel
def _capsule(p: Floats, tube: Floats) -> float:
    """Return the signed distance to a round cone: start, end, both radii."""
    ux, uy, uz = tube[3] - tube[0], tube[4] - tube[1], tube[5] - tube[2]
    x, y, z = p[0] - tube[0], p[1] - tube[1], p[2] - tube[2]
    length2 = ux * ux + uy * uy + uz * uz
    t = min(1.0, max(0.0, (x * ux + y * uy + z * uz) / length2))
    x, y, z = x - t * ux, y - t * uy, z - t * uz
    return math.sqrt(x * x + y * y + z * z) - (tube[6] + t * (tube[7] - tube[6]))


@parallel_kernel
def paint_piece(
    hu: AnyArray, fraction: AnyArray, spacing: Floats, origin: Floats, turn: Floats,
    kappa: float, first: float, step: float, lumen: Floats, outer: Floats, plaque_hu: Floats,
    inner_calcium: Floats, outer_calcium: Floats, calcium_hu: Floats,
    rings: Floats, strut: Floats, tissue: Floats, planes: Floats, tubes: Floats,
) -> None:  # fmt: skip
    """Fill `hu` (k, j, i), and `fraction` with the part of each voxel that is lumen.

    Parameters
    ----------
    spacing, origin, turn
        Lattice: steps along i, j, k; first voxel in the piece's frame; rows: the lattice's
        axes in the piece's frame.
    lumen, outer, plaque_hu, inner_calcium, outer_calcium, calcium_hu
        Tables from `first` on in steps of `step`; calcium lies between its two surfaces.
    rings, strut
        Stent rings as rows: s, crowns, half height, phase; radius of the struts' middle,
        thickness, width, HU and connectors. No rows: no stent.
    tissue
        HU of fat and of blood.
    planes
        Rows: unit normal, offset, HU: tissue where normal . p > offset.
    tubes
        Rows: start, end, both radii, HU, wall thickness; of blood where HU is nan.
    """
    nk, nj, ni = hu.shape
    h = (spacing[0] + spacing[1] + spacing[2]) / 3.0
    rows, columns = lumen.shape
    for k in numba.prange(nk):
        p = np.zeros(3)
        for j in range(nj):
            for i in range(ni):
                for c in range(3):
                    p[c] = origin[c] + i * spacing[0] * turn[0, c]
                    p[c] += j * spacing[1] * turn[1, c] + k * spacing[2] * turn[2, c]
                value = tissue[0]
                for m in range(planes.shape[0]):
                    depth = planes[m, 0] * p[0] + planes[m, 1] * p[1] + planes[m, 2] * p[2]
                    value += _part(depth - planes[m, 3], h) * (planes[m, 4] - value)
                for m in range(tubes.shape[0]):  # walls first: their lumens are joined
                    if tubes[m, 9] > 0.0:
                        part = _part(tubes[m, 9] - _capsule(p, tubes[m]), h)
                        value += part * (tubes[m, 10] - value)
                s, rho, theta = _along(p[0], p[1], p[2], kappa)
                a, b, c1, x, y = _cell(s, theta, first, step, rows, columns)
                inside = 0.0
                r = _read(lumen, a, b, c1, x, y)
                r_outer = _read(outer, a, b, c1, x, y)
                if rho < r_outer + h:
                    part = _part(r_outer - rho, h)
                    value += part * (_read(plaque_hu, a, b, c1, x, y) - value)
                    low = _read(inner_calcium, a, b, c1, x, y)
                    high = _read(outer_calcium, a, b, c1, x, y)
                    if high > low:
                        part = _sheet(rho - 0.5 * (low + high), high - low, h)
                        value += part * (_read(calcium_hu, a, b, c1, x, y) - value)
                for m in range(tubes.shape[0]):
                    part = _part(-_capsule(p, tubes[m]), h)
                    value += part * (tubes[m, 8] - value)
                if rho < r + h:
                    inside = _part(r - rho, h)
                    value += inside * (tissue[1] - value)
                if rings.shape[0] > 0 and abs(rho - strut[0]) < 0.5 * (strut[1] + h):
                    near = 1e9
                    for m in range(rings.shape[0]):
                        way = rings[m, 2] * math.sin(rings[m, 1] * theta + rings[m, 3])
                        tilt = rings[m, 1] * rings[m, 2] / strut[0]
                        tilt *= math.cos(rings[m, 1] * theta + rings[m, 3])
                        near = min(near, abs(s - rings[m, 0] - way) / math.hypot(1.0, tilt))
                    if strut[4] > 0.0 and rings[0, 0] < s < rings[rings.shape[0] - 1, 0]:
                        turnabout = theta * strut[4] / (2.0 * math.pi)
                        off = (turnabout - round(turnabout)) / strut[4] * 2.0 * math.pi
                        near = min(near, abs(off) * strut[0])
                    part = _sheet(rho - strut[0], strut[1], h) * _sheet(near, strut[2], h)
                    value += part * (strut[3] - value)
                hu[k, j, i] = value
                fraction[k, j, i] = inside


@parallel_kernel
def contour_on_rays(
    radius: AnyArray, centre: Floats, rays: Floats, kappa: float, first: float, step: float,
    table: Floats, far: float, pace: float,
) -> None:  # fmt: skip
    """Fill `radius` (n, angles): how far each ray runs inside a contour.

    Parameters
    ----------
    centre, rays
        Start points (n, 3) and unit directions (n, angles, 3) in the piece's frame.
    far, pace
        Longest way and step of the search.
    """
    rows, columns = table.shape
    for n in numba.prange(centre.shape[0]):
        for m in range(rays.shape[1]):
            before, reach = -1.0, 0.0
            radius[n, m] = far
            while reach <= far:
                s, rho, theta = _along(
                    centre[n, 0] + reach * rays[n, m, 0],
                    centre[n, 1] + reach * rays[n, m, 1],
                    centre[n, 2] + reach * rays[n, m, 2],
                    kappa,
                )
                a, b, c, x, y = _cell(s, theta, first, step, rows, columns)
                depth = rho - _read(table, a, b, c, x, y)
                if depth >= 0.0:
                    share = depth / (depth - before) if reach > 0.0 else 0.0
                    radius[n, m] = max(0.0, reach - pace * share)
                    break
                before = depth
                reach += pace


@parallel_kernel
def calcium_on_rays(
    part: AnyArray, centre: Floats, rays: Floats, kappa: float, first: float, step: float,
    inner: Floats, outer: Floats, pace: float,
) -> None:  # fmt: skip
    """Fill `part` (n, angles, samples) with 1 where a ray's sample lies in calcium, else 0.

    Samples lie at (0.5, 1.5, ...) `pace`.
    """
    rows, columns = inner.shape
    for n in numba.prange(centre.shape[0]):
        for m in range(rays.shape[1]):
            for q in range(part.shape[2]):
                reach = (q + 0.5) * pace
                s, rho, theta = _along(
                    centre[n, 0] + reach * rays[n, m, 0],
                    centre[n, 1] + reach * rays[n, m, 1],
                    centre[n, 2] + reach * rays[n, m, 2],
                    kappa,
                )
                a, b, c, x, y = _cell(s, theta, first, step, rows, columns)
                low, high = _read(inner, a, b, c, x, y), _read(outer, a, b, c, x, y)
                part[n, m, q] = 1 if low < rho < high else 0
