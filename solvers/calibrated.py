"""A lumped network that repeats a profile-resolved solution, and how it scales.

Between two points of the tree the total head falls by a Q + b Q|Q| (a: Poiseuille; b: what
the resolved solution loses or regains besides). When radii change, a goes with Poiseuille's
integral; of b, the loss of a local widening goes with the widening, what is lost beyond with
area^-2, and what a jet regains with all that was lost before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.tree import VesselTree, child_count
from solvers.blood import Blood
from solvers.kernels.calibrated import rescaled
from solvers.losses import borda_carnot, poiseuille
from solvers.solution import FlowSolution
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG

STAGNANT = 1e-6  # of the inlet's flow


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """Loss coefficients at the solved geometry.

    Parameters
    ----------
    tree, blood
        What was solved.
    viscous, quadratic
        a [Pa s/m3] and b [Pa s2/m6] of the way from each point's parent, shape (n,).
    """

    tree: VesselTree
    blood: Blood
    viscous: Floats
    quadratic: Floats

    def __post_init__(self) -> None:
        for name in ("viscous", "quadratic"):
            object.__setattr__(self, name, floats(getattr(self, name)))

    def closure(self, tree: VesselTree, blood: Blood) -> tuple[Floats, Floats]:
        """Serve `solvers.steady.solve_steady` as a closure; both arguments are known."""
        del tree, blood
        return self.viscous, self.quadratic


def calibrate(tree: VesselTree, solution: FlowSolution, blood: Blood) -> Calibrated:
    """Return the network that gives `solution` again at the same flows.

    Parameters
    ----------
    tree, solution, blood
        A solved tree.
    """
    flow = solution.flow_ml_min * M3_S_PER_ML_MIN
    area = np.pi * (tree.radius_mm * M_PER_MM) ** 2
    head = solution.pressure_mmhg * PA_PER_MMHG
    head = head + blood.density_kg_m3 / 2.0 * (flow / area) ** 2
    a, _ = poiseuille(tree, blood)
    b = np.zeros(len(tree))
    moving = np.flatnonzero(flow > STAGNANT * flow[0])[1:]
    fall = head[tree.parent[moving]] - head[moving]
    b[moving] = (fall - a[moving] * flow[moving]) / flow[moving] ** 2
    return Calibrated(tree, blood, a, b)


def with_radii(calibrated: Calibrated, tree: VesselTree, flow_ml_min: Floats) -> Calibrated:
    """Return the network of the same tree with other radii; the same where none has changed.

    Where nothing flowed, behind an occlusion, there is nothing to scale: there the loss formula
    of `solvers.losses.borda_carnot` counts.

    Parameters
    ----------
    calibrated
        A network.
    tree
        Its points with other radii.
    flow_ml_min
        The flow that was solved when it was calibrated, (n,).
    """
    n, blood = len(tree), calibrated.blood
    a, b, h, lost = np.empty(n), np.empty(n), np.empty(n), np.empty((2, n))
    rescaled(
        tree.parent, calibrated.tree.radius_mm * M_PER_MM, tree.radius_mm * M_PER_MM,
        calibrated.viscous, calibrated.quadratic, flow_ml_min * M3_S_PER_ML_MIN, 1.0,
        blood.density_kg_m3, a, b, h, lost,
    )  # fmt: skip
    # at the mouth of a throat the points' own kinetic head makes a pair of gain and loss: where
    # the throat is opened both go with it
    opened = (calibrated.tree.radius_mm / tree.radius_mm) ** 4
    gain = (b < 0.0) & (opened < 1.0)
    b[gain] = np.maximum(b[gain], (calibrated.quadratic * opened)[gain])
    # what leaves a throat loses its jet: a side branch's first step, the step out of a stent
    mouth = opened[np.maximum(tree.parent, 0)]
    loss = (calibrated.quadratic > 0.0) & (mouth < opened)
    b[loss] = np.minimum(b, calibrated.quadratic * mouth)[loss]
    still = flow_ml_min <= STAGNANT * flow_ml_min[0]
    if still.any():
        usual, wider = borda_carnot(tree, blood)
        a[still], b[still] = usual[still], wider[still]
    return Calibrated(tree, blood, a, b)


def thinned(calibrated: Calibrated, keep: AnyArray) -> tuple[Calibrated, Ints]:
    """Return the network between some points only, and the index of each in the old one.

    The coefficients of what lies between two points are added; when radii change they
    scale with the radii of these two.

    Parameters
    ----------
    calibrated
        A network.
    keep
        True where a point stays, shape (n,). Inlet, bifurcations and outlets always do.
    """
    tree = calibrated.tree
    stays = np.asarray(keep, dtype=np.bool_) | (child_count(tree) != 1)
    stays[0] = True
    a, b = calibrated.viscous.copy(), calibrated.quadratic.copy()
    above = tree.parent.copy()  # the next point upstream that stays
    for i in range(1, len(tree)):
        p = tree.parent[i]
        if not stays[p]:
            above[i] = above[p]
            a[i] += a[p]
            b[i] += b[p]
    kept = np.flatnonzero(stays)
    number = np.cumsum(stays) - 1
    parent = np.append(-1, number[above[kept[1:]]])
    fewer = VesselTree(tree.points_mm[kept], tree.radius_mm[kept], parent)
    return Calibrated(fewer, calibrated.blood, a[kept], b[kept]), ints(kept)
