"""Which losses let a steady solution be repeated within the beat?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffr.circulation.boundary import Boundary
from meshes.arrays import Floats, floats
from meshes.tree import VesselTree, sections
from solvers.blood import Blood
from solvers.calibrated import STAGNANT, calibrate
from solvers.solution import FlowSolution
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG

LEAST_VISCOUS = 0.1  # of a run's Poiseuille resistance, as in the resolved solver
Pair = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Fed:
    """A tree, what is at its ends, and its steady hyperaemic flow.

    Parameters
    ----------
    tree, side, blood, boundary
        What flows where; side is "left" or "right".
    solver
        Name of the steady solver, see `solvers.methods`.
    steady
        What `ffr solve` finds.
    """

    tree: VesselTree
    side: str
    blood: Blood
    boundary: Boundary
    solver: str
    steady: FlowSolution


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Loss coefficients a [Pa s/m3] and b [Pa s2/m6] of each segment, (n,), in two ways.

    Parameters
    ----------
    shown
        Those of the steady solution: b is negative where a jet spreads.
    marched
        The same sums along each unbranched run, spread evenly enough for flow in time, which
        has no answer in a piece that costs the less the more flows.
    """

    shown: Pair
    marched: Pair


def losses_of(fed: Fed, solution: FlowSolution) -> Losses:
    """Return losses that give a steady solution again at its mean flow.

    A run whose b is negative altogether (the head of its mother is regained) keeps its drop
    at the mean flow, taken as linear in the flow as far as that can be.
    """
    known = calibrate(fed.tree, solution, fed.blood)
    a, b = np.array(known.viscous), np.array(known.quadratic)
    smooth_a, smooth_b = np.array(a), np.zeros(b.size)
    flow = solution.flow_ml_min * M3_S_PER_ML_MIN
    for run in sections(fed.tree):
        body = run[1:]
        q = flow[body[0]]
        if q <= STAGNANT * flow[0]:
            b[body] = 0.0
            continue
        total = b[body].sum()
        if total >= 0.0:
            rising = np.maximum(b[body], 0.0)
            smooth_b[body] = rising * (total / rising.sum()) if total > 0.0 else 0.0
            continue
        drop = a[body] * q + b[body] * q**2
        share = max(LEAST_VISCOUS, drop.sum() / (a[body].sum() * q))
        if share > LEAST_VISCOUS:
            a[body], b[body] = drop / q, 0.0
        else:  # a gain of head: what is left of it stays quadratic
            b[body] = (drop - LEAST_VISCOUS * a[body] * q) / q**2
            smooth_b[body] = b[body].sum() * a[body] / a[body].sum()
            a[body] *= LEAST_VISCOUS
        smooth_a[body] *= share
    return Losses((floats(a), floats(b)), (floats(smooth_a), floats(smooth_b)))


def regained_mmhg(tree: VesselTree, losses: Losses, flow_ml_min: Floats) -> Floats:
    """Return the pressure that points have over what was marched, (t, n).

    0 at both ends of each unbranched run.

    Parameters
    ----------
    tree, losses
        What was marched.
    flow_ml_min
        Flow at each time and point, shape (t, n).
    """
    more = [used - true for used, true in zip(losses.marched, losses.shown, strict=True)]
    for values in more:
        for run in sections(tree):
            values[run[1:]] = np.cumsum(values[run[1:]])
        values[0] = 0.0
    q = flow_ml_min * M3_S_PER_ML_MIN
    return floats((more[0] * q + more[1] * q * np.abs(q)) / PA_PER_MMHG)
