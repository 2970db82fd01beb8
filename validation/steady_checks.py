"""Is the profile-resolved solver right where the answer is known?"""

from __future__ import annotations

import math

import numpy as np

from meshes.arrays import Floats
from meshes.tree import VesselTree, outlets
from solvers.blood import Blood
from solvers.resolved import solve_resolved
from solvers.units import M3_S_PER_ML_MIN
from solvers.vessel import Profiles, plug, pressure_at, solve_vessel
from validation.one_d_setting import Row, row

BLOOD = Blood()
FDA_BLOOD, FDA_FLOW_M3_S = Blood(0.0035, 1056.0), 5.20624e-6
# drop from the first to the last pressure tap of the FDA nozzle at throat Reynolds number 500,
# lowest and highest laboratory (Hariharan 2011, Stewart 2012; ../shared/reference/
# hemodynamics.md, C4); the taps, from the sudden change of the lumen, as in their data files
FDA_TAPS_M = (-90.32e-3, 32e-3)
FDA_BANDS_PA = {"sudden expansion": (230.0, 413.0), "conical diffuser": (224.0, 259.0)}


def steady_rows() -> list[Row]:
    """Return Poiseuille, entrance flow, similarity, order of convergence, mass."""
    return [*tube_rows(), similarity_row(), *order_rows(), mass_row()]


def tube_rows() -> list[Row]:
    """Return a straight tube with a developed and with an even inflow."""
    s, r, flow = np.array([0.0, 0.2, 0.4]), np.full(3, 1.5e-3), 120.0 * M3_S_PER_ML_MIN
    exact = 8 * BLOOD.viscosity_pa_s * 0.4 * flow / (math.pi * 1.5e-3**4)
    drop = -solve_vessel(s, r, np.full(3, flow), BLOOD).pressure_pa[-1]
    even = -solve_vessel(s, r, np.full(3, flow), BLOOD, plug).pressure_pa[-1]
    head = BLOOD.density_kg_m3 / 2 * (flow / (math.pi * 1.5e-3**2)) ** 2
    return [
        row("straight tube", "drop, Pa (Poiseuille)", drop, exact, 1e-6),
        row(
            "even inflow",
            "extra drop, heads (Shah & London 1978)",
            (even - exact) / head,
            1.25,
            4,
        ),
    ]


def stenosis(scale: float = 1.0) -> tuple[Floats, Floats]:
    """Return path length and radius of a cosine stenosis of 50 %, 3 mm wide, 8 mm long."""
    s = np.unique(np.r_[0.0, np.linspace(15.0, 23.0, 161), 60.0]) * 1e-3
    x = np.clip((s - 15e-3) / 8e-3, 0.0, 1.0)
    return scale * s, scale * 1.5e-3 * (1 - 0.25 * (1 - np.cos(2 * np.pi * x)))


def solved(scale: float, flow_ml_min: float) -> Profiles:
    """Solve the stenosis."""
    s, r = stenosis(scale)
    return solve_vessel(s, r, np.full(s.size, flow_ml_min * M3_S_PER_ML_MIN), BLOOD)


def similarity_row() -> Row:
    """Return twice the size at twice the flow: the same Reynolds number, a quarter the drop."""
    small, large = solved(1.0, 120.0).pressure_pa[-1], solved(2.0, 240.0).pressure_pa[-1]
    return row(
        "stenosis", "drop at twice the size and flow, Pa (similarity)", large, small / 4, 0.01
    )


def order_rows() -> list[Row]:
    """Return the order at which the drop of a stenosis converges as all steps are halved."""
    import solvers.stations as stations
    import solvers.vessel as vessel

    kept = (stations.STEP_RADII, stations.STEP_CHANGE, stations.KINK_STEPS, vessel.CELLS)
    drops = []
    try:
        for fine in (1, 2, 4):
            stations.STEP_RADII, stations.STEP_CHANGE = kept[0] / fine, kept[1] / fine
            stations.KINK_STEPS, vessel.CELLS = kept[2] * fine, 12 * fine
            drops.append(
                -float(np.diff(pressure_at(solved(1.0, 60.0), np.array([9e-3, 38e-3])))[0])
            )
    finally:
        stations.STEP_RADII, stations.STEP_CHANGE, stations.KINK_STEPS, vessel.CELLS = kept
    order = math.log2(abs((drops[0] - drops[1]) / (drops[1] - drops[2])))
    return [row("stenosis", "order of convergence", order, 2.0, 30.0)]


def mass_row() -> Row:
    """Return what leaves a tree with three outlets over what enters."""
    points = [[0, 0, 0], [10, 0, 0], [20, 5, 0], [20, -5, 0], [30, 5, 0], [30, 12, 0]]
    radius, parent = [1.6, 1.6, 1.3, 1.1, 1.0, 0.9], [-1, 0, 1, 1, 2, 2]
    tree = VesselTree(np.array(points, float), np.array(radius), np.array(parent))
    solution = solve_resolved(tree, 93.0, [1.5, 2.0, 2.5], 5.0, BLOOD)
    out = float(solution.flow_ml_min[outlets(tree)].sum())
    return row("tree", "flow out, mL/min (flow in)", out, float(solution.flow_ml_min[0]), 1e-9)


def print_fda() -> None:
    """Print the FDA nozzle both ways round beside what the laboratories measured."""
    print("| FDA nozzle, throat Re 500 | laminar drop, Pa | laboratories, Pa | |")
    print("|---|---|---|---|")
    for name, drop in fda_drops_pa().items():
        low, high = FDA_BANDS_PA[name]
        verdict = "inside" if low <= drop <= high else "outside"
        print(f"| {name} | {drop:.0f} | {low:.0f} to {high:.0f} | {verdict} |")


def fda_drops_pa() -> dict[str, float]:
    """Return the drop between the outermost taps, for both directions of the flow."""
    z = np.array([-162.685, -62.685, -40.0, 0.0, 0.001, 258.0]) * 1e-3
    r = np.array([6.0, 6.0, 2.0, 2.0, 6.0, 6.0]) * 1e-3
    drops = {}
    for name, along, lumen, way in (
        ("sudden expansion", z, r, 1.0),
        ("conical diffuser", -z[::-1], r[::-1], -1.0),
    ):
        s = along - along[0]
        found = solve_vessel(s, lumen, np.full(6, FDA_FLOW_M3_S), FDA_BLOOD)
        taps = np.sort(way * np.array(FDA_TAPS_M)) - along[0]
        drops[name] = -float(np.diff(pressure_at(found, taps))[0])
    return drops
