"""How much of the true lumen's edge lies behind calcium? Exact, from the virtual patient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import maximum_filter1d
from scipy.spatial import cKDTree

from ffr.phantom.coronaries import Calcium
from meshes.arrays import AnyArray, Floats, floats
from meshes.straighten import frames
from meshes.tree import VesselTree, sections

ANGLES = 48
BEHIND_MM = np.arange(0.05, 2.0, 0.1)  # behind the lumen's edge: deposits lie within
ALONG_POINTS = 5  # of 0.5 mm: deposits are chains of rings 1 mm apart, and a scan blurs
LONGEST_MM = 1.0  # cone of a deposit


def calcium_arc_deg(tree: VesselTree, deposits: Sequence[Calcium]) -> Floats:
    """Return the arc of calcium around the lumen at each point of a true tree, shape (n,).

    Rays from the lumen's axis, in the plane across it; one counts when it meets calcium
    within 2 mm behind the lumen's edge. The largest arc within 1 mm along the vessel.
    """
    arc = np.zeros(len(tree))
    if not deposits:
        return floats(arc)
    start = np.concatenate([c.start_mm for c in deposits])
    end = np.concatenate([c.end_mm for c in deposits])
    thick = np.concatenate([c.radius_mm for c in deposits])
    middles = cKDTree(0.5 * (start + end))
    for run in sections(tree):
        own = run if run[0] == 0 else run[1:]
        _, normal, binormal = frames(tree.points_mm[run])
        here = np.zeros(len(run))
        for k, point in enumerate(run):
            reach = tree.radius_mm[point] + BEHIND_MM[-1] + thick.max() + LONGEST_MM
            near = middles.query_ball_point(tree.points_mm[point], reach)
            if near:
                spokes = _rays(normal[k], binormal[k], float(tree.radius_mm[point]))
                met = _inside(
                    tree.points_mm[point] + spokes, start[near], end[near], thick[near]
                )
                here[k] = 360.0 * met.any(axis=1).mean()
        arc[own] = maximum_filter1d(here, ALONG_POINTS, mode="nearest")[-len(own) :]
    return floats(arc)


def _rays(normal: Floats, binormal: Floats, radius_mm: float) -> Floats:
    """Places behind the lumen's edge, (ANGLES, places, 3)."""
    angle = np.arange(ANGLES) * 2 * np.pi / ANGLES
    spoke = np.cos(angle)[:, None] * normal + np.sin(angle)[:, None] * binormal
    return floats(spoke[:, None] * (radius_mm + BEHIND_MM)[:, None])


def _inside(places: Floats, start: Floats, end: Floats, thick: Floats) -> AnyArray:
    """Tell the places (..., 3) that lie in any of the round-ended rods."""
    axis = end - start
    length2 = np.maximum((axis**2).sum(axis=1), 1e-12)
    away = places[..., None, :] - start
    t = np.clip((away * axis).sum(axis=-1) / length2, 0.0, 1.0)
    off = np.linalg.norm(away - t[..., None] * axis, axis=-1)
    return np.asarray((off <= thick).any(axis=-1))
