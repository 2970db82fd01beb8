"""How is a fine surface drawn by a browser without a graphics card? With fewer triangles."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ffr.view.run import Lumen
from meshes.arrays import AnyArray, Floats, Ints

MANY = 60_000  # triangles that a processor alone draws fast enough to be turned
CELL_MM = 0.5  # where the lumen is wide; points within a cell become one
WIDE_MM = 0.8  # radius; each halving of it halves the cell, or a tight lumen would be torn
FINEST = 3  # halvings


def thinned(lumen: Lumen, axes_mm: Floats, most: int = MANY) -> Lumen:
    """Return a coarser surface of the lumen, or the same if it has `most` triangles or less.

    Points of one cell of a lattice become their mean (vertex clustering, Rossignac and Borrel
    1993); FFR is that of one of them, so that what is not analysed stays apart.

    Parameters
    ----------
    axes_mm
        Points of the centrelines, shape (n, 3): how wide the lumen is anywhere.
    """
    if len(lumen.triangles) <= most:
        return lumen
    radius, _ = cKDTree(axes_mm).query(lumen.points_mm)
    halvings = np.clip(np.ceil(np.log2(WIDE_MM / np.maximum(radius, 1e-6))), 0, FINEST)
    cell = CELL_MM / 2.0**halvings
    lattice = np.floor(lumen.points_mm / cell[:, None]).astype(np.int64)
    return _merged(lumen, _key(lattice, halvings.astype(np.int64), np.isnan(lumen.ffr)))


def _key(lattice: AnyArray, halvings: AnyArray, unknown: AnyArray) -> Ints:
    """Return one number per cell."""
    low = lattice.min(axis=0)
    size = lattice.max(axis=0) - low + 1
    flat = np.ravel_multi_index(tuple((lattice - low).T), tuple(size))
    return np.asarray((flat * (FINEST + 1) + halvings) * 2 + unknown, dtype=np.int64)


def _merged(lumen: Lumen, key: Ints) -> Lumen:
    _, first, cluster = np.unique(key, return_index=True, return_inverse=True)
    count = np.bincount(cluster)
    points = np.stack(
        [np.bincount(cluster, lumen.points_mm[:, a]) / count for a in range(3)], axis=1
    )
    corners = cluster[lumen.triangles]
    a, b, c = corners.T
    kept = corners[(a != b) & (b != c) & (a != c)]
    start = np.argmin(kept, axis=1)  # the same triangle twice is one
    turned = np.take_along_axis(kept, (start[:, None] + np.arange(3)) % 3, axis=1)
    return Lumen(points, np.unique(turned, axis=0), lumen.ffr[first])
