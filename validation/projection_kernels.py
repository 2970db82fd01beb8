"""Compiled parts of the second imaging model: attenuation, transmission, back-projection.

Nothing here is shared with the first model but the tables of a `Piece`. Lengths in mm,
attenuation relative to water. Matter is a mixture of two: one that attenuates like water at
every energy ("soft") and one that favours low energies ("dense": iodine, calcium, metal).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from meshes.arrays import AnyArray, Floats
from meshes.compiled import kernel, parallel_kernel

STRAIGHT_1_MM = 1e-6
PLAIN_HU = 45.0  # of blood and calcium that attenuates like water
MUSCLE_HU = 150.0  # brighter planes are blood pools


@kernel
def _cover(depth: float, pixel: float) -> float:
    """Return how much of a pixel lies beneath a surface."""
    if depth > 0.5 * pixel:
        return 1.0
    if depth < -0.5 * pixel:
        return 0.0
    return depth / pixel + 0.5


@kernel
def _between(x: float, low: float, high: float, pixel: float) -> float:
    """Return how much of the interval x -+ pixel / 2 lies between low and high."""
    bottom, top = max(low, x - 0.5 * pixel), min(high, x + 0.5 * pixel)
    return (top - bottom) / pixel if top > bottom else 0.0


@kernel
def _looked_up(table: Floats, row: float, turn: float) -> float:
    """Return a table (s, theta) at a fractional row and a turn in [0, 1), bilinear."""
    rows, columns = table.shape
    i = min(int(row), rows - 2)
    u = row - i
    place = turn * columns
    j = int(place)
    v = place - j
    j, k = j % columns, (j + 1) % columns
    return (1 - u) * ((1 - v) * table[i, j] + v * table[i, k]) + u * (
        (1 - v) * table[i + 1, j] + v * table[i + 1, k]
    )


@kernel
def _beyond_cone(a: float, b: float, c: float, tube: Floats) -> float:
    """Return the distance from a tube's surface, outside positive, ends rounded."""
    d0, d1, d2 = tube[3] - tube[0], tube[4] - tube[1], tube[5] - tube[2]
    e0, e1, e2 = a - tube[0], b - tube[1], c - tube[2]
    along = (d0 * e0 + d1 * e1 + d2 * e2) / (d0 * d0 + d1 * d1 + d2 * d2)
    along = max(0.0, min(1.0, along))
    away = (e0 - along * d0) ** 2 + (e1 - along * d1) ** 2 + (e2 - along * d2) ** 2
    return math.sqrt(away) - (1.0 - along) * tube[6] - along * tube[7]


@kernel
def _nearest_strut_mm(s: float, theta: float, rings: Floats, strut: Floats) -> float:
    """Return the distance along the stent's surface to the middle of the next strut."""
    best = 1e6
    for m in range(rings.shape[0]):
        phase = rings[m, 1] * theta + rings[m, 3]
        slope = rings[m, 2] * rings[m, 1] * math.cos(phase) / strut[0]
        off = s - rings[m, 0] - rings[m, 2] * math.sin(phase)
        best = min(best, abs(off) / math.sqrt(1.0 + slope * slope))
    if strut[4] > 0.0 and rings[0, 0] < s < rings[rings.shape[0] - 1, 0]:
        apart = 2.0 * math.pi / strut[4]
        best = min(best, abs(theta - apart * round(theta / apart)) * strut[0])
    return best


@parallel_kernel
def attenuation(
    soft: AnyArray, dense: AnyArray, first: Floats, step: Floats, axes: Floats, ball: float,
    kappa: float, first_s: float, step_s: float, lumen: Floats, outer: Floats,
    plaque_hu: Floats, inner_calcium: Floats, outer_calcium: Floats, calcium_hu: Floats,
    rings: Floats, strut: Floats, fat_hu: float, blood_hu: float, planes: Floats, tubes: Floats,
) -> None:  # fmt: skip
    """Fill what a piece adds to a ball of fat, (k, j, i), relative to water.

    Parameters
    ----------
    first, step
        First lattice point and steps along i, j, k in the scanner's frame, origin at the
        middle of the piece.
    axes
        Rows: the scanner's axes in the piece's frame.
    ball
        Radius of what is painted.
    kappa, ..., tubes
        The fields of `Piece`.
    """
    h = (step[0] + step[1] + step[2]) / 3.0
    for k in numba.prange(soft.shape[0]):
        z = first[2] + k * step[2]
        for j in range(soft.shape[1]):
            y = first[1] + j * step[1]
            for i in range(soft.shape[2]):
                x = first[0] + i * step[0]
                far = x * x + y * y + z * z
                if far >= ball * ball:
                    continue
                a = x * axes[0, 0] + y * axes[1, 0] + z * axes[2, 0]
                b = x * axes[0, 1] + y * axes[1, 1] + z * axes[2, 1]
                c = x * axes[0, 2] + y * axes[1, 2] + z * axes[2, 2]
                water, heavy = fat_hu, 0.0
                for m in range(planes.shape[0]):
                    deep = planes[m, 0] * a + planes[m, 1] * b + planes[m, 2] * c - planes[m, 3]
                    part = _cover(deep, h)
                    own = planes[m, 4] if planes[m, 4] < MUSCLE_HU else PLAIN_HU
                    water += part * (own - water)
                    heavy += part * (planes[m, 4] - own - heavy)
                for m in range(tubes.shape[0]):
                    if tubes[m, 9] > 0.0:
                        part = _cover(tubes[m, 9] - _beyond_cone(a, b, c, tubes[m]), h)
                        water += part * (tubes[m, 10] - water)
                        heavy -= part * heavy
                if kappa < STRAIGHT_1_MM:
                    s, inward = a, b
                else:
                    bend = 1.0 / kappa - b
                    s = math.atan2(a, bend) / kappa
                    inward = 1.0 / kappa - math.sqrt(a * a + bend * bend)
                rho = math.sqrt(inward * inward + c * c)
                theta = math.atan2(c, inward)
                turn = theta / (2.0 * math.pi)
                turn -= math.floor(turn)
                row = (s - first_s) / step_s
                row = max(0.0, min(row, lumen.shape[0] - 1.0))
                rim = _looked_up(outer, row, turn)
                if rho < rim + h:
                    part = _cover(rim - rho, h)
                    water += part * (_looked_up(plaque_hu, row, turn) - water)
                    heavy -= part * heavy
                    low = _looked_up(inner_calcium, row, turn)
                    high = _looked_up(outer_calcium, row, turn)
                    if high > low:
                        part = _between(rho, low, high, h)
                        water += part * (PLAIN_HU - water)
                        heavy += part * (_looked_up(calcium_hu, row, turn) - PLAIN_HU - heavy)
                for m in range(tubes.shape[0]):
                    part = _cover(-_beyond_cone(a, b, c, tubes[m]), h)
                    water += part * (PLAIN_HU - water)
                    heavy += part * (tubes[m, 8] - PLAIN_HU - heavy)
                part = _cover(_looked_up(lumen, row, turn) - rho, h)
                water += part * (PLAIN_HU - water)
                heavy += part * (blood_hu - PLAIN_HU - heavy)
                if rings.shape[0] > 0 and abs(rho - strut[0]) < 0.5 * (strut[1] + h):
                    part = _between(
                        rho, strut[0] - 0.5 * strut[1], strut[0] + 0.5 * strut[1], h
                    )
                    near = _nearest_strut_mm(s, theta, rings, strut)
                    part *= _between(near, -0.5 * strut[2], 0.5 * strut[2], h)
                    water -= part * water
                    heavy += part * (strut[3] - heavy)
                part = _cover(ball - math.sqrt(far), h) / 1000.0
                soft[k, j, i] = part * (water - fat_hu)
                dense[k, j, i] = part * heavy


@parallel_kernel
def transmit(
    out: AnyArray, body: AnyArray, taps: AnyArray, start: Floats, fine: float, every: int,
    cosine: Floats, sine: Floats, shift: Floats, pixels: AnyArray, rows: AnyArray,
    discs: Floats, mu: Floats, lift: Floats,
) -> None:  # fmt: skip
    """Fill the part of the photons that reach each detector, (row, view, detector).

    Rays are followed on a fine comb, their photons (not their logarithms) are averaged over
    focal spot, detector and turn of the gantry: the exponential edge effect is in it.

    Parameters
    ----------
    body
        Photons that the body lets through on the comb, (2 energies, view, comb).
    taps
        Blur of each view on the comb, (view, taps).
    start, fine, every
        First place of the comb per view, its step, and comb steps per detector.
    cosine, sine, shift
        Direction of each view's detector, and how far the piece has moved along it.
    pixels, rows
        (x, y, soft, dense) times area, (n, 4), those of row r from rows[r] to rows[r + 1].
    discs
        (x, y, radius, soft, dense), shape (row, n, 5).
    mu, lift
        Attenuation of water and of dense matter relative to it, at two energies.
    """
    comb = body.shape[2]
    for r in numba.prange(out.shape[0]):
        added, light = np.zeros((comb, 2), np.float32), np.zeros(comb, np.float32)
        for v in range(out.shape[1]):
            c, s = cosine[v] / fine, sine[v] / fine
            zero = (shift[v] - start[v]) / fine
            for q in range(comb):
                added[q, 0] = 0.0
                added[q, 1] = 0.0
            for p in range(rows[r], rows[r + 1]):
                place = pixels[p, 0] * c + pixels[p, 1] * s + zero
                q = int(place)
                part = np.float32(place - q)
                soft, dense = pixels[p, 2], pixels[p, 3]
                added[q, 0] += soft - part * soft
                added[q, 1] += dense - part * dense
                added[q + 1, 0] += part * soft
                added[q + 1, 1] += part * dense
            for m in range(discs.shape[1]):
                middle = discs[r, m, 0] * c + discs[r, m, 1] * s + zero
                reach = discs[r, m, 2] / fine
                low = max(0, int(math.ceil(middle - reach)))
                for q in range(low, min(comb, int(middle + reach) + 1)):
                    way = math.sqrt(max(0.0, reach**2 - (q - middle) ** 2)) * 2.0 * fine**2
                    added[q, 0] += way * discs[r, m, 3]
                    added[q, 1] += way * discs[r, m, 4]
            for q in range(comb):
                light[q] = body[0, v, q] + body[1, v, q]
                if added[q, 0] != 0.0 or added[q, 1] != 0.0:
                    low_kev = mu[0] / fine * (added[q, 0] + lift[0] * added[q, 1])
                    high_kev = mu[1] / fine * (added[q, 0] + lift[1] * added[q, 1])
                    light[q] = body[0, v, q] * math.exp(-low_kev)
                    light[q] += body[1, v, q] * math.exp(-high_kev)
            for i in range(out.shape[2]):
                total = np.float32(0.0)
                for q in range(taps.shape[1]):
                    total += taps[v, q] * light[i * every + q]
                out[r, v, i] = total


@parallel_kernel
def back_project(
    image: AnyArray, sinogram: AnyArray, first: Floats, pitch: float, cosine: Floats,
    sine: Floats, corner: Floats, voxel: float,
) -> None:  # fmt: skip
    """Add filtered views (slice, view, detector) to the slices, (slice, j, i).

    Parameters
    ----------
    first
        Place of each view's first detector, in the coordinates of the voxels.
    corner
        Place of the first voxel.
    """
    views, detectors = sinogram.shape[1], sinogram.shape[2]
    for k in numba.prange(image.shape[0]):
        for v in range(views):
            step = voxel * cosine[v] / pitch
            for j in range(image.shape[1]):
                place = corner[0] * cosine[v] + (corner[1] + j * voxel) * sine[v] - first[v]
                place /= pitch
                for i in range(image.shape[2]):
                    q = int(place)
                    if place >= 0.0 and q < detectors - 1:
                        part = place - q
                        near, far = sinogram[k, v, q], sinogram[k, v, q + 1]
                        image[k, j, i] += near + part * (far - near)
                    place += step
        for j in range(image.shape[1]):
            for i in range(image.shape[2]):
                image[k, j, i] *= math.pi / views
