"""How pressure falls along one vessel whose flow is known, with every velocity profile.

Where the flow follows the wall the thin-layer equations are marched (milliseconds); where
it reverses, behind stenoses, a stretch around the place is solved with all terms of the
axisymmetric Navier-Stokes equations. No fitted constant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from meshes.arrays import Floats, floats
from solvers.blood import Blood
from solvers.errors import ConvergenceError
from solvers.kernels.thin_layer import march
from solvers.reversal import above_narrowing, behind
from solvers.stations import Line, gentle, place_stations, radial_faces, steep_samples
from solvers.stretch import Stretch, solve_stretch, stretch_pressure

CELLS = 24  # across the radius
# steepest opening and closing of the lumen, in turn where Newton finds no steady flow
SLOPES = ((2.0, 3.0), (1.0, 2.0), (0.5, 1.0))
REVERSE = 0.02  # backflow, in mean velocities, from which all terms are solved
SAME_FLOW = 3e-4  # relative change of the flow that leaves the profiles as they are
DROP_POWER = 1.5  # of the flow in the drop for such a change: between friction and jets
COPIED = 3  # profiles at the end of a stretch that its outflow condition has made alike

Entry = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """The flow along one vessel.

    Parameters
    ----------
    x_m
        Path length of the stations, shape (n,).
    face
        Area coordinate (r/R)^2 of the cell faces, 0 to 1, shape (cells + 1,).
    psi
        Stream function over its value at the wall, at the faces, shape (n, cells + 1).
    pressure_pa
        Area-mean pressure minus that of the first station, (n,).
    speed_m_s, flow_m3_s
        Mean velocity and flow, (n,).
    stretches
        Where all terms were solved.
    steepness
        Which of SLOPES the lumen was made to keep.
    """

    x_m: Floats
    face: Floats
    psi: Floats
    pressure_pa: Floats
    speed_m_s: Floats
    flow_m3_s: Floats
    stretches: tuple[Stretch, ...]
    steepness: int


def developed(face: Floats) -> Floats:
    """Return the normalised stream function of Poiseuille's parabola."""
    return floats(face * (2.0 - face))


def plug(face: Floats) -> Floats:
    """Return the normalised stream function of an even velocity."""
    return floats(face)


def pressure_at(profiles: Profiles, s_m: Floats) -> Floats:
    """Return the pressure [Pa] at path lengths, between stations by a monotone cubic."""
    return floats(PchipInterpolator(profiles.x_m, profiles.pressure_pa)(s_m))


def kinetic_factor(profiles: Profiles) -> Floats:
    """Return the flux-mean of u^2 over the squared mean velocity, (n,); 2 if developed."""
    width = np.diff(profiles.face)
    speed = np.diff(profiles.psi, axis=1) / width
    return floats((speed**3 * width).sum(axis=1))


def kinetic_at(profiles: Profiles, s_m: Floats, blood: Blood) -> Floats:
    """Return the kinetic head of the lumen that was solved at path lengths [Pa]."""
    head = kinetic_factor(profiles) * blood.density_kg_m3 / 2.0 * profiles.speed_m_s**2
    return floats(np.interp(s_m, profiles.x_m, head))


def backflow_at(profiles: Profiles, s_m: Floats) -> Floats:
    """Return the largest reversed velocity over the mean at path lengths, 0 without any."""
    slowest = (np.diff(profiles.psi, axis=1) / np.diff(profiles.face)).min(axis=1)
    return floats(np.interp(s_m, profiles.x_m, np.maximum(-slowest, 0.0)))


def solve_vessel(
    s_m: Floats,
    radius_m: Floats,
    flow_m3_s: Floats,
    blood: Blood,
    entry: Entry = developed,
    guess: Profiles | None = None,
) -> Profiles:
    """Solve one vessel.

    Parameters
    ----------
    s_m, radius_m
        Path length, increasing, and lumen radius, shape (m,); linear between samples.
    flow_m3_s
        Flow at the samples, positive, (m,); less further down where side branches drain.
    blood
        Viscosity and density.
    entry
        Profile at the first sample, `developed` or `plug`.
    guess
        The same vessel, or one that begins like it, at a similar flow: saves most of the time.

    Raises
    ------
    ConvergenceError
        No steady flow was found; names the place by its path length.
    """
    for k in range(0 if guess is None else guess.steepness, len(SLOPES)):
        line = _line(s_m, radius_m, flow_m3_s, blood, SLOPES[k])
        flow = floats(np.interp(line.x_m, s_m, flow_m3_s))
        if guess is not None and not np.array_equal(guess.x_m, line.x_m):
            guess = _moved(guess, line.x_m, flow)
        elif guess is not None and np.abs(flow / guess.flow_m3_s - 1.0).max() < SAME_FLOW:
            return _scaled(guess, flow)
        try:
            solved = _solve(line, flow, blood, entry, guess)
            return dataclasses.replace(solved, steepness=k)
        except ConvergenceError:
            guess = None
            if k == len(SLOPES) - 1:
                raise
    raise AssertionError  # the loop returns or raises


def _line(
    s: Floats, radius: Floats, flow: Floats, blood: Blood, slopes: tuple[float, float]
) -> Line:
    """Stations of a vessel.

    What side branches drain leaves with its own momentum: the same velocities in a wider
    vessel that nothing leaves, with friction as in the true one.
    """
    at = steep_samples(s, radius, min(slopes))
    size = gentle(at, np.interp(at, s, radius), *slopes)
    x = place_stations(at, size)
    drained = flow[0] / np.interp(x, s, flow)
    viscosity = blood.viscosity_pa_s / blood.density_kg_m3 * drained
    wide = np.interp(x, at, size) * np.sqrt(drained)
    return Line(x, wide, viscosity, float(flow[0]) / np.pi, radial_faces(CELLS))


def _moved(solved: Profiles, x_m: Floats, flow_m3_s: Floats) -> Profiles:
    """Return the profiles at other stations, as a guess; further down they are the last one."""
    at, n = solved.x_m, solved.x_m.size
    place = np.interp(x_m, at, np.arange(n))
    above = np.minimum(place.astype(np.int64), n - 2)
    share = (place - above)[:, None]
    psi = (1.0 - share) * solved.psi[above] + share * solved.psi[above + 1]
    return dataclasses.replace(solved, x_m=x_m, psi=psi, flow_m3_s=flow_m3_s, stretches=())


def _scaled(solved: Profiles, flow_m3_s: Floats) -> Profiles:
    """Return the same profiles at a flow that is hardly another."""
    ratio = flow_m3_s / solved.flow_m3_s
    return dataclasses.replace(
        solved,
        pressure_pa=floats(solved.pressure_pa * ratio[0] ** DROP_POWER),
        speed_m_s=floats(solved.speed_m_s * ratio),
        flow_m3_s=flow_m3_s,
    )


def _solve(
    line: Line, flow_m3_s: Floats, blood: Blood, entry: Entry, guess: Profiles | None
) -> Profiles:
    n = line.x_m.size
    psi, pressure, gradient = np.empty((n, line.face.size)), np.zeros(n), np.zeros(n)
    psi[0] = entry(line.face) * line.flow_m3_s
    plan: list[Stretch] = []
    spare = None
    if guess is not None:
        plan = list(guess.stretches)
        spare = guess.psi * line.flow_m3_s
        psi[1:] = spare[1:]
    stretches: list[Stretch] = []
    known = 0
    while known < n - 1:
        goal = plan[0].first if plan else n - 1
        trial = psi[: goal + 1].copy()
        last, attached = march(
            line.x_m[: goal + 1], line.radius_m, line.face, line.viscosity_m2_s,
            line.flow_m3_s, known, REVERSE, trial, gradient,
        )  # fmt: skip
        warm = last == goal and attached and bool(plan)
        if warm:
            here = plan.pop(0)
        elif last == goal and attached:
            here = Stretch(goal, goal)
        else:  # the plan does not hold at this flow
            plan = []
            here = Stretch(above_narrowing(line, last), behind(line, last))
        while stretches and here.first <= stretches[-1].end:
            here = Stretch(stretches.pop().first, here.end)
        first = here.first
        if first > known:
            psi[known + 1 : first + 1] = trial[known + 1 : first + 1]
            _add_marched(line, gradient, pressure, known, first)
        known = first
        if first < n - 1:
            here = solve_stretch(line, psi, here, None if warm else last, spare)
            first, end = here.first, here.end
            gain = stretch_pressure(line.part(first, end), psi[first : end + 1])
            pressure[first + 1 : end + 1] = pressure[first] + gain[1:]
            stretches.append(here)
            known = end - COPIED
            if end == n - 1:
                _finish(line, psi, pressure, gradient, known)
                known = end
    return Profiles(
        line.x_m, line.face, psi / line.flow_m3_s, pressure * blood.density_kg_m3,
        line.flow_m3_s / line.radius_m**2, flow_m3_s, tuple(stretches), 0,
    )  # fmt: skip


def _finish(line: Line, psi: Floats, pressure: Floats, gradient: Floats, known: int) -> None:
    """Replace what a stretch's outflow condition has made of the vessel's end, in place."""
    end = line.x_m.size - 1
    trial = psi.copy()
    last, attached = march(
        line.x_m, line.radius_m, line.face, line.viscosity_m2_s, line.flow_m3_s, known,
        REVERSE, trial, gradient,
    )  # fmt: skip
    if last == end and attached:
        psi[known + 1 :] = trial[known + 1 :]
    else:  # reversed flow leaves: as before
        slope = pressure[known] - pressure[known - 1]
        gradient[known + 1 :] = slope / (line.x_m[known] - line.x_m[known - 1])
    _add_marched(line, gradient, pressure, known, end)


def _add_marched(
    line: Line, gradient: Floats, pressure: Floats, known: int, first: int
) -> None:
    """Integrate the pressure gradient from the station `known` to `first`, in place."""
    part = gradient[known : first + 1].copy()
    part[0] = part[1]
    steps = 0.5 * (part[1:] + part[:-1]) * np.diff(line.x_m[known : first + 1])
    pressure[known + 1 : first + 1] = pressure[known] + np.cumsum(steps)
