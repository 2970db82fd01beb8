"""What feeds a tree whose inlet is a throat? The aorta, through a wide piece before it."""

from __future__ import annotations

import dataclasses

import numpy as np

from meshes.tree import VesselTree, child_count
from solvers.solution import FlowSolution
from solvers.split import inlet_radius_mm

WINDOWS_MM = (10.0, 20.0)  # of the first vessel's start: its calibre is the wider median
THROAT = 0.8  # of that calibre: an inlet narrower than this is a stenosis
STRAIGHT_RADII = 3.0  # length of the wide piece: settles the flow, costs next to nothing
AHEAD = 1  # a contraction of 45 degrees leads from it into the throat


def feeding_radius_mm(tree: VesselTree) -> float:
    """Return the radius from which the inlet is fed: its own, or more if it is a throat.

    A pressure that is given at a throat would rise behind it, as the jet spreads, above
    that of the aorta. There, it is taken as the pressure before the throat.
    """
    if child_count(tree)[0] != 1:
        return float(tree.radius_mm[0])
    calibre = max(inlet_radius_mm(tree, tree.radius_mm, window) for window in WINDOWS_MM)
    return max(float(tree.radius_mm[0]), THROAT * calibre)


def with_feeding(tree: VesselTree) -> tuple[VesselTree, int]:
    """Return the tree with points before its inlet where that is a throat, and how many."""
    wide, own = feeding_radius_mm(tree), float(tree.radius_mm[0])
    if wide <= own:
        return tree, 0
    back = tree.points_mm[0] - tree.points_mm[1]
    back = back / np.linalg.norm(back)
    length = np.array([STRAIGHT_RADII * wide, 0.0]) + AHEAD * (wide - own)
    points = np.vstack([tree.points_mm[0] + length[:, None] * back, tree.points_mm])
    radius = np.concatenate([[wide, wide], tree.radius_mm])
    parent = np.concatenate([[-1, 0], tree.parent + 2])
    parent[2] = 1
    return VesselTree(points, radius, parent), 2


def without_feeding(solution: FlowSolution, added: int) -> FlowSolution:
    """Return the solution of the tree itself; its first point keeps the pressure given."""
    if not added:
        return solution
    static = solution.pressure_mmhg[added:].copy()
    static[0] = solution.pressure_mmhg[0]
    return dataclasses.replace(
        solution,
        pressure_mmhg=static,
        total_pressure_mmhg=solution.total_pressure_mmhg[added:],
        flow_ml_min=solution.flow_ml_min[added:],
    )
