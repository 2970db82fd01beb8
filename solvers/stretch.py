"""How a stretch of a vessel with reversed flow is solved: Newton on the full equations."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from meshes.arrays import AnyArray, Floats, floats
from solvers.errors import ConvergenceError
from solvers.kernels.axisymmetric import mean_pressure, residual
from solvers.kernels.band import empty_band, factorise, solve
from solvers.kernels.newton_matrix import REACH_X, REACH_Y, newton_matrix
from solvers.reversal import TAIL, marched, reach
from solvers.stations import Line

SHORTEST = 8  # steps; two profiles at each end are given
GENTLE_RE = 60.0  # Reynolds number at which Newton starts from Poiseuille profiles
THICKER = 1.25  # factors by which the viscosity rises until a march arrives
THINNER, LEAST_THINNER = 2.5, 1.05  # factors by which the viscosity then falls
ATTEMPTS = 12  # then the laminar flow asked for is taken not to exist
NEWTON_STEPS = 15
MOST_STALLS = 2  # Newton steps that no shortening makes better: then it leads nowhere
SOLVES = 6  # steps with one factorisation: cheap, and nearly as good
NEAR, SETTLED = 0.05, 1e-3  # of the flow, from the answer: on the way, and in the end
SURE = 1e-3  # Newton steps below this need no check

Place = tuple[Floats, Floats, Floats, Floats]  # x, radius, faces, viscosity


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Stations between which all terms were solved, and the last matrix in factors.

    These are good for many steps, also at a flow that is near.
    """

    first: int
    end: int
    factors: AnyArray | None = None


def solve_stretch(
    line: Line, psi: Floats, plan: Stretch, seen: int | None, spare: Floats | None = None
) -> Stretch:
    """Solve all terms from the plan's first station as far as the flow reverses.

    From the guess given or a march through the stretch; if that is too poor, by way of
    higher viscosities. The stretch grows with the recirculation.

    Parameters
    ----------
    line
        The vessel.
    psi
        Stream function (n, faces); rows up to the plan's first are known. Filled in place.
    plan
        Where to begin, and where to end at the soonest.
    seen
        Station where the flow was seen to reverse; None where psi is a good guess already.
    spare
        Another guess of psi, where a march does not arrive.

    Returns
    -------
    Stretch
        Where the equations were solved.

    Raises
    ------
    ConvergenceError
        No steady flow was found; names the place by its path length.
    """
    last = line.x_m.size - 1
    first = max(0, min(plan.first, last - SHORTEST))
    end = min(max(plan.end, first + SHORTEST), last)
    plan = Stretch(first, end, plan.factors)
    guessed = seen is None
    if seen is not None:
        guessed = marched(line.part(first, last), psi[first:])
        if not guessed and spare is not None:
            psi[first + 1 :] = spare[first + 1 :]
            guessed = True
        plan = Stretch(first, reach(line, psi, first, seen) if guessed else end)
    if guessed:
        solved = _grow(line, psi, plan, 1.0)
        if solved is not None:
            return solved
    return _thinned(line, psi, Stretch(first, end), end if seen is None else seen)


def _thinned(line: Line, psi: Floats, plan: Stretch, seen: int) -> Stretch:
    """Solve by way of higher viscosities.

    The first of them is the least at which the march arrives, or where that guess is too
    poor one at which Poiseuille profiles are near enough.
    """
    part = line.part(plan.first, plan.end)
    reynolds = 2.0 * part.flow_m3_s / (part.radius_m * part.viscosity_m2_s)
    gentle = max(1.0, float(reynolds.max()) / GENTLE_RE)
    second = _second(line, psi, plan.first)
    thick, plan = _arriving(line, psi, plan, seen, gentle)
    psi[plan.first + 1] = second
    solved, factor = np.inf, THINNER
    for _ in range(ATTEMPTS):
        reached = _grow(line, psi, plan, thick)
        if reached is not None and thick == 1.0:
            return reached
        if reached is not None:
            plan, solved = reached, thick
        elif solved < np.inf:
            factor = float(np.sqrt(factor))
        elif thick < gentle:
            thick = gentle
            _parabolas(line, psi, plan)
            continue
        if solved == np.inf or factor < LEAST_THINNER:
            break
        thick = max(1.0, solved / factor)
    throat = int(np.argmin(part.radius_m))
    message = (
        f"no steady flow was found around {part.x_m[throat] * 1e3:.1f} mm from the vessel's "
        f"start (lumen radius {part.radius_m[throat] * 1e3:.3g} mm, Reynolds number "
        f"{reynolds.max():.0f})"
    )
    raise ConvergenceError(message)


def _second(line: Line, psi: Floats, first: int) -> Floats:
    """Return the profile behind the first one of a stretch, which is given like that one.

    From a march at the true viscosity: after one at a higher viscosity the profiles would
    change at once between the two, and the pressure jump.
    """
    two = psi[first : first + 2].copy()
    return two[1] if marched(line.part(first, first + 1), two) else two[0]


def _arriving(
    line: Line, psi: Floats, plan: Stretch, seen: int, gentle: float
) -> tuple[float, Stretch]:
    """Fill psi by a march at the least viscosity at which it arrives.

    Returns the factor on the viscosity, `gentle` and parabolas if none arrives, and where
    the stretch may end: the recirculation's length goes with the Reynolds number.
    """
    first, thick = plan.first, 1.0
    part = line.part(first, line.x_m.size - 1)
    while thick * THICKER < gentle:
        thick *= THICKER
        thicker = dataclasses.replace(part, viscosity_m2_s=part.viscosity_m2_s * thick)
        if marched(thicker, psi[first:]):
            end = reach(line, psi, first, seen)
            longer = int(min(line.x_m.size - 1, first + thick * (end - first)))
            return thick, Stretch(first, longer)
    _parabolas(line, psi, plan)
    return gentle, plan


def _parabolas(line: Line, psi: Floats, plan: Stretch) -> None:
    """Fill psi behind the plan's second station with Poiseuille profiles."""
    psi[plan.first + 2 : plan.end + 1] = line.flow_m3_s * line.face * (2.0 - line.face)


def _grow(line: Line, psi: Floats, plan: Stretch, thick: float) -> Stretch | None:
    """Solve at `thick` times the viscosity, further down as long as the flow reverses there.

    None if Newton failed (then psi is as it was, but for a part that was added).
    """
    first, end, factors = plan.first, plan.end, plan.factors
    while True:
        here = slice(first, end + 1)
        solved, factors = _newton(line.part(first, end), psi[here], thick, factors)
        if factors is None:
            return None
        psi[here] = solved
        tail = max(first + 2, end - TAIL)
        if end == len(psi) - 1 or not (np.diff(psi[tail : end + 1], axis=1) < 0).any():
            return Stretch(first, end, factors)
        more = min(len(psi) - 1, end + max(20, (end - first) // 3))
        psi[end + 1 : more + 1] = psi[end]
        end, factors = more, None


def stretch_pressure(line: Line, psi: Floats) -> Floats:
    """Return the mean pressure over density at the stations of a solved stretch, (n,).

    The first is zero.
    """
    x = line.x_m
    between = np.empty(x.size - 1)
    mean_pressure(psi, x, line.radius_m, line.face, line.viscosity_m2_s, between)
    middle = 0.5 * (x[1:] + x[:-1])
    inner = np.interp(x[1:-1], middle, between)
    slope = (between[1] - between[0]) / (middle[1] - middle[0])
    begin = between[0] - slope * (middle[0] - x[0])
    slope = (between[-1] - between[-2]) / (middle[-1] - middle[-2])
    final = between[-1] + slope * (x[-1] - middle[-1])
    return np.concatenate([[0.0], inner - begin, [final - begin]])


def _newton(
    line: Line, guess: Floats, thick: float, factors: AnyArray | None
) -> tuple[Floats, AnyArray | None]:
    """Return psi at `thick` times the viscosity, and the last matrix; None if not steady."""
    psi = guess.copy()
    psi[:, 0], psi[:, -1] = 0.0, line.flow_m3_s
    rest = np.zeros(psi.shape)
    place = (line.x_m, line.radius_m, line.face, line.viscosity_m2_s * thick)
    residual(psi, *place, rest)
    stalls = 0
    for _ in range(NEWTON_STEPS):
        fresh = factors is None
        if factors is None:
            factors = _factorised(psi, place, rest)
        if factors is None:
            return psi, None
        worst, largest = _size(rest), np.inf
        for again in range(SOLVES):
            step, before = _step(factors, rest), largest
            largest = float(np.abs(step).max() / line.flow_m3_s)
            if not np.isfinite(largest):
                return psi, None
            old = again > 0 or not fresh
            share = 1.0
            while True:  # shorter steps as long as they leave more than there was
                trial = psi.copy()
                trial[:, 1:-1] += share * step
                residual(trial, *place, rest)
                left = _size(rest)
                if left < (1.0 - 0.1 * share) * worst or largest < SURE:
                    break
                if old or share < 0.05:
                    stalls += not old
                    break
                share *= 0.5
            if old and not (left < worst or largest < SURE):
                break  # the old matrix does not help any more
            psi, worst = trial, left
            if max(largest, _ahead(largest, before)) < (SETTLED if thick == 1.0 else NEAR):
                return psi, factors
            if share < 1.0:
                break
        if stalls > MOST_STALLS:
            break
        factors = None
    return psi, None


def _ahead(largest: float, before: float) -> float:
    """Return how far the answer still is, from the last two steps with one matrix.

    Steps that shrink by a constant factor are a geometric series: small ones that hardly
    shrink lead far.
    """
    shrunk = largest / before
    return largest * shrunk / (1.0 - shrunk) if shrunk < 1.0 else np.inf


def _size(rest: Floats) -> float:
    """Return the root of the sum of squares; `np.linalg.norm` starts threads: far slower."""
    return float(np.sqrt(np.square(rest).sum()))


def _factorised(psi: Floats, place: Place, rest: Floats) -> AnyArray | None:
    """Return Newton's matrix at psi in factors, None if it is singular; fill the residual."""
    inner = psi.shape[1] - 2
    band = empty_band(len(psi) * inner, REACH_X * inner + REACH_Y)
    newton_matrix(psi, *place, *residual(psi, *place, rest), band)
    return band if factorise(band) else None


def _step(factors: AnyArray, rest: Floats) -> Floats:
    """Return Newton's change of psi at the inner faces, (n, faces - 2)."""
    step = np.zeros(len(factors), dtype=factors.dtype)
    right = rest[:, 1:-1]
    step[: right.size] = -right.ravel()
    solve(factors, step)
    return floats(step[: right.size].reshape(right.shape))
