"""What an axisymmetric solution misses of a real course: bends, and jets along one wall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats, floats
from solvers.blood import Blood

LEAST_DEAN = 11.6  # below, a bend costs nothing (White, Proc. R. Soc. A 1929;123:645)
CHORD_RADII = 2.0  # curvature is felt over so many radii: less is noise of the centreline
CHORD_MM = 2.0  # and at least over this
WINDOW_RADII = 10.0  # of the vessel's mean: so far from a throat its shoulders are sought
SHOULDER = 0.98  # of the widest lumen there: a narrowing begins and ends
MILD, CLEAR = 0.1, 0.2  # relative narrowing from which an offset throat counts, and fully
ATTACHED, JET = 0.02, 0.1  # backflow over mean velocity: none to speak of, and a full jet
LEAST_REACH = 0.25  # of the length that tells a direction, if the vessel ends before
WALL_SHARE = 0.5  # of the pressure a free jet regains, what a jet along a wall loses


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A narrow piece of a vessel: the points of its shoulders and of its least radius."""

    first: int
    throat: int
    last: int

    def healthy_m(self, s_m: Floats, radius_m: Floats) -> float:
        """Return the radius that the lumen would have at the throat."""
        ends = [self.first, self.last]
        return float(np.interp(s_m[self.throat], s_m[ends], radius_m[ends]))

    def weight(self, s_m: Floats, radius_m: Floats) -> float:
        """Return 0 where it is too shallow to count, 1 where it clearly is a narrowing."""
        depth = 1.0 - radius_m[self.throat] / self.healthy_m(s_m, radius_m)
        return float(np.clip((depth - MILD) / (CLEAR - MILD), 0.0, 1.0))


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


def narrowings(s_m: Floats, radius_m: Floats) -> list[Narrowing]:
    """Return the narrowings of a lumen, deepest first.

    Each runs from shoulder to shoulder: the nearest points on either side as wide as the
    lumen gets within WINDOW_RADII mean radii, so a taper is no narrowing and far parts of
    the vessel do not matter. Shallow ones count less: a shape that changes a little must
    not change the answer much.
    """
    length = s_m[-1] - s_m[0]
    window = WINDOW_RADII * float(np.trapezoid(radius_m, s_m)) / length
    low = (radius_m[1:-1] <= radius_m[:-2]) & (radius_m[1:-1] <= radius_m[2:])
    found = []
    for throat in 1 + np.flatnonzero(low):
        begin = int(np.searchsorted(s_m, s_m[throat] - window))
        end = int(np.searchsorted(s_m, s_m[throat] + window, side="right"))
        up, down = radius_m[begin : throat + 1], radius_m[throat:end]
        first = begin + int(np.flatnonzero(up >= SHOULDER * up.max())[-1])
        last = int(throat) + int(np.flatnonzero(down >= SHOULDER * down.max())[0])
        one = Narrowing(first, int(throat), last)
        if first < throat < last and one.weight(s_m, radius_m) > 0.0:
            found.append(one)
    kept: list[Narrowing] = []
    for one in sorted(found, key=lambda n: radius_m[n.throat] / n.healthy_m(s_m, radius_m)):
        if all(one.last <= other.first or one.first >= other.last for other in kept):
            kept.append(one)
    return kept


def axis_of(
    points_m: Floats, s_m: Floats, radius_m: Floats, lesions: list[Narrowing]
) -> Floats:
    """Return the centreline with the vessel's axis in place of the lumen's in lesions, (n, 3).

    The axis joins the wide lumens before and behind a lesion in their directions (a cubic),
    so an offset lumen does not bend it and a bend is not taken for an offset.
    """
    axis = points_m.copy()
    for lesion in lesions:
        first, last = lesion.first, lesion.last
        chord = points_m[last] - points_m[first]
        span = float(np.linalg.norm(chord))
        begin, end = (
            _direction(points_m, s_m, radius_m, i, side)
            for i, side in ((first, -1.0), (last, 1.0))
        )
        if span == 0.0:
            continue
        if begin is None and end is not None:
            begin = _mirrored(end, chord / span)
        if end is None and begin is not None:
            end = _mirrored(begin, chord / span)
        if begin is None or end is None:
            continue  # nothing says how the vessel runs
        here = slice(first, last + 1)
        t = ((s_m[here] - s_m[first]) / (s_m[last] - s_m[first]))[:, None]
        cubic = (
            (2 * t**3 - 3 * t**2 + 1) * points_m[first]
            + (t**3 - 2 * t**2 + t) * span * begin
            + (3 * t**2 - 2 * t**3) * points_m[last]
            + (t**3 - t**2) * span * end
        )
        axis[here] += lesion.weight(s_m, radius_m) * (cubic - points_m[here])
    return axis


def _direction(
    points_m: Floats, s_m: Floats, radius_m: Floats, i: int, side: float
) -> Floats | None:
    """Return the direction downstream at point i, from the course on one side of it."""
    reach = max(2.0 * CHORD_RADII * radius_m[i], CHORD_MM * 1e-3)
    room = s_m[i] - s_m[0] if side < 0 else s_m[-1] - s_m[i]
    if room < LEAST_REACH * reach:
        return None
    at = s_m[i] + side * min(reach, room) * np.array([0.5, 1.0])
    near, far = (np.array([np.interp(q, s_m, points_m[:, c]) for c in range(3)]) for q in at)
    direction = side * (4.0 * near - far - 3.0 * points_m[i])  # of a parabola
    size = float(np.linalg.norm(direction))
    return floats(direction / size) if size > 0.0 else None


def _mirrored(direction: Floats, chord: Floats) -> Floats:
    """Return the direction at the other end of a circular arc over a unit chord."""
    return floats(2.0 * float(direction @ chord) * chord - direction)


def offset_share(off_m: float, wide_m: float, throat_m: float) -> float:
    """Return how far off the axis a throat lies: 0 central, 1 touching the wall.

    From the throat's distance to the axis, the healthy radius there and the throat's.
    """
    room = wide_m - throat_m
    return min(1.0, off_m / room) if room > 0.0 else 0.0


def wall_jet_loss(
    lesions: list[Narrowing], off_m: Floats, s_m: Floats, radius_m: Floats,
    flow_m3_s: Floats, pressure_pa: Floats, backflow: Floats, blood: Blood,
) -> Floats:  # fmt: skip
    """Return the pressure that jets along one wall do not regain [Pa], shape (n,).

    Up to the throat an eccentric stenosis costs what a concentric one does; behind it the
    jet leaves the narrowing's wall earlier and is braked by the wall it follows. In 3D
    solutions of stenoses of 50 and 60 % that touch one wall it regains about half of what
    the axisymmetric jet does (0.48 and 0.54); the share falls linearly with the offset, and
    where the flow behind the throat hardly reverses: without a jet it follows the wall.

    Parameters
    ----------
    lesions
        Its narrowings, from `narrowings`.
    off_m
        How far the lumen's centre lies off the vessel's axis, see `axis_of`, shape (n,).
    s_m, radius_m, flow_m3_s
        One vessel, as in `bend_loss`.
    pressure_pa
        Its axisymmetric pressure, shape (n,).
    backflow
        Largest reversed velocity at each point, over the mean velocity there, (n,).
    """
    lost = np.zeros(len(s_m))
    lesions = sorted(lesions, key=lambda n: n.throat)
    friction = 8.0 * blood.viscosity_pa_s * flow_m3_s / (np.pi * radius_m**4)
    steps = 0.5 * (friction[1:] + friction[:-1]) * np.diff(s_m)
    ideal = pressure_pa + np.concatenate([[0.0], np.cumsum(steps)])  # but for friction
    for number, lesion in enumerate(lesions):
        throat = lesion.throat
        stop = lesions[number + 1].first if number + 1 < len(lesions) else len(s_m) - 1
        strength = (backflow[throat : stop + 1].max() - ATTACHED) / (JET - ATTACHED)
        # the axis moves from the lumen's centre with the lesion's weight, the offset with it
        share = offset_share(
            float(off_m[throat]), lesion.healthy_m(s_m, radius_m), radius_m[throat]
        )
        share *= float(np.clip(strength, 0.0, 1.0))
        low = throat + int(np.argmin(ideal[throat : lesion.last + 1]))
        regained = np.maximum.accumulate(np.maximum(ideal[low : stop + 1] - ideal[low], 0.0))
        lost[low : stop + 1] += WALL_SHARE * share * regained
        lost[stop + 1 :] += WALL_SHARE * share * regained[-1]
    return lost
