"""Which part of a tree lies behind a closed lumen: it has no flow and no FFR."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import AnyArray, Floats
from meshes.errors import GeometryError
from meshes.tree import VesselTree, outlets
from solvers.solution import FlowSolution

OCCLUDED_RADIUS_MM = 0.05  # a lumen of 0.1 mm passes less than 0.1 % of a healthy vessel's flow


def occluded(tree: VesselTree) -> AnyArray:
    """Return True at and behind lumens of at most OCCLUDED_RADIUS_MM, shape (n,).

    No collateral is known, so what pressure is there cannot be said.
    """
    shut = tree.radius_mm <= OCCLUDED_RADIUS_MM
    for i in range(1, len(tree)):
        shut[i] |= shut[tree.parent[i]]
    return np.asarray(shut)


def check_inlet(tree: VesselTree) -> None:
    """Refuse a tree that is closed where it begins.

    Raises
    ------
    GeometryError
        The inlet's lumen is an occlusion: most likely a file in metres.
    """
    if tree.radius_mm[0] <= OCCLUDED_RADIUS_MM:
        message = (
            f"the lumen at the inlet has a radius of {tree.radius_mm[0]:.3g} mm, which is "
            "closed; check that lengths are in mm, and which point is the inlet"
        )
        raise GeometryError(message)


def opened(tree: VesselTree) -> VesselTree:
    """Return the tree with closed lumens, and all behind, as wide as the last open point.

    Where their beds are closed, too, nothing flows there and the width makes no difference:
    but a solve does not stumble over resistances that are next to infinite.
    """
    shut, radius = occluded(tree), tree.radius_mm.copy()
    for i in np.flatnonzero(shut):
        radius[i] = radius[tree.parent[i]]
    return dataclasses.replace(tree, radius_mm=radius)


def closed_beds(tree: VesselTree, resistance: ArrayLike) -> Floats:
    """Return the outlet resistances with infinity behind occlusions."""
    return np.where(occluded(tree)[outlets(tree)], np.inf, np.asarray(resistance, dtype=float))


def open_flows(tree: VesselTree, flow_ml_min: ArrayLike) -> Floats:
    """Return the outlet flows.

    Raises
    ------
    ValueError
        A flow behind an occlusion.
    """
    flow = np.asarray(flow_ml_min, dtype=np.float64)
    ends = outlets(tree)
    if flow.shape != ends.shape:
        return flow  # the solver says what is wrong
    wrong = np.flatnonzero(occluded(tree)[ends] & (flow != 0))
    if wrong.size:
        message = (
            f"the outlet at point {ends[wrong[0]]} lies behind an occlusion, its flow is "
            f"{flow[wrong[0]]:g} mL/min, must be 0"
        )
        raise ValueError(message)
    return flow


def without_beyond(tree: VesselTree, solution: FlowSolution) -> FlowSolution:
    """Return the solution with no pressure behind occlusions (not a number)."""
    shut = occluded(tree)
    if not shut.any():
        return solution
    return dataclasses.replace(
        solution,
        pressure_mmhg=np.where(shut, np.nan, solution.pressure_mmhg),
        total_pressure_mmhg=np.where(shut, np.nan, solution.total_pressure_mmhg),
    )
