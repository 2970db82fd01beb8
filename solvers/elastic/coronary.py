"""How does pressure pulse through the elastic vessels of a coronary tree?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import Floats, floats
from meshes.errors import GeometryError
from meshes.tree import VesselTree, outlets, path_length_mm, sections
from solvers.blood import Blood
from solvers.elastic.beds import Bed
from solvers.elastic.grid import PA_S2_M6_PER_JET_MMHG
from solvers.elastic.inlet import Inlet
from solvers.elastic.network import ElasticNetwork, ElasticVessel
from solvers.elastic.pulse import CELL_MM, PulsatileSolution, run_to_periodicity
from solvers.elastic.walls import olufsen_stiffness_mmhg
from solvers.losses import Closure, borda_carnot, poiseuille
from solvers.units import M3_S_PER_ML_MIN, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML


@dataclass(frozen=True, slots=True, eq=False)
class CoronaryPulse:
    """Waves at every point of a tree over one cycle.

    Parameters
    ----------
    time_s
        From the start of the cycle, its end included, shape (t,).
    pressure_mmhg
        Static pressure at each point, shape (t, n).
    flow_ml_min
        Flow that arrives at each point from its parent, shape (t, n).
    solution
        The waves vessel by vessel, cycles needed, volumes.
    """

    time_s: Floats
    pressure_mmhg: Floats
    flow_ml_min: Floats
    solution: PulsatileSolution


def coronary_network(
    tree: VesselTree,
    blood: Blood,
    beds: Sequence[Bed],
    reference_pressure_mmhg: float,
    closure: Closure = borda_carnot,
) -> ElasticNetwork:
    """Make an elastic network of a tree: one vessel per section, radius linear along s.

    The friction is Poiseuille's in the true radius, head losses come from the closure and
    are spread over the segments it gives them to, the kinetic head is rho u^2/2: so for
    steady flow and stiff walls this is what `solvers.steady` solves.

    Parameters
    ----------
    tree, blood
        What flows where.
    beds
        One per outlet, in the order of `meshes.tree.outlets`.
    reference_pressure_mmhg
        Pressure at which the lumen has the tree's radii; walls of Olufsen's law with
        coronary constants.
    closure
        Loss coefficients of the segments, see `solvers.losses`.

    Raises
    ------
    GeometryError
        An inlet that is a bifurcation, a number of beds that does not fit.
    """
    ends = outlets(tree)
    if len(beds) != ends.size:
        message = f"the tree has {ends.size} outlets, {len(beds)} beds are given"
        raise GeometryError(message)
    runs = sections(tree)
    if sum(int(run[0]) == 0 for run in runs) != 1:
        message = "the inlet of the tree is a bifurcation; it must lead into one vessel"
        raise GeometryError(message)
    s = path_length_mm(tree)
    a, b = closure(tree, blood)
    viscous = (a - poiseuille(tree, blood)[0]) / PA_S_M3_PER_MMHG_MIN_ML
    jet = b / PA_S2_M6_PER_JET_MMHG
    vessels = tuple(
        ElasticVessel(
            name=f"from point {run[0]} to {run[-1]}",
            start=int(run[0]),
            end=int(run[-1]),
            position_mm=floats(s[run] - s[run[0]]),
            radius_mm=floats(tree.radius_mm[run]),
            stiffness_mmhg=olufsen_stiffness_mmhg(tree.radius_mm[run]),
            law="olufsen",
            reference_pressure_mmhg=reference_pressure_mmhg,
            profile_order=2,
            momentum="flat",
            viscous_loss_mmhg_min_ml=floats(viscous[run[1:]]),
            jet_loss_mmhg=floats(jet[run[1:]]),
        )
        for run in runs
    )
    return ElasticNetwork(vessels, 0, {int(p): bed for p, bed in zip(ends, beds, strict=True)})


def solve_coronary(
    tree: VesselTree,
    blood: Blood,
    time_s: ArrayLike,
    aortic_pressure_mmhg: ArrayLike,
    beds: Sequence[Bed],
    closure: Closure = borda_carnot,
    cell_mm: float = CELL_MM,
    tolerance_percent: float = 0.1,
) -> CoronaryPulse:
    """Drive a tree with an aortic pressure over many beats and return the periodic one.

    Parameters
    ----------
    tree, blood, beds, closure
        As in `coronary_network`; the radii hold at the mean aortic pressure.
    time_s, aortic_pressure_mmhg
        Waveform at the inlet from time 0 to the period, both ends included.
    cell_mm, tolerance_percent
        As in `run_to_periodicity`.

    Raises
    ------
    ConvergenceError
        No periodic state; names the place.
    """
    times, aortic = floats(time_s), floats(aortic_pressure_mmhg)
    mean = float(np.trapezoid(aortic, times) / (times[-1] - times[0]))
    network = coronary_network(tree, blood, beds, mean, closure)
    solution = run_to_periodicity(
        network, blood, float(times[-1] - times[0]), Inlet(times, pressure_mmhg=aortic),
        cell_mm=cell_mm, tolerance_percent=tolerance_percent,
    )  # fmt: skip
    pressure = np.zeros((solution.time_s.size, len(tree)))
    flow = np.zeros_like(pressure)
    for i, run in enumerate(sections(tree)):
        own = run if run[0] == 0 else run[1:]  # a bifurcation point belongs to its parent
        place = network.vessels[i].position_mm[-own.size :]
        pressure[:, own], flow[:, own] = _at(network.vessels[i], solution, i, place, blood)
    return CoronaryPulse(solution.time_s, floats(pressure), floats(flow), solution)


def _at(
    vessel: ElasticVessel, solution: PulsatileSolution, index: int, place: Floats, blood: Blood
) -> tuple[Floats, Floats]:
    """Interpolate the head, which is smooth, and take the kinetic part off at each point."""
    x, p, q = (
        values[index]
        for values in (solution.position_mm, solution.pressure_mmhg, solution.flow_ml_min)
    )
    head = p + _kinetic_mmhg(vessel, x, p, q, blood)
    between = [
        np.apply_along_axis(lambda row: np.interp(place, x, row), 1, w) for w in (head, q, p)
    ]
    head, flow, first = between
    return head - _kinetic_mmhg(vessel, place, first, flow, blood), flow


def _kinetic_mmhg(
    vessel: ElasticVessel, x: Floats, p: Floats, q: Floats, blood: Blood
) -> Floats:
    radius = np.interp(x, vessel.position_mm, vessel.radius_mm)
    stiff = np.interp(x, vessel.position_mm, vessel.stiffness_mmhg)
    area = np.pi * radius**2 / (1.0 - (p - vessel.reference_pressure_mmhg) / stiff) ** 2
    speed = q * M3_S_PER_ML_MIN / (area * 1e-6)
    return 0.5 * blood.density_kg_m3 * speed**2 / PA_PER_MMHG
