"""What pressure and flow a rigid vessel tree has in steady state."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import Floats
from meshes.tree import VesselTree, child_count, outlets, path_to
from solvers.blood import Blood
from solvers.errors import ConvergenceError
from solvers.kernels.steady import march, steady_tree, summed_upstream
from solvers.losses import Closure, borda_carnot, entrance
from solvers.solution import FlowSolution
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG, PA_S_M3_PER_MMHG_MIN_ML

TOLERANCE_MMHG = 1e-8  # far below any reading, far above rounding of 100 mmHg
STEPS = 100
INLET_PROFILES = ("developed", "plug")


def solve_steady(
    tree: VesselTree,
    inlet_pressure_mmhg: float,
    outlet_resistance_mmhg_min_ml: ArrayLike,
    venous_pressure_mmhg: float,
    blood: Blood,
    closure: Closure = borda_carnot,
    inlet_profile: str = "developed",
) -> FlowSolution:
    """Solve a tree whose outlets feed a microvascular bed, Q = (P - P_v) / R.

    Newton on the affine (Thevenin) equivalent of everything below each point: two sweeps
    over the tree per step and no matrix. The flow of a point is the sum of its children's,
    so mass is conserved to rounding.

    Parameters
    ----------
    tree
        The vessels.
    inlet_pressure_mmhg
        Static pressure at the inlet.
    outlet_resistance_mmhg_min_ml
        One per outlet, in the order of `meshes.tree.outlets`; infinity closes an outlet.
    venous_pressure_mmhg
        Pressure behind the bed.
    blood
        Viscosity and density.
    closure
        Loss coefficients of the segments, see `solvers.losses`.
    inlet_profile
        "developed" or "plug" (adds the loss of a developing flow).

    Raises
    ------
    ConvergenceError
        No steady flow was found; names the narrowest point on the way to the trouble.
    ValueError
        Resistances that do not fit the tree or are not positive, an unknown profile.
    """
    check_profile(inlet_profile)
    resistance = _per_outlet(tree, outlet_resistance_mmhg_min_ml, "outlet resistance")
    if not np.all(resistance > 0):
        message = f"an outlet resistance is {resistance.min():g}, must be positive"
        raise ValueError(message)
    a, b = closure(tree, blood)
    extra = np.zeros(len(tree))
    for _ in range(STEPS):  # once, unless the entrance loss follows the flow
        result = _newton(
            tree, (a, b + extra), resistance, inlet_pressure_mmhg, venous_pressure_mmhg, blood
        )
        if inlet_profile == "developed":
            return result
        old, extra = extra, entrance(tree, blood, result.flow_ml_min * M3_S_PER_ML_MIN)
        if np.allclose(extra, old, rtol=1e-9, atol=0.0):
            return result
    message = "the entrance loss did not settle; use the developed inlet profile"
    raise ConvergenceError(message)


def solve_prescribed(
    tree: VesselTree,
    inlet_pressure_mmhg: float,
    outlet_flow_ml_min: ArrayLike,
    blood: Blood,
    closure: Closure = borda_carnot,
    inlet_profile: str = "developed",
) -> FlowSolution:
    """March down a tree whose outlet flows are known.

    The pressure may fall below zero where the prescribed flow cannot pass a lesion; it is
    returned as it is, because hiding it would make a severe lesion look mild.

    Parameters
    ----------
    tree, inlet_pressure_mmhg, blood, closure, inlet_profile
        As in `solve_steady`.
    outlet_flow_ml_min
        One per outlet, in the order of `meshes.tree.outlets`, not negative.

    Raises
    ------
    ConvergenceError
        A pressure overflows.
    ValueError
        Flows that do not fit the tree, are negative or not finite, an unknown profile.
    """
    check_profile(inlet_profile)
    flow = gathered_flow_ml_min(tree, outlet_flow_ml_min) * M3_S_PER_ML_MIN
    a, b = closure(tree, blood)
    if inlet_profile == "plug":
        b = b + entrance(tree, blood, flow)
    h = _kinetic(tree, blood)
    total = np.zeros(len(tree))
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with the place
        inlet = inlet_pressure_mmhg * PA_PER_MMHG + h[0] * flow[0] ** 2
        march(tree.parent, a, b, flow, inlet, total)
    if not np.all(np.isfinite(total)):
        bad = int(np.argmin(np.isfinite(total)))
        message = (
            f"the pressure at point {{}} (radius {tree.radius_mm[bad]:.3g} mm) is beyond "
            f"all numbers; check the flow, {flow[bad] / M3_S_PER_ML_MIN:g} mL/min there"
        )
        raise ConvergenceError(message, bad)
    return _solution(h, flow, total, 0, 0.0)


def gathered_flow_ml_min(tree: VesselTree, outlet_flow_ml_min: ArrayLike) -> Floats:
    """Return the flow at each point, (n,), from those of the outlets as in `solve_prescribed`.

    Raises
    ------
    ValueError
        Flows that do not fit the tree, are negative or not finite.
    """
    flow = _per_outlet(tree, outlet_flow_ml_min, "outlet flow")
    sound = np.isfinite(flow) & (flow >= 0)
    if not np.all(sound):
        wrong = flow[int(np.argmin(sound))]
        message = f"an outlet flow is {wrong:g} mL/min, must be a number that is not negative"
        raise ValueError(message)
    summed_upstream(tree.parent, flow)
    return flow


def _newton(
    tree: VesselTree,
    coefficients: tuple[Floats, Floats],
    resistance: Floats,
    inlet_pressure_mmhg: float,
    venous_pressure_mmhg: float,
    blood: Blood,
) -> FlowSolution:
    a, b = coefficients
    h = _kinetic(tree, blood)
    flow, total = np.zeros(len(tree)), np.zeros(len(tree))
    steps, residual, where = steady_tree(
        tree.parent,
        a,
        b,
        h,
        resistance * PA_S_M3_PER_MMHG_MIN_ML,
        (child_count(tree) == 0).astype(np.int64),
        inlet_pressure_mmhg * PA_PER_MMHG,
        venous_pressure_mmhg * PA_PER_MMHG,
        TOLERANCE_MMHG * PA_PER_MMHG,
        STEPS,
        flow,
        total,
    )
    residual /= PA_PER_MMHG
    if not residual <= TOLERANCE_MMHG:
        path = path_to(tree, where)
        narrow = int(path[np.argmin(tree.radius_mm[path])])
        message = (
            f"flow did not converge: {residual:.1e} mmHg left after {steps} steps on the way "
            "to outlet {}; check the lumen at point {} "
            f"(radius {tree.radius_mm[narrow]:.3g} mm), the narrowest there"
        )
        raise ConvergenceError(message, int(where), narrow)
    return _solution(h, flow, total, steps, residual)


def _per_outlet(tree: VesselTree, values: ArrayLike, what: str) -> Floats:
    """Spread values given per outlet over the points, 0 (flow) or 1 (resistance) elsewhere."""
    given = np.asarray(values, dtype=np.float64)
    ends = outlets(tree)
    if given.shape != ends.shape:
        message = f"{what}: {given.size} values given, the tree has {ends.size} outlets"
        raise ValueError(message)
    full = np.ones(len(tree)) if "resistance" in what else np.zeros(len(tree))
    full[ends] = given
    return full


def _kinetic(tree: VesselTree, blood: Blood) -> Floats:
    """Return h of the kinetic head h Q^2 = rho/2 (Q/A)^2, shape (n,).

    Kinetic-energy coefficient 1, the jet's. A developed profile would have 2 (parabola);
    an inviscid contraction by m = A_s/A_0 turns 2 into 1 + m^4, so 1 holds where it counts.
    """
    area = np.pi * (tree.radius_mm * M_PER_MM) ** 2
    return np.asarray(blood.density_kg_m3 / 2.0 / area**2)


def _solution(
    h: Floats, flow: Floats, total: Floats, steps: int, residual_mmhg: float
) -> FlowSolution:
    static = total - h * flow * np.abs(flow)
    return FlowSolution(
        pressure_mmhg=static / PA_PER_MMHG,
        total_pressure_mmhg=total / PA_PER_MMHG,
        flow_ml_min=flow / M3_S_PER_ML_MIN,
        iterations=steps,
        residual_mmhg=residual_mmhg,
    )


def check_profile(name: str) -> None:
    """Refuse a profile at the inlet that is none of `INLET_PROFILES`."""
    if name not in INLET_PROFILES:
        message = f"inlet_profile is {name!r}, must be one of {', '.join(INLET_PROFILES)}"
        raise ValueError(message)
