"""Shapes as distances, negative inside: ellipsoids, tubes, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from meshes.arrays import AnyArray, Floats, floats

Distance = Callable[[Floats], Floats]


def remembered(distance: Distance) -> Distance:
    """Return the same distance, asked once for the same array: organs share their parts."""
    last: list[Floats] = []

    def again(p: Floats) -> Floats:
        if not last or last[0] is not p:
            last[:] = [p, distance(p)]
        return last[1]

    return again


def ellipsoid(middle: ArrayLike, radii: ArrayLike, axes: AnyArray | None = None) -> Distance:
    """Return the distance from an ellipsoid, exact at its surface to first order."""
    frame = np.eye(3) if axes is None else np.asarray(axes)
    r = np.asarray(radii, dtype=float)

    def distance(p: Floats) -> Floats:
        q = (p - np.asarray(middle)) @ frame.T / r
        k = np.sqrt((q * q).sum(axis=-1)) + 1e-9
        slope = np.sqrt(((q / r) ** 2).sum(axis=-1)) + 1e-9
        return floats(k * (k - 1) / slope)

    return distance


def tube(points: ArrayLike, radius: ArrayLike) -> Distance:
    """Return the distance from a tube along a spline through points, (n, 3)."""
    line = spline(np.asarray(points, dtype=float), 1.0)
    r = np.atleast_1d(np.asarray(radius, dtype=float))
    r = np.interp(np.linspace(0, 1, len(line)), np.linspace(0, 1, r.size), r)
    tree = cKDTree(line)

    def distance(p: Floats) -> Floats:
        off, at = tree.query(p.reshape(-1, 3), workers=1)
        return floats((off - r[at]).reshape(p.shape[:-1]))

    return remembered(distance)


def union(*parts: Distance, blend_mm: float = 0.0) -> Distance:
    """Return the least of distances, rounded over `blend_mm` where two meet."""

    def distance(p: Floats) -> Floats:
        least = parts[0](p)
        for part in parts[1:]:
            other = part(p)
            h = np.clip(0.5 + 0.5 * (other - least) / max(blend_mm, 1e-6), 0, 1)
            least = floats(other + (least - other) * h - blend_mm * h * (1 - h))
        return least

    return remembered(distance)


def without(part: Distance, hole: Distance, gap_mm: float = 0.0) -> Distance:
    """Return a part that keeps off another."""
    return remembered(lambda p: floats(np.maximum(part(p), gap_mm - hole(p))))


def grown(part: Distance, by_mm: float) -> Distance:
    """Return a part, larger all around."""
    return lambda p: floats(part(p) - by_mm)


def spline(points: AnyArray, step_mm: float) -> AnyArray:
    """Return points of a smooth line through points, (m, 3), evenly spaced."""
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    fine = CubicSpline(chord, points)(np.linspace(0, chord[-1], int(chord[-1] * 8) + 2))
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    at = np.linspace(0, s[-1], max(3, round(s[-1] / step_mm) + 1))
    return np.column_stack([np.interp(at, s, fine[:, k]) for k in range(3)])
