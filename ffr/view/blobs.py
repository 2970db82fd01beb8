"""What arrays does the page ask for of a vessel? All that its cursor and turns need."""

from __future__ import annotations

import numpy as np

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
from ffr.view.run import Run
from meshes.arrays import AnyArray
from meshes.contours import chosen_contours
from meshes.volume import Volume


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
