"""How the vessels of a tree follow each other: what side branches drain, where each begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, Ints, floats, ints
from meshes.tree import VesselTree
from solvers.bends import axis_of, bend_loss, narrowings, wall_jet_loss
from solvers.blood import Blood
from solvers.units import M_PER_MM
from solvers.vessel import (
    Entry,
    Profiles,
    backflow_at,
    kinetic_at,
    pressure_at,
    solve_vessel,
)

BALL = np.sin(np.linspace(0.0, np.pi / 2, 9))  # samples of a quarter circle
UNLIKE, ALIKE = 0.8, 0.95  # smaller over larger daughter's flow: one leaves, both go on
HIDDEN = 0.6, 0.8  # lumen at the mouth over that outside: a stenosis, and still noise
OUTSIDE = 3.0  # mother's radii from the bifurcation: so far the lumen outside is sought
SAME_THROAT = 1.01  # so much wider is as narrow: of a long throat the first place counts
CLOSE_RADII, CLOSEST_M = 0.25, 1e-4  # between stations at which a real course is followed
JET_RADII, IN_JET = 12.0, 0.8  # so near an end a throat narrower than it sheds a jet there
BEYOND_RADII = 8.0  # so far such a vessel goes on
RESTART_RADII = 6.0  # above a bifurcation: nothing there knows of it


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """A tree with its flow, SI units.

    Parameters
    ----------
    tree, blood
        The lumen; viscosity and density.
    s_m, radius_m, flow_m3_s
        Path length, lumen radius and flow of each point, shape (n,).
    """

    tree: VesselTree
    blood: Blood
    s_m: Floats
    radius_m: Floats
    flow_m3_s: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One vessel, solved.

    Parameters
    ----------
    way
        Its points, inlet or bifurcation first, (m,).
    solved
        Its velocity profiles; from some place on, if it shares what is above with its mother.
    begin_pa
        Axisymmetric pressure where `solved` begins, minus that at the first point.
    pressure_pa, kinetic_pa
        Axisymmetric pressure minus that at the first point, and kinetic head, (m,).
    """

    way: Ints
    solved: Profiles
    begin_pa: float
    pressure_pa: Floats
    kinetic_pa: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "way", ints(self.way))


def leave(given: Conditions, way: Ints, entry: Entry, guess: Profiles | None) -> Course:
    """Solve a vessel from the inlet, or from a bifurcation as from a reservoir.

    Raises
    ------
    ConvergenceError
        No steady flow was found.
    """
    knots, size, passing = sampled(given, way)
    solved = solve_vessel(knots, size, passing, given.blood, entry, guess)
    s = given.s_m[way]
    kinetic = kinetic_at(solved, s, given.blood)
    return Course(way, solved, 0.0, pressure_at(solved, s), kinetic)


def go_on(given: Conditions, mother: Course, body: Ints, guess: Profiles | None) -> Course:
    """Solve a daughter as the vessel that goes on, with the mother's jet and boundary layer.

    It starts some way up the mother, where the flow does not reverse. `body` are the
    daughter's own points.

    Raises
    ------
    ConvergenceError
        No steady flow was found.
    """
    fork = int(np.flatnonzero(mother.way == given.tree.parent[body[0]])[0])
    way = np.concatenate([mother.way[: fork + 1], body])
    s, at = given.s_m[way], mother.solved.x_m
    start = s[fork] - RESTART_RADII * given.radius_m[way[fork]]
    first = max(0, int(np.searchsorted(at, start, side="right")) - 1)
    for stretch in reversed(mother.solved.stretches):
        first = stretch.first if stretch.first <= first <= stretch.end else first
    knots, size, passing = sampled(given, way)
    kept = np.concatenate([[at[first]], knots[knots > at[first] + 1e-9]])
    size, passing = np.interp(kept, knots, size), np.interp(kept, knots, passing)
    profile = mother.solved.psi[first]
    solved = solve_vessel(kept, size, passing, given.blood, lambda _: profile, guess)
    begin_pa = mother.begin_pa + float(mother.solved.pressure_pa[first])
    own = s >= kept[0]
    above = np.zeros(way.size)
    above[: fork + 1] = mother.pressure_pa[: fork + 1]
    head = np.zeros(way.size)
    head[: fork + 1] = mother.kinetic_pa[: fork + 1]
    pressure = np.where(own, begin_pa + pressure_at(solved, np.maximum(s, kept[0])), above)
    kinetic = kinetic_at(solved, s, given.blood)
    return Course(way, solved, begin_pa, pressure, np.where(own, kinetic, head))


def likeness(given: Conditions, mother: Course, point: int) -> float:
    """Return how far the daughter that begins at `point` is an equal of the one that goes on.

    0: it leaves the mother's flow. 1: their flows are about equal, none of the two can be
    the side branch.
    """
    fork = int(np.flatnonzero(mother.way == given.tree.parent[point])[0])
    share = given.flow_m3_s[point] / given.flow_m3_s[mother.way[fork + 1]]
    return float(np.clip((share - UNLIKE) / (ALIKE - UNLIKE), 0.0, 1.0))


def corrected(given: Conditions, course: Course) -> Floats:
    """Return the pressure along a vessel with what its real course costs [Pa], (m,).

    Found at close stations: how many points the centreline has must not matter.
    """
    way, solved = course.way, course.solved
    at = given.s_m[way]
    s = _closer(at, given.radius_m[way])
    below = np.searchsorted(at, s)  # the point that each station's segment leads to
    along = np.interp(s, at, course.pressure_pa)
    own = s >= solved.x_m[0]
    along[own] = course.begin_pa + pressure_at(solved, s[own])
    along = _without_rise(given, way, s, along)
    centre = given.tree.points_mm[way] * M_PER_MM
    points = np.stack([np.interp(s, at, centre[:, c]) for c in range(3)], axis=1)
    radius = np.interp(s, at, _own(given.radius_m, way))
    shape = (s, radius, _own(given.flow_m3_s, way)[below])
    lesions = narrowings(*shape[:2])
    axis = axis_of(points, *shape[:2], lesions)
    off = floats(np.linalg.norm(points - axis, axis=1))
    backflow = backflow_at(solved, s)
    jets = wall_jet_loss(lesions, off, *shape, along, backflow, given.blood)
    lost = jets + bend_loss(axis, *shape, given.blood)
    return floats((along - lost)[np.searchsorted(s, at)])


def _closer(at: Floats, radius: Floats) -> Floats:
    """Return the path lengths of a vessel's points, and more of them between distant ones."""
    close = np.maximum(CLOSE_RADII * np.minimum(radius[1:], radius[:-1]), CLOSEST_M)
    parts = np.ceil(np.diff(at) / close).astype(np.int64)
    place = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
    steps = np.repeat(np.diff(at) / parts, parts)
    return np.append(np.repeat(at[:-1], parts) + place * steps, at[-1])


def sampled(given: Conditions, way: Ints) -> tuple[Floats, Floats, Floats]:
    """Return path length, radius and flow along a vessel, in SI units.

    Side branches drain over their width. Both need more samples than the centreline has.
    A vessel that ends behind a throat goes on for a while: what a jet does before an end
    depends on what comes behind, and cut off there it is not found well.
    """
    s, radius, flow = given.s_m, given.radius_m, given.flow_m3_s
    at, size = s[way], radius[way]
    forks = [0] if way[0] != 0 else []
    steps = []
    children = np.bincount(given.tree.parent[1:], minlength=s.size)
    for k in (1 + np.flatnonzero(children[way[1:-1]] > 1)).tolist():
        lost = flow[way[k]] - flow[way[k + 1]]
        sides = np.flatnonzero(given.tree.parent == way[k])
        forks.append(k)
        half = max(_mouth(given, int(i)) for i in sides if i != way[k + 1])
        steps.append((max(at[0], at[k] - half), min(at[-1], at[k] + half), lost))
    reach = [_mothers_reach(at - at[k], size, size[k]) for k in forks]
    balls = [at[k] + r * BALL for k, r in zip(forks, reach, strict=True)]
    edges = [np.array([low, high]) for low, high, _ in steps]
    knots = np.unique(np.concatenate([at, *edges, *balls]))
    knots = knots[(knots <= at[-1]) & np.concatenate([[True], np.diff(knots) > 1e-9])]
    passing = np.full(knots.size, flow[way[1]])
    for low, high, lost in steps:
        passing -= lost * np.clip((knots - low) / (high - low), 0.0, 1.0)
    wide = np.interp(knots, at, size)
    for k, r in zip(forks, reach, strict=True):
        # around a bifurcation the lumen is at least the mother's, as a ball
        depth = np.clip(knots - at[k], 0.0, r) / r
        behind = knots >= at[k]
        # a product and not a difference of squares, which rounding can make negative
        left = (1.0 - depth[behind]) * (1.0 + depth[behind])
        wide[behind] = np.maximum(wide[behind], size[k] * np.sqrt(left))
    if size[at >= at[-1] - JET_RADII * size[-1]].min() < IN_JET * size[-1]:
        knots, wide, passing = (np.append(x, x[-1]) for x in (knots, wide, passing))
        knots[-1] += BEYOND_RADII * size[-1]
    return knots, wide, passing


def _mouth(given: Conditions, point: int) -> float:
    """Return half the width of the mouth of the branch that begins at a point [m].

    Its radius where it leaves the mother's lumen, one mother's radius from the bifurcation:
    nearer its points lie in there and say little of its own lumen.
    """
    parent, s, radius = given.tree.parent, given.s_m, given.radius_m
    fork = parent[point]
    leaves = s[fork] + radius[fork]
    while s[point] < leaves:
        further = np.flatnonzero(parent == point)
        if further.size != 1:
            return float(radius[point])
        point = int(further[0])
    last = parent[point]
    if last == fork:
        return float(radius[point])
    return float(np.interp(leaves, s[[last, point]], radius[[last, point]]))


def _mothers_reach(depth: Floats, size: Floats, mother: float) -> float:
    """Return how far behind a bifurcation the mother's lumen covers the vessel [m].

    Its radius, as the lumens overlap that far. But where the vessel itself is clearly
    narrower in there than it is outside, a stenosis begins at its mouth: to the throat.

    Parameters
    ----------
    depth, size
        Path length of the vessel's points behind the bifurcation, and their radii.
    mother
        Radius at the bifurcation.
    """
    inside = np.flatnonzero((depth > 0.0) & (depth <= mother))
    outside = (depth > mother) & (depth <= OUTSIDE * mother)
    if inside.size == 0 or not outside.any():
        return mother
    throat = inside[np.argmax(size[inside] <= SAME_THROAT * size[inside].min())]
    share = (size[throat] / size[outside].max() - HIDDEN[0]) / (HIDDEN[1] - HIDDEN[0])
    return float(depth[throat] + np.clip(share, 0.0, 1.0) * (mother - depth[throat]))


def _without_rise(given: Conditions, way: Ints, s: Floats, pressure: Floats) -> Floats:
    """Return the pressure [Pa] at stations s without the rises across flow dividers.

    The flow that goes on is slower, but the divider's fresh boundary layer costs about as
    much as the deceleration gives: in 3D solutions of left main bifurcations (healthy and
    with a stenosis behind) the static pressure runs through. What a jet regains there
    stays: no more is taken than the deceleration of a developed flow can give.
    """
    at, out, flow = given.s_m[way], pressure.copy(), given.flow_m3_s[way]
    for k in range(1, way.size - 1):
        if flow[k + 1] < flow[k]:
            size = given.radius_m[way[k]]
            zone = (at[k] - size, at[k] + size)
            before, after = np.interp(zone, s, pressure)
            given_back = (flow[k] ** 2 - flow[k + 1] ** 2) / (np.pi * size**2) ** 2
            rise = min(max(0.0, after - before), given.blood.density_kg_m3 * given_back)
            out -= rise * np.clip((s - zone[0]) / (zone[1] - zone[0]), 0.0, 1.0)
    return out


def _own(values: Floats, way: Ints) -> Floats:
    """Values along a vessel; the bifurcation it leaves counts as its own first point."""
    own = values[way].copy()
    if way[0] != 0:
        own[0] = own[1]
    return own
