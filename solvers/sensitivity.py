"""Which millimetre of lumen decides an FFR: its derivative with respect to every radius.

The steady equations of the calibrated network are linearised where it is solved. One adjoint
solve per reading point gives the derivative with respect to all radii at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from meshes.arrays import Floats, floats
from meshes.tree import VesselTree, child_count, outlets, segment_length_mm
from solvers.calibrated import Calibrated
from solvers.kernels.calibrated import EXPANSION
from solvers.solution import FlowSolution
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML


def ffr_gradient_per_mm2(
    calibrated: Calibrated,
    solution: FlowSolution,
    outlet_resistance_mmhg_min_ml: ArrayLike,
    points: ArrayLike,
) -> Floats:
    """Return how FFR at some points changes with the radius along the tree.

    Parameters
    ----------
    calibrated, solution
        The network and the solution that it repeats.
    outlet_resistance_mmhg_min_ml
        Of the beds, in the order of `outlets`.
    points
        Where FFR is read, k indices.

    Returns
    -------
    Floats
        Change of FFR per mm of radius and mm of vessel length, shape (k, n): times 0.1 mm of
        radius along 1 mm of vessel it is the change of FFR in first order.
    """
    tree = calibrated.tree
    at = np.asarray(points, dtype=np.int64)
    per_radius = _gradient(calibrated, solution, outlet_resistance_mmhg_min_ml, at)
    return floats(per_radius * M_PER_MM / length_share_mm(tree))


def length_share_mm(tree: VesselTree) -> Floats:
    """Return the length of vessel that each point stands for: half of each way from it."""
    half = segment_length_mm(tree) / 2.0
    share = half.copy()
    np.add.at(share, tree.parent[1:], half[1:])
    return share


def _gradient(
    calibrated: Calibrated, solution: FlowSolution, resistance: ArrayLike, at: np.ndarray
) -> Floats:
    """Return dFFR/dr [1/m], shape (k, n)."""
    tree, n = calibrated.tree, len(calibrated.tree)
    q = solution.flow_ml_min * M3_S_PER_ML_MIN
    r = tree.radius_mm * M_PER_MM
    density = calibrated.blood.density_kg_m3
    h = density / 2.0 / (np.pi * r**2) ** 2
    size = np.abs(q)
    matrix = _linearised(calibrated, q, h, np.asarray(resistance, dtype=np.float64))
    inlet = solution.pressure_mmhg[0] * PA_PER_MMHG
    reading = np.zeros((2 * n, at.size))
    k = np.arange(at.size)
    reading[at, k] = 1.0 / inlet  # of the total head
    reading[n + at, k] = -2.0 * h[at] * size[at] / inlet  # and of the flow
    adjoint = splu(matrix.T.tocsc()).solve(reading)
    # what the equations gain when a radius grows; see _linearised for their order
    da_parent, da_own, db_parent, db_own = _coefficient_slopes(calibrated, r, density)
    way = adjoint[:n]
    weight = (q * size)[:, None] * way + _through_jets(calibrated, q, way)
    kinetic = -4.0 * h / r * q * size  # d(h q|q|)/dr
    gain = np.zeros((at.size, n))
    parent = tree.parent[1:]
    for slope_a, slope_b, owner in (
        (da_own, db_own, np.arange(1, n)),
        (da_parent, db_parent, parent),
    ):
        lost = (slope_a[1:] * q[1:])[:, None] * way[1:] + slope_b[1:, None] * weight[1:]
        for row in range(at.size):
            np.add.at(gain[row], owner, lost[:, row])
    ends = outlets(tree)
    gain[:, ends] += (kinetic[ends][:, None] * adjoint[n + ends]).T
    gain[:, 0] += kinetic[0] * way[0]
    gain[k, at] -= kinetic[at] / inlet  # the reading itself: static pressure at that point
    return gain


def _linearised(calibrated: Calibrated, q: Floats, h: Floats, resistance: Floats) -> coo_matrix:
    """Return the Jacobian of the network's equations by heads, then flows, (2n, 2n).

    Rows 0 to n-1: head at the parent - loss - head = 0 (at the inlet: head - kinetic head =
    pressure). Rows n to 2n-1: flow in - flows out = 0 (at outlets: head - kinetic head -
    resistance times flow = venous pressure).
    """
    tree, n = calibrated.tree, len(calibrated.tree)
    size, parent = np.abs(q), tree.parent[1:]
    i, ends = np.arange(1, n), outlets(tree)
    inner = np.flatnonzero(child_count(tree) > 0)
    rows = [np.array([0, 0]), i, i, i, n + inner, n + parent, n + ends, n + ends]
    columns = [np.array([0, n]), parent, i, n + i, n + inner, n + i, ends, n + ends]
    slope = calibrated.viscous + 2.0 * calibrated.quadratic * size
    bed = np.where(np.isfinite(resistance), resistance, 1e12) * PA_S_M3_PER_MMHG_MIN_ML
    values = [
        np.array([1.0, -2.0 * h[0] * size[0]]),
        np.ones(n - 1), -np.ones(n - 1), -slope[1:],
        np.ones(inner.size), -np.ones(n - 1),
        np.ones(ends.size), -2.0 * h[ends] * size[ends] - bed,
    ]  # fmt: skip
    place = (np.concatenate(rows), np.concatenate(columns))
    return coo_matrix((np.concatenate(values), place), shape=(2 * n, 2 * n))


def _through_jets(calibrated: Calibrated, q: Floats, way: Floats) -> Floats:
    """Return what a loss changes by way of the regains behind it, per unit of b, (n, k).

    A regain goes with all that was lost on the way there, each loss weighed by the square
    of its flow over the flow here.
    """
    parent, b = calibrated.tree.parent, calibrated.quadratic
    lost, through = np.maximum(b, 0.0), np.zeros_like(way)
    moving = np.flatnonzero(q > 0.0)[1:]
    for i in moving:
        lost[i] += (q[parent[i]] / q[i]) ** 2 * lost[parent[i]]
    for i in moving[::-1]:
        if b[i] < 0.0 < lost[i]:
            through[i] += b[i] / lost[i] * q[i] ** 2 * way[i]
        through[parent[i]] += (q[parent[i]] / q[i]) ** 2 * through[i]
    return through


def _coefficient_slopes(
    calibrated: Calibrated, r: Floats, density: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return da and db of each way by the parent's and by its own radius, shape (n,) each.

    See `solvers.kernels.calibrated.rescaled`.
    """
    first, own = r[np.maximum(calibrated.tree.parent, 0)], r
    total = first**2 + first * own + own**2
    da_parent = calibrated.viscous * ((2.0 * first + own) / total - 3.0 / first)
    da_own = calibrated.viscous * ((2.0 * own + first) / total - 3.0 / own)
    gap = np.maximum(1.0 / first**2 - 1.0 / own**2, 0.0)
    scale = EXPANSION * density / 2.0 / np.pi**2
    b, usual = calibrated.quadratic, scale * gap**2
    part = np.divide(b, usual, out=np.ones_like(b), where=(b > 0.0) & (b < usual))
    jet = scale * np.where(b > 0.0, part, 0.0)  # a regain has no slope of its own
    rest = np.where(b > 0.0, np.maximum(b - usual, 0.0), 0.0)
    db_parent = -4.0 * jet * gap / first**3
    db_own = -4.0 * rest / own + 4.0 * jet * gap / own**3
    return da_parent, da_own, db_parent, db_own
