"""How a stretch of a vessel with reversed flow is solved: Newton on the full equations."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from meshes.arrays import Floats
from solvers.errors import ConvergenceError
from solvers.kernels.axisymmetric import (
    REACH_X,
    REACH_Y,
    mean_pressure,
    newton_matrix,
    residual,
)
from solvers.kernels.thin_layer import march
from solvers.stations import Line

SHORTEST = 8  # steps; two profiles at each end are given
GENTLE_RE = 60.0  # Reynolds number at which Newton starts from Poiseuille profiles
THINNER, LEAST_THINNER = 2.5, 1.05  # factors by which the viscosity then falls
ATTEMPTS = 12  # then the laminar flow asked for is taken not to exist
TAIL = 8  # stations at the end of a stretch that must flow forward
NEWTON_STEPS = 15
MOST_STALLS = 2  # Newton steps that no shortening makes better: then it leads nowhere
SOLVES = 6  # steps with one factorisation: cheap, and nearly as good
NEAR, SETTLED = 0.05, 1e-3  # last Newton step, of the flow: on the way, and in the end
SURE = 1e-3  # Newton steps below this need no check


def solve_stretch(line: Line, psi: Floats, first: int, end: int, warm: bool) -> tuple[int, int]:
    """Solve all terms from station `first` as far as the flow reverses, `end` at least.

    From the guess given or a march through the stretch; if that is too poor, by way of
    higher viscosities. The stretch grows with the recirculation.

    Parameters
    ----------
    line
        The vessel.
    psi
        Stream function (n, faces); rows up to `first` are known, and where `warm` the others
        are a good guess. Filled in place.

    Returns
    -------
    first, end
        Stations between which the equations were solved.

    Raises
    ------
    ConvergenceError
        No steady flow was found; names the place by its path length.
    """
    last = line.x_m.size - 1
    first = max(0, min(first, last - SHORTEST))
    end = min(max(end, first + SHORTEST), last)
    if warm or _marched(line.part(first, end), psi[first : end + 1]):
        reached = _grow(line, psi, first, end, 1.0)
        if reached:
            return first, reached
    return first, _thinned(line, psi, first, end)


def _marched(part: Line, psi: Floats) -> bool:
    """Fill psi by a march that does not stop where the flow reverses; True if it arrived."""
    gradient = np.zeros(part.x_m.size)
    last, done = march(
        part.x_m, part.radius_m, part.face, part.viscosity_m2_s, part.flow_m3_s, 0, np.inf,
        psi, gradient,
    )  # fmt: skip
    return bool(done) and last == part.x_m.size - 1 and bool(np.isfinite(psi).all())


def _thinned(line: Line, psi: Floats, first: int, end: int) -> int:
    """Solve by way of higher viscosities, from Poiseuille profiles; return the last station."""
    part = line.part(first, end)
    reynolds = 2.0 * part.flow_m3_s / (part.radius_m * part.viscosity_m2_s)
    psi[first + 1] = psi[first]
    psi[first + 2 : end + 1] = part.flow_m3_s * part.face * (2.0 - part.face)
    thick, solved, factor = max(1.0, float(reynolds.max()) / GENTLE_RE), np.inf, THINNER
    for _ in range(ATTEMPTS):
        reached = _grow(line, psi, first, end, thick)
        if reached and thick == 1.0:
            return reached
        if reached:
            end, solved = reached, thick
        elif solved < np.inf:
            factor = float(np.sqrt(factor))
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


def _grow(line: Line, psi: Floats, first: int, end: int, thick: float) -> int:
    """Solve at `thick` times the viscosity, further down as long as the flow reverses there.

    Returns the last station, 0 if Newton failed (then psi is as it was, but for a part that
    was added).
    """
    while True:
        solved, done = _newton(line.part(first, end), psi[first : end + 1], thick)
        if not done:
            return 0
        psi[first : end + 1] = solved
        tail = max(first + 2, end - TAIL)
        if end == len(psi) - 1 or not (np.diff(psi[tail : end + 1], axis=1) < 0).any():
            return end
        more = min(len(psi) - 1, end + max(20, (end - first) // 3))
        psi[end + 1 : more + 1] = psi[end]
        end = more


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


def _newton(line: Line, guess: Floats, thick: float) -> tuple[Floats, bool]:
    """Return psi at `thick` times the viscosity, and whether it is steady."""
    psi = guess.copy()
    psi[:, 0], psi[:, -1] = 0.0, line.flow_m3_s
    inner = line.face.size - 2
    half = REACH_X * inner + REACH_Y
    band = np.empty((3 * half + 1, line.x_m.size * inner), order="F")
    rest = np.zeros(psi.shape)
    place = (line.x_m, line.radius_m, line.face, line.viscosity_m2_s * thick)
    stalls = 0
    for _ in range(NEWTON_STEPS):
        newton_matrix(psi, *place, rest, band)
        worst = float(np.linalg.norm(rest))
        factors, pivots, info = lapack.dgbtrf(band, half, half, overwrite_ab=1)
        if info != 0:
            return psi, False
        for again in range(SOLVES):
            step, _ = lapack.dgbtrs(factors, half, half, -rest[:, 1:-1].reshape(-1, 1), pivots)
            largest = float(np.abs(step).max() / line.flow_m3_s)
            if not np.isfinite(largest):
                return psi, False
            share = 1.0
            while True:  # shorter steps as long as they leave more than there was
                trial = psi.copy()
                trial[:, 1:-1] += share * step.reshape(-1, inner)
                residual(trial, *place, rest)
                left = float(np.linalg.norm(rest))
                if left < (1.0 - 0.1 * share) * worst or largest < SURE:
                    break
                if again or share < 0.05:
                    stalls += not again
                    break
                share *= 0.5
            if again and not (left < worst or largest < SURE):
                break  # the old matrix does not help any more
            psi, worst = trial, left
            if largest < (SETTLED if thick == 1.0 else NEAR):
                return psi, True
            if share < 1.0:
                break
        if stalls > MOST_STALLS:
            break
    return psi, False
