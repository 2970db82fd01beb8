"""The two steady solvers, by the names a user gives them; odd inlets and occlusions first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meshes.tree import VesselTree
from solvers.blood import Blood
from solvers.errors import renumbered
from solvers.occlusion import check_inlet, closed_beds, open_flows, without_beyond
from solvers.ostium import with_feeding, without_feeding
from solvers.resolved import prescribe_resolved, solve_resolved
from solvers.solution import FlowSolution
from solvers.steady import solve_prescribed, solve_steady

Solver = Callable[..., FlowSolution]


@dataclass(frozen=True, slots=True)
class Method:
    """One solver.

    Parameters
    ----------
    beds, flows
        Its functions for outlets with a microvascular bed, and with a known flow.
    """

    beds: Solver
    flows: Solver

    def with_beds(
        self,
        tree: VesselTree,
        inlet_pressure_mmhg: float,
        outlet_resistance_mmhg_min_ml: ArrayLike,
        venous_pressure_mmhg: float,
        blood: Blood,
        inlet_profile: str = "developed",
    ) -> FlowSolution:
        """Solve a tree as `solvers.steady.solve_steady` says.

        Behind an occlusion nothing flows and the pressure is not a number. An inlet that is
        a throat is fed from a wider vessel; the pressure given is that before it.

        Raises
        ------
        GeometryError
            The inlet itself is closed.
        """
        check_inlet(tree)
        resistance = closed_beds(tree, outlet_resistance_mmhg_min_ml)
        if np.all(np.isinf(resistance)):
            return self._solved(
                self.flows, tree, inlet_pressure_mmhg, (np.zeros(resistance.size),), blood,
                inlet_profile,
            )  # fmt: skip
        bed = (resistance, venous_pressure_mmhg)
        return self._solved(self.beds, tree, inlet_pressure_mmhg, bed, blood, inlet_profile)

    def with_flows(
        self,
        tree: VesselTree,
        inlet_pressure_mmhg: float,
        outlet_flow_ml_min: ArrayLike,
        blood: Blood,
        inlet_profile: str = "developed",
    ) -> FlowSolution:
        """Find the pressure as `solvers.steady.solve_prescribed` says.

        Raises
        ------
        ValueError
            A flow behind an occlusion.
        GeometryError
            The inlet itself is closed.
        """
        check_inlet(tree)
        flow = open_flows(tree, outlet_flow_ml_min)
        return self._solved(
            self.flows, tree, inlet_pressure_mmhg, (flow,), blood, inlet_profile
        )

    @staticmethod
    def _solved(
        solver: Solver,
        tree: VesselTree,
        inlet_pressure_mmhg: float,
        ends: tuple[ArrayLike, ...],
        blood: Blood,
        inlet_profile: str,
    ) -> FlowSolution:
        """Solve with the aorta before an inlet that is a throat; none behind closures."""
        fed, added = with_feeding(tree)
        with renumbered(lambda point: max(0, point - added)):
            solution = solver(
                fed, inlet_pressure_mmhg, *ends, blood, inlet_profile=inlet_profile
            )
        return without_beyond(tree, without_feeding(solution, added))


METHODS = {
    "resolved": Method(solve_resolved, prescribe_resolved),
    "lumped": Method(solve_steady, solve_prescribed),
}
DEFAULT = "resolved"
