"""What a steady solve returns."""

from __future__ import annotations

from dataclasses import dataclass

from meshes.arrays import Floats, floats


@dataclass(frozen=True, slots=True, eq=False)
class FlowSolution:
    """Pressure and flow at every point of a vessel tree.

    Parameters
    ----------
    pressure_mmhg
        Static (lateral) pressure at each point, what a wire sensor reads, shape (n,).
    total_pressure_mmhg
        Static plus kinetic head, shape (n,); falls downstream, in the profile-resolved solver
        but for some 0.01 mmHg of interpolation.
    flow_ml_min
        Flow arriving at each point from its parent; at the inlet, the tree's total, (n,).
    iterations
        Newton steps of the lumped network, rounds of the profile-resolved solver.
    residual_mmhg
        Largest mismatch of pressure at an outlet.
    """

    pressure_mmhg: Floats
    total_pressure_mmhg: Floats
    flow_ml_min: Floats
    iterations: int
    residual_mmhg: float

    def __post_init__(self) -> None:
        for name in ("pressure_mmhg", "total_pressure_mmhg", "flow_ml_min"):
            object.__setattr__(self, name, floats(getattr(self, name)))
