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
from solvers.blood import Blood
from solvers.course import Conditions, Course, corrected, go_on, leave, likeness
from solvers.errors import ConvergenceError
from solvers.losses import poiseuille
from solvers.solution import FlowSolution
from solvers.steady import check_profile, gathered_flow_ml_min, solve_steady
from solvers.units import M3_S_PER_ML_MIN, M_PER_MM, PA_PER_MMHG
from solvers.vessel import Profiles, developed, plug

ROUNDS = 30
BOLD = 4.0  # most of the last step that is added to the next
EAGER = 8  # rounds; where a jet goes turns with the flows, and bold steps may jump about it
SETTLED = 1e-5  # change of an outlet flow between rounds, of the total flow
PATIENCE, NEARLY = 12, 1e-3  # after so many rounds: in a throat that leaks, jets jitter
LEAST_VISCOUS = 0.1  # of a run's Poiseuille resistance, that a network keeps
NO_FLOW_ML_MIN = 1e-9  # rounding
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
    guesses: dict[tuple[int, bool], Profiles] = {}
    last: tuple[Floats, Floats] | None = None
    ends = outlets(tree)
    # once: which of two equal daughters goes on must not alternate from round to round
    ways, runs = vessels(tree, flow), sections(tree)
    for round_number in range(1, ROUNDS + 1):
        line = _resolve(tree, ways, flow, blood, inlet_profile, guesses)
        guesses = line.profiles
        static = inlet_pressure_mmhg + line.pressure_pa / PA_PER_MMHG
        a, b = _repeating(tree, runs, line, flow, blood)
        again = solve_steady(*bed, closure=lambda *_, a=a, b=b: (a, b))
        change = np.abs(again.flow_ml_min[ends] - flow[ends]).max() / again.flow_ml_min[0]
        if change <= (SETTLED if round_number <= PATIENCE else NEARLY):
            open_ends = np.isfinite(resistance)
            open_ends &= flow[ends] > STAGNANT * flow[0]  # else no flow to speak of
            miss = static[ends] - venous_pressure_mmhg
            miss[open_ends] -= resistance[open_ends] * flow[ends][open_ends]
            worst = float(np.abs(miss[open_ends]).max(initial=0.0))
            return _solution(static, line, flow, round_number, worst)
        new = again.flow_ml_min
        further = _ahead(flow, new, last) if round_number <= EAGER else 0.5 * (flow + new)
        flow, last = further, (new, new - flow)
    where = int(ends[np.argmax(np.abs(again.flow_ml_min[ends] - flow[ends]))])
    message = f"the outlet flows did not settle in {ROUNDS} rounds; the worst is at point {{}}"
    raise ConvergenceError(message, where)


def _ahead(flow: Floats, new: Floats, last: tuple[Floats, Floats] | None) -> Floats:
    """Return the flow to try next: further along the way that the last two rounds went.

    Of all mixtures of both rounds' answers the one whose change would be least (Anderson,
    Journal of the ACM 1965;12:547, depth 1); mixtures conserve mass. `last` is the answer
    and the change of the round before.
    """
    if last is None:
        return new
    change = new - flow
    turn = change - last[1]
    size = float(turn @ turn)
    share = float(turn @ change) / size if size > 0.0 else 0.0
    mixed = new - np.clip(share, -BOLD, BOLD) * (new - last[0])
    return mixed if np.all((mixed > 0.0) | (new <= 0.0)) else new


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
    check_profile(inlet_profile)
    flow = gathered_flow_ml_min(tree, outlet_flow_ml_min)
    line = _resolve(tree, vessels(tree, flow), flow, blood, inlet_profile, {})
    static = inlet_pressure_mmhg + line.pressure_pa / PA_PER_MMHG
    return _solution(static, line, flow, 1, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Resolved:
    """Pressure minus the inlet's and kinetic head of each point [Pa], (n,).

    Profiles by the vessel's last point, and whether its mother's flow goes on in it.
    """

    pressure_pa: Floats
    kinetic_pa: Floats
    profiles: dict[tuple[int, bool], Profiles]


def _resolve(
    tree: VesselTree, ways: list[Ints], flow_ml_min: Floats, blood: Blood, inlet_profile: str,
    guesses: dict[tuple[int, bool], Profiles],
) -> _Resolved:  # fmt: skip
    """Solve vessel after vessel, mothers first; `guesses` are profiles at a similar flow."""
    back = int(np.argmin(flow_ml_min))
    if flow_ml_min[back] < -max(NO_FLOW_ML_MIN, STAGNANT * np.abs(flow_ml_min).max()):
        message = (
            f"at point {{}} the flow runs backwards ({flow_ml_min[back]:.3g} mL/min), which "
            "this solver cannot do; check the venous pressure, or use the lumped solver"
        )
        raise ConvergenceError(message, back)
    flow = flow_ml_min * M3_S_PER_ML_MIN
    given = Conditions(
        tree, blood, path_length_mm(tree) * M_PER_MM, tree.radius_mm * M_PER_MM, flow
    )
    pressure, kinetic = np.zeros(len(tree)), np.zeros(len(tree))
    profiles: dict[tuple[int, bool], Profiles] = {}
    mothers: dict[int, Course] = {}
    for way in ways:
        start, body, end = int(way[0]), way[1:], int(way[-1])
        if flow[body[0]] <= STAGNANT * flow[0]:
            pressure[body] = pressure[start]
            continue
        try:
            parts = _parts(given, way, mothers.get(start), inlet_profile, guesses)
        except ConvergenceError as error:
            message = f"{error}; the vessel that ends at point {{}}"
            raise ConvergenceError(message, end) from None
        for share, goes_on, course in parts:
            profiles[end, goes_on] = course.solved
            # what both share with the mother is hers: start above where this one was solved
            above = given.s_m[course.way] <= course.solved.x_m[0]
            first = max(0, int(above.sum()) - 1) if goes_on else 0
            along = corrected(given, course)
            fall = along[-body.size :] - along[first]
            pressure[body] += share * (pressure[course.way[first]] + fall)
            kinetic[body] += share * course.kinetic_pa[-body.size :]
        if start == 0:
            kinetic[0] = parts[0][2].kinetic_pa[0]
        main = max(parts, key=lambda part: part[0])[2]
        mothers.update(dict.fromkeys(body.tolist(), main))
    return _Resolved(pressure, kinetic, profiles)


def _parts(
    given: Conditions, way: Ints, mother: Course | None, inlet_profile: str,
    guesses: dict[tuple[int, bool], Profiles],
) -> list[tuple[float, bool, Course]]:  # fmt: skip
    """Return a vessel's solutions, the share of each, and whether the mother's flow goes on.

    Of two daughters the smaller leaves the mother as a reservoir. The more equal their
    flows, the more it goes on like the other: none of two equals can be the side branch.
    """
    end = int(way[-1])
    like = 0.0 if mother is None else likeness(given, mother, int(way[1]))
    parts = []
    if mother is not None and like > 0.0:
        try:
            known = guesses.get((end, True), mother.solved)
            course = go_on(given, mother, way[1:], known)
            parts.append((like, True, course))
        except ConvergenceError:
            like = 0.0  # as a reservoir it may have one
    if like < 1.0:
        entry = plug if inlet_profile == "plug" and way[0] == 0 else developed
        parts.append((1.0 - like, False, leave(given, way, entry, guesses.get((end, False)))))
    return parts


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


def _repeating(
    tree: VesselTree, runs: tuple[Ints, ...], line: _Resolved, flow_ml_min: Floats,
    blood: Blood,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return closure coefficients that repeat the resolved drops at the present flow.

    Each of the unbranched `runs` keeps its Poiseuille resistance and the rest of its drop
    is quadratic; where the drop is less (a jet spreads, a bifurcation's lumen covers a
    narrow mouth) the resistance is lowered instead as far as it can be: large negative
    losses have no answer.
    """
    flow = flow_ml_min * M3_S_PER_ML_MIN
    area = np.pi * (tree.radius_mm * M_PER_MM) ** 2
    head = line.pressure_pa + blood.density_kg_m3 / 2.0 * (flow / area) ** 2
    a, b = poiseuille(tree, blood)
    for run in runs:
        body = run[1:]
        q = flow[body[0]]
        if q <= STAGNANT * flow[0]:
            continue
        share = a[body] / a[body].sum()
        drop = head[run[0]] - head[body[-1]]
        a[body] *= min(1.0, max(drop / (a[body].sum() * q), LEAST_VISCOUS))
        b[body] = share * (drop - a[body].sum() * q) / q**2
    return a, b


def _solution(
    static_mmhg: Floats, line: _Resolved, flow_ml_min: Floats, rounds: int, residual_mmhg: float
) -> FlowSolution:
    total = static_mmhg + line.kinetic_pa / PA_PER_MMHG
    return FlowSolution(static_mmhg, total, flow_ml_min, rounds, residual_mmhg)
