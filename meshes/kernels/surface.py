"""How far is a point from the wall of a bundle of tubes?"""

from __future__ import annotations

import math

import numba
import numpy as np

from meshes.arrays import AnyArray, Floats, Ints
from meshes.compiled import kernel, parallel_kernel

FAR = 1e30  # a distance that is never reached


@kernel
def _touches(x: float, y: float, z: float, start: Floats, end: Floats, reach: float) -> bool:
    """Tell whether (x, y, z) lies within `reach` of a segment."""
    ux, uy, uz = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    wx, wy, wz = x - start[0], y - start[1], z - start[2]
    t = (wx * ux + wy * uy + wz * uz) / (ux * ux + uy * uy + uz * uz)
    t = min(max(t, 0.0), 1.0)
    dx, dy, dz = wx - t * ux, wy - t * uy, wz - t * uz
    return dx * dx + dy * dy + dz * dz <= reach * reach


@kernel
def segments_by_block(
    start: Floats,
    end: Floats,
    reach: Floats,
    corner: Floats,
    block: float,
    shape: Ints,
    first: AnyArray,
    listed: AnyArray,
) -> None:
    """List the segments within `reach` of each block, in order.

    Called twice: with an empty `listed`, counts into `first[b + 1]`; then, with `first`
    summed up, fills `listed` and leaves `first` shifted by one place.
    """
    half = 0.5 * math.sqrt(3.0) * block
    lo = np.zeros(3, np.int64)
    hi = np.zeros(3, np.int64)
    for s in range(reach.size):
        for k in range(3):
            low = min(start[s, k], end[s, k]) - reach[s] - corner[k]
            high = max(start[s, k], end[s, k]) + reach[s] - corner[k]
            lo[k] = max(int(math.floor(low / block)), 0)
            hi[k] = min(int(math.floor(high / block)), shape[k] - 1)
        for i in range(lo[0], hi[0] + 1):
            x = corner[0] + (i + 0.5) * block
            for j in range(lo[1], hi[1] + 1):
                y = corner[1] + (j + 0.5) * block
                for k in range(lo[2], hi[2] + 1):
                    z = corner[2] + (k + 0.5) * block
                    if _touches(x, y, z, start[s], end[s], reach[s] + half):
                        b = (i * shape[1] + j) * shape[2] + k
                        if listed.size:
                            listed[first[b]] = s
                            first[b] += 1
                        else:
                            first[b + 1] += 1


@kernel
def _factor(
    point: int, ax: float, ay: float, az: float, outline: tuple[Floats, Floats, Floats]
) -> float:
    """Contour over radius at a tree point, towards (ax, ay, az); periodic, linear."""
    shape, zero, quarter = outline
    rays = shape.shape[1]
    c = ax * zero[point, 0] + ay * zero[point, 1] + az * zero[point, 2]
    s = ax * quarter[point, 0] + ay * quarter[point, 1] + az * quarter[point, 2]
    turn = math.atan2(s, c) / (2.0 * math.pi) * rays
    low = math.floor(turn)
    share = turn - low
    k = int(low) % rays
    return shape[point, k] * (1.0 - share) + shape[point, (k + 1) % rays] * share


@kernel
def _run_wall(
    x: float,
    y: float,
    z: float,
    listed: AnyArray,
    begin: int,
    last: int,
    segments: tuple[Floats, Floats, Floats, Floats, Ints, Ints, Ints],
    outlines: tuple[Floats, Floats, Floats, Ints, Ints],
    planes: tuple[Floats, Floats, float],
) -> tuple[int, float, int, float, float, float, float, float]:
    """Distance to the wall of the run that segment `listed[begin]` belongs to.

    Returns where the next run begins, the distance, its segment and place, and the unit
    vector away from the axis, and the radius that way. The nearest point of the axis
    decides, so that the section across the axis has exactly the contour of that place.
    """
    start, end, radius_start, radius_end, run, inlet, outlet = segments
    plane_point, plane_normal, beyond = planes
    square, who, where = FAR, listed[begin], 0.0
    ax, ay, az = 0.0, 0.0, 0.0
    c = begin
    while c < last and run[listed[c]] == run[listed[begin]]:
        s = listed[c]
        ux, uy, uz = end[s, 0] - start[s, 0], end[s, 1] - start[s, 1], end[s, 2] - start[s, 2]
        wx, wy, wz = x - start[s, 0], y - start[s, 1], z - start[s, 2]
        t = (wx * ux + wy * uy + wz * uz) / (ux * ux + uy * uy + uz * uz)
        t = min(max(t, 0.0), 1.0)
        dx, dy, dz = wx - t * ux, wy - t * uy, wz - t * uz
        d = dx * dx + dy * dy + dz * dz
        if d < square:
            square, who, where = d, s, t
            ax, ay, az = dx, dy, dz
        c += 1
    length = math.sqrt(square)
    scale = 1.0 / max(length, 1e-12)
    ax, ay, az = ax * scale, ay * scale, az * scale
    radius = radius_start[who] + where * (radius_end[who] - radius_start[who])
    shape, zero, quarter, parent, child = outlines
    if shape.shape[1] > 0:
        outline = (shape, zero, quarter)
        before = _factor(parent[who], ax, ay, az, outline)
        radius *= before + where * (_factor(child[who], ax, ay, az, outline) - before)
    wall = length - radius
    for p in (inlet[who], outlet[who]):
        if p >= 0:
            g = (x - plane_point[p, 0]) * plane_normal[p, 0]
            g += (y - plane_point[p, 1]) * plane_normal[p, 1]
            g += (z - plane_point[p, 2]) * plane_normal[p, 2]
            wall = max(wall, g - beyond)
    return c, wall, who, where, ax, ay, az, radius


@parallel_kernel
def tube_distance(
    points: Floats,
    segments: tuple[Floats, Floats, Floats, Floats, Ints, Ints, Ints],
    outlines: tuple[Floats, Floats, Floats, Ints, Ints],
    planes: tuple[Floats, Floats, float],
    forks: tuple[Ints, Ints, float],
    corner: Floats,
    block: float,
    shape: Ints,
    first: AnyArray,
    listed: AnyArray,
    distance: Floats,
    nearest: Ints,
    along: Floats,
    radius: Floats,
) -> None:
    """Fill the distance to the wall, below 0 inside, with the segment and place it is from,
    and the radius there towards the point.

    `segments`: start, end, radius at start and end, run, and the planes (-1: none) that end
    the vessel there; `outlines`: contour over radius (points, rays) of each tree point, no
    rays where all are round, its directions, and the points at each segment's start and
    end; `planes`: points, outward normals, and how far beyond the plane to
    end; `forks`: tree point at the start and end of each run, and the width over which
    runs that meet there are blended. `nearest` is -1 where no segment is listed.

    The blend is the quadratic smooth minimum, times (1 - cos) / 2 of the angle between the
    two walls: walls that face each other are joined, walls that coincide stay in place.
    """
    run = segments[4]
    run_start, run_end, fillet = forks
    for i in numba.prange(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        distance[i] = FAR
        nearest[i] = -1
        along[i] = 0.0
        radius[i] = 0.0
        bi = int(math.floor((x - corner[0]) / block))
        bj = int(math.floor((y - corner[1]) / block))
        bk = int(math.floor((z - corner[2]) / block))
        if bi < 0 or bj < 0 or bk < 0 or bi >= shape[0] or bj >= shape[1] or bk >= shape[2]:
            continue
        b = (bi * shape[1] + bj) * shape[2] + bk
        last = first[b + 1]
        c = int(first[b])
        best, bx, by, bz, runs = FAR, 0.0, 0.0, 0.0, 0
        while c < last:
            c, wall, who, where, ax, ay, az, wide = _run_wall(
                x, y, z, listed, c, last, segments, outlines, planes
            )
            runs += 1
            if wall < best:
                best, bx, by, bz = wall, ax, ay, az
                nearest[i], along[i], radius[i] = who, where, wide
        distance[i] = best
        if runs < 2 or abs(best) > fillet:
            continue
        mine = run[nearest[i]]
        blend = 0.0
        c = int(first[b])
        while c < last:
            other = run[listed[c]]
            c, wall, who, where, ax, ay, az, wide = _run_wall(
                x, y, z, listed, c, last, segments, outlines, planes
            )
            related = run_start[mine] == run_start[other] or run_end[mine] == run_start[other]
            related = related or run_start[mine] == run_end[other]
            if other != mine and related and wall - best < fillet:
                near = 1.0 - (wall - best) / fillet
                facing = 0.5 * (1.0 - (ax * bx + ay * by + az * bz))
                blend = max(blend, 0.25 * fillet * near * near * facing)
        distance[i] = best - blend
