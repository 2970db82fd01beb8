"""What pressure and flow a rigid vessel tree has, every velocity profile resolved.

Vessels run from the inlet, or from a bifurcation, to an outlet; at each bifurcation the
daughter with more flow goes on as the same vessel, the other one drains through its wall.
A lumped network that repeats the resolved pressure drops finds the outlet flows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import Floats, Ints
from meshes.tree import VesselTree, outlets, path_length_mm, sections
from solvers.bends import axis_of, bend_loss, narrowings, wall_jet_loss
from solvers.blood import Blood
from solvers.errors import ConvergenceError
from solvers.losses import poiseuille
from solvers.solution import FlowSolution
from solvers.steady import solve_prescribed, solve_steady
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG
from solvers.vessel import (
    Profiles,
    backflow_at,
    developed,
    kinetic_factor,
    plug,
    pressure_at,
    solve_vessel,
)

ROUNDS = 30
SETTLED = 1e-5  # change of an outlet flow between rounds, of the total flow
BALL = np.sin(np.linspace(0.0, np.pi / 2, 9))  # samples of a quarter circle
STAGNANT = 1e-6  # of the total flow: below, pressure is even along a vessel


def solve_resolved(
    tree: VesselTree,
    inlet_pressure_mmhg: float,
    outlet_resistance_mmhg_min_ml: ArrayLike,
    venous_pressure_mmhg: float,
    blood: Blood,
    inlet_profile: str = "developed",
) -> FlowSolution:
    """Solve a tree whose outlets feed a microvascular bed, Q = (P - P_v) / R.

    Parameters and errors as in `solvers.steady.solve_steady`.
    """
    resistance = np.asarray(outlet_resistance_mmhg_min_ml, dtype=np.float64)
    bed = (tree, inlet_pressure_mmhg, resistance, venous_pressure_mmhg, blood)
    first = solve_steady(*bed, inlet_profile=inlet_profile)
    flow = first.flow_ml_min
    guesses: dict[int, Profiles] = {}
    ends = outlets(tree)
    # once: which of two equal daughters goes on must not alternate from round to round
    ways = vessels(tree, flow)
    for round_number in range(1, ROUNDS + 1):
        line = _resolve(tree, ways, flow, blood, inlet_profile, guesses)
        guesses = line.profiles
        static = inlet_pressure_mmhg + line.pressure_pa / PA_PER_MMHG
        a, b = _repeating(tree, line, flow, blood)
        again = solve_steady(*bed, closure=lambda *_, a=a, b=b: (a, b))
        change = np.abs(again.flow_ml_min[ends] - flow[ends]).max() / again.flow_ml_min[0]
        if change <= SETTLED:
            open_ends = np.isfinite(resistance)
            miss = static[ends] - venous_pressure_mmhg
            miss[open_ends] -= resistance[open_ends] * flow[ends][open_ends]
            worst = float(np.abs(miss[open_ends]).max(initial=0.0))
            return _solution(static, line, flow, tree, blood, round_number, worst)
        flow = again.flow_ml_min
    where = int(ends[np.argmax(np.abs(again.flow_ml_min[ends] - flow[ends]))])
    message = (
        f"the outlet flows did not settle in {ROUNDS} rounds; the worst is at point {where}"
    )
    raise ConvergenceError(message)


def prescribe_resolved(
    tree: VesselTree,
    inlet_pressure_mmhg: float,
    outlet_flow_ml_min: ArrayLike,
    blood: Blood,
    inlet_profile: str = "developed",
) -> FlowSolution:
    """Find the pressure in a tree whose outlet flows are known.

    Parameters and errors as in `solvers.steady.solve_prescribed`.
    """
    lumped = solve_prescribed(
        tree, inlet_pressure_mmhg, outlet_flow_ml_min, blood, inlet_profile=inlet_profile
    )
    flow = lumped.flow_ml_min
    line = _resolve(tree, vessels(tree, flow), flow, blood, inlet_profile, {})
    static = inlet_pressure_mmhg + line.pressure_pa / PA_PER_MMHG
    return _solution(static, line, flow, tree, blood, 1, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Resolved:
    """Pressure minus the inlet's [Pa] and kinetic-energy factor of each point, (n,)."""

    pressure_pa: Floats
    kinetic_factor: Floats
    profiles: dict[int, Profiles]


def _resolve(
    tree: VesselTree, ways: list[Ints], flow_ml_min: Floats, blood: Blood, inlet_profile: str,
    guesses: dict[int, Profiles],
) -> _Resolved:  # fmt: skip
    """Solve vessel after vessel, mothers first; `guesses` by the vessel's last point."""
    flow = flow_ml_min * M3_S_PER_ML_MIN
    s = path_length_mm(tree) * M_PER_MM
    radius = tree.radius_mm * M_PER_MM
    pressure, factor = np.zeros(len(tree)), np.full(len(tree), 2.0)
    profiles: dict[int, Profiles] = {}
    for way in ways:
        start, body = int(way[0]), way[1:]
        if flow[body[0]] <= STAGNANT * flow[0]:
            pressure[body] = pressure[start]
            continue
        knots, size, passing = _sampled(tree, way, s, radius, flow)
        entry = plug if inlet_profile == "plug" and start == 0 else developed
        try:
            solved = solve_vessel(knots, size, passing, blood, entry, guesses.get(int(way[-1])))
        except ConvergenceError as error:
            message = f"{error}; the vessel that ends at point {way[-1]}"
            raise ConvergenceError(message) from None
        profiles[int(way[-1])] = solved
        kinetic = np.interp(s[way], solved.x_m, kinetic_factor(solved))
        factor[body] = kinetic[1:]
        if start == 0:
            factor[0] = kinetic[0]
        along = _without_rise(way, s, radius, flow, pressure_at(solved, s[way]))
        course = (tree.points_mm[way] * M_PER_MM, s[way], _own(radius, way), _own(flow, way))
        jets = wall_jet_loss(*course, along, backflow_at(solved, s[way]), blood)
        axis = axis_of(*course[:3], narrowings(*course[1:3]))
        along = along - jets - bend_loss(axis, *course[1:], blood)
        pressure[body] = pressure[start] + along[1:]
    return _Resolved(pressure, factor, profiles)


def vessels(tree: VesselTree, flow: Floats) -> list[Ints]:
    """Return the vessels as point indices, mothers first; all but the first with a junction.

    The first point of each later vessel is the bifurcation it leaves.
    """
    children: dict[int, list[int]] = {}
    for i in range(1, len(tree)):
        children.setdefault(int(tree.parent[i]), []).append(i)
    found, open_ends = [], [[0]]
    while open_ends:
        way = open_ends.pop(0)
        while way[-1] in children:
            ranked = sorted(children[way[-1]], key=lambda i: -flow[i])
            open_ends += [[way[-1], i] for i in ranked[1:]]
            way.append(ranked[0])
        found.append(np.array(way, dtype=np.int64))
    return found


def _sampled(
    tree: VesselTree, way: Ints, s: Floats, radius: Floats, flow: Floats
) -> tuple[Floats, Floats, Floats]:
    """Path length, radius and flow along a vessel.

    Side branches drain over their width. Both need more samples than the centreline has.
    """
    at, size = s[way], radius[way]
    forks = [0] if way[0] != 0 else []
    steps = []
    for k in range(1, way.size - 1):
        lost = flow[way[k]] - flow[way[k + 1]]
        sides = np.flatnonzero(tree.parent == way[k])
        if sides.size > 1:
            forks.append(k)
            half = max(radius[i] for i in sides if i != way[k + 1])
            steps.append((max(at[0], at[k] - half), min(at[-1], at[k] + half), lost))
    balls = [at[k] + size[k] * BALL for k in forks]
    edges = [np.array([low, high]) for low, high, _ in steps]
    knots = np.unique(np.concatenate([at, *edges, *balls]))
    knots = knots[(knots <= at[-1]) & np.concatenate([[True], np.diff(knots) > 1e-9])]
    passing = np.full(knots.size, flow[way[1]])
    for low, high, lost in steps:
        passing -= lost * np.clip((knots - low) / (high - low), 0.0, 1.0)
    wide = np.interp(knots, at, size)
    for k in forks:  # around a bifurcation the lumen is at least the mother's, as a ball
        depth = np.clip(knots - at[k], 0.0, size[k])
        behind = knots >= at[k]
        wide[behind] = np.maximum(wide[behind], np.sqrt(size[k] ** 2 - depth[behind] ** 2))
    return knots, wide, passing


def _without_rise(
    way: Ints, s: Floats, radius: Floats, flow: Floats, pressure: Floats
) -> Floats:
    """Return the pressure along a vessel without the rises across its flow dividers [Pa].

    The flow that goes on is slower, but the divider's fresh boundary layer costs about as
    much as the deceleration gives: in 3D solutions of left main bifurcations (healthy and
    with a stenosis behind) the static pressure runs through.
    """
    at, out = s[way], pressure.copy()
    for k in range(1, way.size - 1):
        if flow[way[k + 1]] < flow[way[k]]:
            zone = (at[k] - radius[way[k]], at[k] + radius[way[k]])
            before, after = np.interp(zone, at, pressure)
            share = np.clip((at - zone[0]) / (zone[1] - zone[0]), 0.0, 1.0)
            out -= max(0.0, after - before) * share
    return out


def _own(values: Floats, way: Ints) -> Floats:
    """Values along a vessel; the bifurcation it leaves counts as its own first point."""
    own = values[way].copy()
    if way[0] != 0:
        own[0] = own[1]
    return own


def _repeating(
    tree: VesselTree, line: _Resolved, flow_ml_min: Floats, blood: Blood
) -> tuple[Floats, Floats]:
    """Return closure coefficients that repeat the resolved drops at the present flow.

    Each unbranched run keeps its Poiseuille resistance; the rest of its drop is quadratic.
    """
    flow = flow_ml_min * M3_S_PER_ML_MIN
    area = np.pi * (tree.radius_mm * M_PER_MM) ** 2
    head = line.pressure_pa + blood.density_kg_m3 / 2.0 * (flow / area) ** 2
    a, b = poiseuille(tree, blood)
    for run in sections(tree):
        body = run[1:]
        q = flow[body[0]]
        viscous = a[body].sum() * q
        if q <= STAGNANT * flow[0]:
            continue
        extra = head[run[0]] - head[body[-1]] - viscous
        b[body] = extra / q**2 * a[body] / a[body].sum()  # below zero where a jet spreads
    return a, b


def _solution(
    static_mmhg: Floats, line: _Resolved, flow_ml_min: Floats, tree: VesselTree,
    blood: Blood, rounds: int, residual_mmhg: float,
) -> FlowSolution:  # fmt: skip
    speed = flow_ml_min * M3_S_PER_ML_MIN / (np.pi * (tree.radius_mm * M_PER_MM) ** 2)
    kinetic = line.kinetic_factor * blood.density_kg_m3 / 2.0 * speed**2 / PA_PER_MMHG
    return FlowSolution(static_mmhg, static_mmhg + kinetic, flow_ml_min, rounds, residual_mmhg)
