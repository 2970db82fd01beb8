"""What of the lumen does the page draw? One surface, sent once; no solver, no compiled code."""

from __future__ import annotations

import numpy as np

from ffr.report.colours import ffr_rgb
from ffr.view.packing import packed
from ffr.view.run import Lumen
from meshes.arrays import Floats, Ints


def lumen_blob(lumen: Lumen) -> bytes:
    """Return the lumen for drawing: points, normals, colours, triangles as VTK lists them."""
    count = np.full((len(lumen.triangles), 1), 3)
    return packed(
        {
            "points": lumen.points_mm.astype(np.float32),
            "normals": vertex_normals(lumen.points_mm, lumen.triangles).astype(np.float32),
            "rgb": np.rint(255.0 * ffr_rgb(lumen.ffr)).astype(np.uint8),
            "polys": np.concatenate([count, lumen.triangles], axis=1).astype(np.uint32),
        }
    )


def vertex_normals(points_mm: Floats, triangles: Ints) -> Floats:
    """Return unit normals at the points of a surface, weighted by area, shape (n, 3)."""
    a, b, c = (points_mm[triangles[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    total = np.zeros_like(points_mm)
    for axis in range(3):
        for corner in range(3):
            weights = np.bincount(triangles[:, corner], flat[:, axis], len(points_mm))
            total[:, axis] += weights
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals: Floats = total / np.where(length > 0, length, 1.0)
    return normals
