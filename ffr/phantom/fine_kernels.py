"""Compiled exact painting of vessels: every voxel at a border is looked at in small parts.

All lengths in mm in the lattice's own axes, as in `kernels.py`. A vessel is a chain of
cones: a point belongs to the place of the axis nearest to it, and lies inside if it is
nearer than the radius there. (The nearest surface would not do: the ball around each joint
of a tapering vessel sticks out over the next cone, 4 % of radius at a slope of 0.3.)
"""

from __future__ import annotations

import math

import numba
import numpy as np

from meshes.arrays import AnyArray, Floats, Ints
from meshes.compiled import kernel, parallel_kernel

PART_MM = 0.1  # parts of a voxel are about this wide
COARSE_MM, COARSE_PARTS = 0.8, 4  # wider voxels show no lumen that one could measure
NEIGHBOURS = 192  # room for cones near one voxel; crowded ones of 40 hearts had 69
FAR = 1e9
WALL, LUMEN, CALCIUM = 0, 1, 2


@kernel
def cells_of(
    start: Floats, end: Floats, reach: Floats, low: Floats, cell: float, count: Ints
) -> tuple[Ints, Ints]:
    """Return the cones that touch each cell of a coarse lattice: first index, and cones.

    Parameters
    ----------
    start, end, reach
        Cones, and how far from their axis they matter.
    low, cell, count
        First corner, size and number along x, y, z of the cells.
    """
    n = start.shape[0]
    total = count[0] * count[1] * count[2]
    first = np.zeros(total + 1, dtype=np.int64)
    box = np.zeros((n, 6), dtype=np.int64)
    for m in range(n):
        for c in range(3):
            a = min(start[m, c], end[m, c]) - reach[m] - low[c]
            b = max(start[m, c], end[m, c]) + reach[m] - low[c]
            box[m, c] = max(0, int(math.floor(a / cell)))
            box[m, 3 + c] = min(count[c] - 1, int(math.floor(b / cell)))
        for z in range(box[m, 2], box[m, 5] + 1):
            for y in range(box[m, 1], box[m, 4] + 1):
                for x in range(box[m, 0], box[m, 3] + 1):
                    first[(z * count[1] + y) * count[0] + x + 1] += 1
    for q in range(total):
        first[q + 1] += first[q]
    held = np.zeros(first[total], dtype=np.int64)
    filled = np.zeros(total, dtype=np.int64)
    for m in range(n):  # in order: cones of a chain stay together
        for z in range(box[m, 2], box[m, 5] + 1):
            for y in range(box[m, 1], box[m, 4] + 1):
                for x in range(box[m, 0], box[m, 3] + 1):
                    q = (z * count[1] + y) * count[0] + x
                    held[first[q] + filled[q]] = m
                    filled[q] += 1
    return first, held


@kernel
def _from_axis(
    x: float, y: float, z: float, m: int, start: Floats, way: Floats
) -> tuple[float, float]:
    """Place on a cone's axis nearest to a point, 0 to 1, and the squared distance there."""
    dx, dy, dz = x - start[m, 0], y - start[m, 1], z - start[m, 2]
    t = 0.0
    if way[m, 3] > 0.0:
        t = (dx * way[m, 0] + dy * way[m, 1] + dz * way[m, 2]) / way[m, 3]
        t = min(1.0, max(0.0, t))
    dx, dy, dz = dx - t * way[m, 0], dy - t * way[m, 1], dz - t * way[m, 2]
    return t, dx * dx + dy * dy + dz * dz


@kernel
def _at(
    x: float, y: float, z: float, near: Ints, count: int, start: Floats, way: Floats,
    radius: Floats, value: Floats, chain: Ints, layer: Ints, found: Floats,
) -> None:  # fmt: skip
    """Fill `found`: signed distance, value and radius of each layer at a point, (3, 3)."""
    for c in range(3):
        found[c, 0] = FAR
    q = 0
    while q < count:
        m = near[q]
        this = chain[m]
        least, r, v = FAR, 0.0, 0.0
        while q < count and chain[near[q]] == this:  # the place of the chain that is nearest
            m = near[q]
            t, d2 = _from_axis(x, y, z, m, start, way)
            if d2 < least:
                least = d2
                r = radius[m, 0] + t * (radius[m, 1] - radius[m, 0])
                v = value[m, 0] + t * (value[m, 1] - value[m, 0])
            q += 1
        d = math.sqrt(least) - r
        which = layer[m]
        if d < found[which, 0]:
            found[which, 0], found[which, 1], found[which, 2] = d, v, r


@kernel
def _share(distance: float, radius: float, h: float) -> float:
    """Return the share of a small cube inside a tube, its middle at a signed distance.

    The border curves away from a cube beside it: h^2 / (24 r) more, and the shares of a disc
    add up to its area.
    """
    shift = h * h / (24.0 * max(radius, 0.5 * h))
    return min(1.0, max(0.0, 0.5 - (distance + shift) / h))


@parallel_kernel
def paint_layers(
    hu: AnyArray, label: AnyArray, cover: AnyArray, corner: Ints, spacing: Floats,
    start: Floats, way: Floats, radius: Floats, value: Floats, chain: Ints, layer: Ints,
    first: Ints, held: Ints, low: Floats, cell: float, count: Ints, marks: Ints,
) -> None:  # fmt: skip
    """Paint walls, lumens and calcium at once, each with its exact share of every voxel.

    Lumen lies in wall and wins over calcium; aortic blood wins over wall and calcium.

    Parameters
    ----------
    hu, label
        Lattice (k, j, i), both changed.
    cover, corner
        Share of aortic blood in the voxels from `corner` (i, j, k) on.
    start, way, radius, value, chain, layer
        Cones, those of a chain one after another: start; way to the end and its length
        squared (n, 4); radius and HU at start and end; chain; WALL, LUMEN or CALCIUM.
    first, held, low, cell, count
        The cones touching each cell, from `cells_of`.
    marks
        Labels of the layers, negative: leave labels alone.
    """
    nk, nj, ni = hu.shape
    parts = np.zeros(3, dtype=np.int64)
    for c in range(3):
        parts[c] = max(1, int(math.ceil(spacing[c] / PART_MM - 1e-6)))
        if spacing[c] > COARSE_MM:
            parts[c] = COARSE_PARTS
    px, py, pz = parts[0], parts[1], parts[2]
    sx, sy, sz = spacing[0] / px, spacing[1] / py, spacing[2] / pz
    h = (sx * sy * sz) ** (1.0 / 3.0)
    half = 0.55 * math.sqrt(spacing[0] ** 2 + spacing[1] ** 2 + spacing[2] ** 2)
    for q in numba.prange(count[0] * count[1] * count[2]):
        if first[q + 1] == first[q]:
            continue
        near = np.zeros(NEIGHBOURS, dtype=np.int64)
        found = np.zeros((3, 3))
        share = np.zeros(3)
        bright = np.zeros(3)
        qz = q // (count[0] * count[1])
        qy = (q // count[0]) % count[1]
        qx = q % count[0]
        k0 = max(0, int(math.ceil((low[2] + qz * cell) / spacing[2])))
        k1 = min(nk, int(math.ceil((low[2] + (qz + 1) * cell) / spacing[2])))
        j0 = max(0, int(math.ceil((low[1] + qy * cell) / spacing[1])))
        j1 = min(nj, int(math.ceil((low[1] + (qy + 1) * cell) / spacing[1])))
        i0 = max(0, int(math.ceil((low[0] + qx * cell) / spacing[0])))
        i1 = min(ni, int(math.ceil((low[0] + (qx + 1) * cell) / spacing[0])))
        for k in range(k0, k1):
            for j in range(j0, j1):
                for i in range(i0, i1):
                    x, y, z = i * spacing[0], j * spacing[1], k * spacing[2]
                    n = 0
                    for e in range(first[q], first[q + 1]):
                        m = held[e]
                        _, d2 = _from_axis(x, y, z, m, start, way)
                        r = max(radius[m, 0], radius[m, 1]) + half + 0.3
                        if d2 < r * r and n < NEIGHBOURS:
                            near[n] = m
                            n += 1
                    if n == 0:
                        continue
                    _at(x, y, z, near, n, start, way, radius, value, chain, layer, found)
                    sure = True
                    for c in range(3):
                        share[c] = 1.0 if found[c, 0] < 0.0 else 0.0
                        bright[c] = share[c] * found[c, 1]
                        sure = sure and abs(found[c, 0]) > half
                    if share[LUMEN] == 1.0 and found[LUMEN, 0] < -half:
                        sure = True
                    if sure:
                        _stack(share, bright)
                    else:
                        total = np.zeros(6)
                        for a in range(pz):
                            for b in range(py):
                                for d in range(px):
                                    _at(
                                        x + (d - 0.5 * (px - 1)) * sx,
                                        y + (b - 0.5 * (py - 1)) * sy,
                                        z + (a - 0.5 * (pz - 1)) * sz,
                                        near, n, start, way, radius, value, chain, layer, found,
                                    )  # fmt: skip
                                    for c in range(3):
                                        share[c] = 0.0
                                        if found[c, 0] < h:
                                            share[c] = _share(found[c, 0], found[c, 2], h)
                                        bright[c] = share[c] * found[c, 1]
                                    _stack(share, bright)
                                    for c in range(3):
                                        total[c] += share[c]
                                        total[3 + c] += bright[c]
                        for c in range(3):
                            share[c] = total[c] / (px * py * pz)
                            bright[c] = total[3 + c] / (px * py * pz)
                    blood = 0.0
                    ck, cj, ci = k - corner[2], j - corner[1], i - corner[0]
                    inside = 0 <= ck < cover.shape[0] and 0 <= cj < cover.shape[1]
                    if inside and 0 <= ci < cover.shape[2]:
                        blood = cover[ck, cj, ci]
                    share[WALL] *= 1.0 - blood
                    bright[WALL] *= 1.0 - blood
                    share[CALCIUM] *= 1.0 - blood
                    bright[CALCIUM] *= 1.0 - blood
                    solid = share[WALL] + share[LUMEN] + share[CALCIUM]
                    hu[k, j, i] += (
                        bright[WALL] + bright[LUMEN] + bright[CALCIUM] - solid * hu[k, j, i]
                    )
                    if share[LUMEN] >= 0.5:
                        if marks[LUMEN] >= 0:
                            label[k, j, i] = marks[LUMEN]
                    elif share[CALCIUM] >= 0.5:
                        if marks[CALCIUM] >= 0:
                            label[k, j, i] = marks[CALCIUM]
                    elif solid >= 0.5 and marks[WALL] >= 0:
                        label[k, j, i] = marks[WALL]


@kernel
def _stack(share: Floats, bright: Floats) -> None:
    """Let lumen displace calcium and both displace wall, in place."""
    for c in (CALCIUM, WALL):
        left = 1.0 - share[LUMEN]
        if c == WALL:
            left -= share[CALCIUM]
        left = min(share[c], max(0.0, left))
        if share[c] > 0.0:
            bright[c] *= left / share[c]
        share[c] = left


@kernel
def deposit_wires(
    part: AnyArray, spacing: Floats, start: Floats, end: Floats, radius: Floats, pace: float
) -> None:
    """Add to `part` (k, j, i) the share of each voxel that thin wires fill.

    A wire much thinner than a voxel is laid down in short pieces, each with its exact volume
    in the voxel that holds its middle: the sum is the metal's volume to the last digit.
    """
    nk, nj, ni = part.shape
    voxel = spacing[0] * spacing[1] * spacing[2]
    for m in range(start.shape[0]):
        length = math.sqrt(
            (end[m, 0] - start[m, 0]) ** 2
            + (end[m, 1] - start[m, 1]) ** 2
            + (end[m, 2] - start[m, 2]) ** 2
        )
        pieces = max(1, int(math.ceil(length / pace)))
        volume = math.pi * radius[m] ** 2 * length / pieces / voxel
        for q in range(pieces):
            t = (q + 0.5) / pieces
            i = int(
                math.floor((start[m, 0] + t * (end[m, 0] - start[m, 0])) / spacing[0] + 0.5)
            )
            j = int(
                math.floor((start[m, 1] + t * (end[m, 1] - start[m, 1])) / spacing[1] + 0.5)
            )
            k = int(
                math.floor((start[m, 2] + t * (end[m, 2] - start[m, 2])) / spacing[2] + 0.5)
            )
            if 0 <= i < ni and 0 <= j < nj and 0 <= k < nk:
                part[k, j, i] += volume
