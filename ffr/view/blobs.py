"""What arrays does the page ask for? The lumen once, and per vessel what a cursor needs."""

from __future__ import annotations

import numpy as np

from ffr.report.colours import ffr_rgb
from ffr.report.paths import VesselPath
from ffr.view.packing import packed
from ffr.view.reformat import (
    ACROSS_MM,
    CURVED_MM,
    cross_sections_hu,
    curved,
    curved_edges_mm,
    curved_hu,
    first_rays,
    outlines_mm,
    vessel_axis,
)
from ffr.view.run import Lumen, Run
from meshes.arrays import AnyArray, Floats, Ints
from meshes.contours import chosen_contours
from meshes.volume import Volume


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


def vessel_blob(run: Run, path: VesselPath, volume: Volume | None) -> bytes:
    """Return pictures, outlines and frames of one vessel; without a scan no pictures."""
    coronary = next(c for c in run.trees if c.side == path.side)
    axis = vessel_axis(path.points_mm)
    shape = None
    if coronary.contours is not None:
        shape = chosen_contours(coronary.contours, path.points)
    outline = outlines_mm(axis, path.s_mm, path.radius_mm, shape)
    bent = curved(axis)
    at = np.clip(np.rint(path.s_mm / axis.s_mm[1]).astype(int), 0, axis.s_mm.size - 1)
    arrays: dict[str, AnyArray] = {
        "step_mm": np.array([axis.s_mm[1], ACROSS_MM, CURVED_MM]),
        "curved_size_mm": np.array(bent.size_mm),
        "outline_mm": outline.astype(np.float32),
        "right": axis.right_direction[at].astype(np.float32),
        "up": axis.up_direction[at].astype(np.float32),
        "curved_right": bent.sideways_direction.astype(np.float32),
        "curved_at_mm": np.stack([bent.down_mm[:, at], bent.right_mm[:, at]], axis=1).astype(
            np.float32
        ),
        "curved_edges_mm": curved_edges_mm(axis, bent, path.s_mm, outline).astype(np.float32),
    }
    if shape is not None:
        arrays["first_ray"] = first_rays(axis, path.s_mm, shape).astype(np.float32)
    if volume is not None:
        arrays["across_hu"] = cross_sections_hu(volume, axis)
        arrays["curved_hu"] = curved_hu(volume, axis, bent)
    return packed(arrays)
