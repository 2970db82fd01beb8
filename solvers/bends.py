"""What an axisymmetric solution misses of a real course: bends, and jets along one wall."""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats
from solvers.blood import Blood

LEAST_DEAN = 11.6  # below, a bend costs nothing (White, Proc. R. Soc. A 1929;123:645)
CHORD_RADII = 2.0  # curvature is felt over so many radii: less is noise of the centreline
CHORD_MM = 2.0  # and at least over this
LEAST_NARROWING = 0.1  # relative narrowing from which an offset throat counts
WALL_SHARE = 0.5  # of the pressure a free jet regains, what a jet along a wall loses


def bend_loss(
    points_m: Floats, s_m: Floats, radius_m: Floats, flow_m3_s: Floats, blood: Blood
) -> Floats:
    """Return the pressure that bends cost from the first point on [Pa], shape (n,).

    Friction in a curved tube over a straight one, 1 / (1 - [1 - (11.6/De)^0.45]^2.2) with
    De = Re sqrt(r kappa) (White, Proceedings of the Royal Society A 1929;123:645), on the
    Poiseuille gradient.

    Parameters
    ----------
    points_m, s_m, radius_m, flow_m3_s
        One vessel: centreline (n, 3), path length, lumen radius, flow (n,).
    blood
        Viscosity and density.
    """
    curvature = curvature_1_m(points_m, s_m, radius_m)
    speed = flow_m3_s / (np.pi * radius_m**2)
    reynolds = 2.0 * speed * radius_m * blood.density_kg_m3 / blood.viscosity_pa_s
    dean = np.maximum(reynolds * np.sqrt(radius_m * curvature), LEAST_DEAN)
    factor = 1.0 / (1.0 - (1.0 - (LEAST_DEAN / dean) ** 0.45) ** 2.2)
    extra = (factor - 1.0) * 8.0 * blood.viscosity_pa_s * speed / radius_m**2
    steps = 0.5 * (extra[1:] + extra[:-1]) * np.diff(s_m)
    return np.concatenate([[0.0], np.cumsum(steps)])


def curvature_1_m(points_m: Floats, s_m: Floats, radius_m: Floats) -> Floats:
    """Return the curvature of a centreline over chords of a few radii [1/m], shape (n,)."""
    half = np.maximum(CHORD_RADII * radius_m, CHORD_MM * 1e-3)
    at = [np.clip(s_m + shift * half, s_m[0], s_m[-1]) for shift in (-2.0, 0.0, 2.0)]
    back, here, ahead = (
        np.stack([np.interp(x, s_m, points_m[:, c]) for c in range(3)], axis=1) for x in at
    )
    before, after = here - back, ahead - here
    lengths = np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)
    whole = np.minimum(*lengths) > 0.5 * half
    cosine = np.ones(len(s_m))
    product = (before * after).sum(axis=1)[whole]
    cosine[whole] = np.clip(product / (lengths[0] * lengths[1])[whole], -1.0, 1.0)
    out = np.zeros(len(s_m))
    out[whole] = np.arccos(cosine[whole]) / (0.5 * (lengths[0] + lengths[1]))[whole]
    return out


def axis_of(
    points_m: Floats, s_m: Floats, radius_m: Floats, lesions: list[tuple[int, int]]
) -> Floats:
    """Return the centreline with the vessel's axis in place of the lumen's in lesions, (n, 3).

    The axis joins the wide lumens before and behind a lesion in their directions (a cubic),
    so an offset lumen does not bend it and a bend is not taken for an offset.
    """
    axis = points_m.copy()
    for first, last in lesions:
        ends = []
        chord = points_m[last] - points_m[first]
        span = float(np.linalg.norm(chord))
        for i, side in ((first, -1.0), (last, 1.0)):
            reach = max(2.0 * CHORD_RADII * radius_m[i], CHORD_MM * 1e-3)
            at = s_m[i] + side * reach * np.array([0.5, 1.0])
            if s_m[0] <= at.min() and at.max() <= s_m[-1]:
                near, far = (
                    np.array([np.interp(q, s_m, points_m[:, c]) for c in range(3)]) for q in at
                )
                direction = side * (4.0 * near - far - 3.0 * points_m[i])  # of a parabola
                ends.append(direction / np.linalg.norm(direction))
            else:
                ends.append(chord / span)
        here = slice(first, last + 1)
        t = ((s_m[here] - s_m[first]) / (s_m[last] - s_m[first]))[:, None]
        axis[here] = (
            (2 * t**3 - 3 * t**2 + 1) * points_m[first]
            + (t**3 - 2 * t**2 + t) * span * ends[0]
            + (3 * t**2 - 2 * t**3) * points_m[last]
            + (t**3 - t**2) * span * ends[1]
        )
    return axis


def offset_share(off_m: float, wide_m: float, throat_m: float) -> float:
    """Return how far off the axis a throat lies: 0 central, 1 touching the wall.

    From the throat's distance to the axis, the healthy radius there and the throat's.
    """
    room = wide_m - throat_m
    return min(1.0, off_m / room) if room > LEAST_NARROWING * wide_m else 0.0


def wall_jet_loss(
    points_m: Floats, s_m: Floats, radius_m: Floats, flow_m3_s: Floats,
    pressure_pa: Floats, lesions: list[tuple[int, int]], blood: Blood,
) -> Floats:  # fmt: skip
    """Return the pressure that jets along one wall do not regain [Pa], shape (n,).

    Up to the throat an eccentric stenosis costs what a concentric one does; behind it the
    jet leaves the narrowing's wall earlier and is braked by the wall it follows. In 3D
    solutions of stenoses of 50 and 60 % that touch one wall it regains about half of what
    the axisymmetric jet does (0.48 and 0.54); the share falls linearly with the offset.

    Parameters
    ----------
    points_m, s_m, radius_m, flow_m3_s
        One vessel, as in `bend_loss`.
    pressure_pa
        Its axisymmetric pressure, shape (n,).
    lesions
        First and last point of each narrowing with reversed flow behind its throat.
    """
    lost = np.zeros(len(s_m))
    axis = axis_of(points_m, s_m, radius_m, lesions)
    friction = 8.0 * blood.viscosity_pa_s * flow_m3_s / (np.pi * radius_m**4)
    steps = 0.5 * (friction[1:] + friction[:-1]) * np.diff(s_m)
    ideal = pressure_pa + np.concatenate([[0.0], np.cumsum(steps)])  # but for friction
    for number, (first, last) in enumerate(lesions):
        throat = first + int(np.argmin(radius_m[first : last + 1]))
        t = (s_m[throat] - s_m[first]) / (s_m[last] - s_m[first])
        wide = (1.0 - t) * radius_m[first] + t * radius_m[last]
        off = float(np.linalg.norm(points_m[throat] - axis[throat]))
        share = offset_share(off, wide, radius_m[throat])
        stop = lesions[number + 1][0] if number + 1 < len(lesions) else len(s_m) - 1
        low = throat + int(np.argmin(ideal[throat : last + 1]))
        regained = np.maximum.accumulate(np.maximum(ideal[low : stop + 1] - ideal[low], 0.0))
        lost[low : stop + 1] += WALL_SHARE * share * regained
        lost[stop + 1 :] += WALL_SHARE * share * regained[-1]
    return lost
