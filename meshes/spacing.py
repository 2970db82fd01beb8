"""How are points that came to lie on each other put apart again?"""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats, Ints

LEAST_MM = 0.02  # between neighbours: far below what voxels of 0.3 mm show


def distinct(curve_mm: Floats) -> Floats:
    """Return a curve (n, 3) at even steps where two of its points lie on each other."""
    steps = np.linalg.norm(np.diff(curve_mm, axis=0), axis=1)
    if np.all(steps > LEAST_MM):
        return curve_mm
    s = np.concatenate([[0], np.cumsum(np.maximum(steps, 1e-9))])
    even = np.linspace(0, s[-1], len(curve_mm))
    return np.stack([np.interp(even, s, curve_mm[:, c]) for c in range(3)], axis=1)


def apart(points_mm: Floats, parent: Ints) -> Floats:
    """Return points (n, 3) of which none lies on its parent: a tree needs that."""
    moved = np.array(points_mm)
    for i in range(1, len(parent)):
        if np.linalg.norm(moved[i] - moved[parent[i]]) < LEAST_MM:
            moved[i] = moved[i] + np.array([0.0, 0.0, LEAST_MM])
    return moved
