"""Which elastic vessels are joined where, and what feeds and drains them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from meshes.arrays import Floats, floats
from meshes.errors import GeometryError
from solvers.elastic.beds import Bed

LAWS = ("beta", "olufsen")
MOMENTA = ("profile", "flat")


@dataclass(frozen=True, slots=True, eq=False)
class ElasticVessel:
    """One unbranched vessel, upstream end first; everything is linear between its points.

    Parameters
    ----------
    name
        What messages call it.
    start, end
        Numbers of the nodes it runs from and to.
    position_mm
        Distance from the upstream end, from 0 and rising, shape (k,).
    radius_mm
        Lumen radius at the reference pressure, shape (k,).
    stiffness_mmhg
        Of the wall, shape (k,): beta of p = p_ref + beta (sqrt(A/A0) - 1), or (4/3) E h/r0
        of p = p_ref + (4/3) (E h/r0) (1 - sqrt(A0/A)); see `solvers.elastic.walls`.
    law
        "beta" or "olufsen".
    reference_pressure_mmhg
        Pressure at which the lumen has `radius_mm` (for the beta law: outside pressure).
    profile_order
        n of the velocity profile u ~ 1 - (r/R)^n: friction 2 (n + 2) pi nu Q/A (Hughes &
        Lubliner 1973; 2: Poiseuille, 9: blunt as in Boileau 2015).
    momentum
        "profile": correction (n + 2)/(n + 1) of that profile; "flat": 1, so that the
        kinetic head is rho u^2/2 as in the steady solvers.
    viscous_loss_mmhg_min_ml
        Resistance of each stretch between points on top of friction, shape (k - 1,).
    jet_loss_mmhg
        Quadratic loss of each stretch: drop at 100 mL/min, shape (k - 1,).
    inlet_viscous_loss_mmhg_min_ml, inlet_jet_loss_mmhg
        The same for a stenosis without length at the upstream end (not at the inlet).

    Raises
    ------
    GeometryError
        Names the vessel, the value and what it must be.
    """

    name: str
    start: int
    end: int
    position_mm: Floats
    radius_mm: Floats
    stiffness_mmhg: Floats
    law: str = "beta"
    reference_pressure_mmhg: float = 0.0
    profile_order: int = 2
    momentum: str = "profile"
    viscous_loss_mmhg_min_ml: Floats = field(default_factory=lambda: np.zeros(0))
    jet_loss_mmhg: Floats = field(default_factory=lambda: np.zeros(0))
    inlet_viscous_loss_mmhg_min_ml: float = 0.0
    inlet_jet_loss_mmhg: float = 0.0

    def __post_init__(self) -> None:
        for name in ("position_mm", "radius_mm", "stiffness_mmhg"):
            object.__setattr__(self, name, floats(getattr(self, name)))
        k = self.position_mm.size
        for name in ("viscous_loss_mmhg_min_ml", "jet_loss_mmhg"):
            given = floats(getattr(self, name))
            object.__setattr__(self, name, given if given.size else floats(np.zeros(k - 1)))
        _check_vessel(self)

    @property
    def length_mm(self) -> float:
        """Return the length of the vessel."""
        return float(self.position_mm[-1])


@dataclass(frozen=True, slots=True, eq=False)
class ElasticNetwork:
    """Vessels that branch (and may join again) from one inlet to beds.

    Parameters
    ----------
    vessels
        At least one; nodes shared by several ends are junctions without volume, at which
        flows sum to zero and total pressures are equal.
    inlet_node
        Where the waveform enters: one vessel starts there.
    beds
        What drains each node at which one vessel ends and none starts.

    Raises
    ------
    GeometryError
        An inlet or a bed that does not fit the vessels, an open end, a part that hangs free.
    """

    vessels: tuple[ElasticVessel, ...]
    inlet_node: int
    beds: Mapping[int, Bed]

    def __post_init__(self) -> None:
        starts: dict[int, list[str]] = {}
        stops: dict[int, list[str]] = {}
        for vessel in self.vessels:
            starts.setdefault(vessel.start, []).append(vessel.name)
            stops.setdefault(vessel.end, []).append(vessel.name)
        if len(starts.get(self.inlet_node, [])) != 1 or self.inlet_node in stops:
            message = (
                f"node {self.inlet_node} is the inlet: one vessel must start, none end there"
            )
            raise GeometryError(message)
        tips = {node for node, names in stops.items() if node not in starts}
        for node in sorted(tips ^ set(self.beds)):
            what = "has no bed" if node in tips else "has a bed but is no outlet"
            message = f"node {node} {what}; give each outlet one bed"
            raise GeometryError(message)
        for node in tips:
            if len(stops[node]) > 1:
                message = f"vessels {', '.join(stops[node])} end in one bed at node {node}"
                raise GeometryError(message)
        _check_reached(self)


def _check_vessel(vessel: ElasticVessel) -> None:
    k = vessel.position_mm.size
    place = f"vessel {vessel.name}"
    for name in ("position_mm", "radius_mm", "stiffness_mmhg"):
        values = getattr(vessel, name)
        if values.shape != (k,) or k < 2 or not np.all(np.isfinite(values)):
            message = f"{place}: {name} must hold {max(k, 2)} finite numbers"
            raise GeometryError(message)
    for name in ("radius_mm", "stiffness_mmhg"):
        if not np.all(getattr(vessel, name) > 0):
            worst = getattr(vessel, name).min()
            message = f"{place}: {name} falls to {worst:g}, must be positive"
            raise GeometryError(message)
    if vessel.position_mm[0] != 0 or not np.all(np.diff(vessel.position_mm) > 0):
        message = f"{place}: position_mm must start at 0 and rise"
        raise GeometryError(message)
    for name in ("viscous_loss_mmhg_min_ml", "jet_loss_mmhg"):
        values = getattr(vessel, name)
        if values.shape != (k - 1,) or not np.all(np.isfinite(values)):
            message = f"{place}: {name} must hold {k - 1} finite numbers"
            raise GeometryError(message)
    for name, allowed in (("law", LAWS), ("momentum", MOMENTA)):
        if getattr(vessel, name) not in allowed:
            message = f"{place}: {name} is {getattr(vessel, name)!r}, must be {allowed}"
            raise GeometryError(message)
    if vessel.profile_order < 1:
        message = f"{place}: profile_order is {vessel.profile_order}, must be 1 or more"
        raise GeometryError(message)


def _check_reached(network: ElasticNetwork) -> None:
    reached, before = {network.inlet_node}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {v.end for v in network.vessels if v.start in reached}
    for vessel in network.vessels:
        if vessel.start not in reached:
            message = f"vessel {vessel.name} starts at node {vessel.start}, nothing leads there"
            raise GeometryError(message)
