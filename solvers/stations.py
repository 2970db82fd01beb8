"""Where along a vessel its profiles are computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import Floats
from solvers.kernels.stations import kink_weight

STEP_RADII = 0.4  # longest step between stations
STEP_CHANGE = 0.12  # largest relative change of the radius per step
KINK_STEPS = 20.0  # extra stations per radius at a sharp shoulder of slope change 1
DENSEST = 60.0  # stations per radius: more only follow the noise of dense samples
MILD_KINK = 0.1  # slope change below which samples of a smooth curve are meant
FELT = 6.0  # radii beyond which a shoulder is not felt
FEWEST = 16
PLAIN = 5.0  # stations per radius that a smooth lumen needs at most; the others are extra
MOST = 1500  # stations of a vessel: fewer extra ones where a rough lumen asks for more


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Stations of one vessel or of a stretch of it.

    Parameters
    ----------
    x_m, radius_m, viscosity_m2_s
        Path length, lumen radius and kinematic viscosity, shape (n,).
    flow_m3_s
        Q/pi, the same everywhere.
    face
        Area coordinate (r/R)^2 of the faces of the radial cells, 0 to 1.
    """

    x_m: Floats
    radius_m: Floats
    viscosity_m2_s: Floats
    flow_m3_s: float
    face: Floats

    def part(self, first: int, end: int) -> Line:
        """Return the stations from `first` to `end`, both included."""
        here = slice(first, end + 1)
        return Line(
            self.x_m[here], self.radius_m[here], self.viscosity_m2_s[here], self.flow_m3_s,
            self.face,
        )  # fmt: skip


def radial_faces(cells: int) -> Floats:
    """Return the faces of radial cells; the exponent leaves enough of them to a thin jet."""
    return np.asarray(np.linspace(0.0, 1.0, cells + 1) ** 1.5)


def gentle(s_m: Floats, radius_m: Floats, opening: float, closing: float) -> Floats:
    """Return radii at the samples of `s_m` whose slope stays within two limits.

    Where a lumen opens faster than `opening` or closes faster than `closing` (downstream,
    both positive) it is narrowed: what lies in the corner behind a sudden expansion is
    dead water, and whether the flow turns into a sudden contraction over half a radius
    or none changes the drop by about one percent.
    """
    opened = np.minimum.accumulate(radius_m - opening * s_m) + opening * s_m
    closed = np.minimum.accumulate((opened + closing * s_m)[::-1])[::-1] - closing * s_m
    return np.minimum(radius_m, closed)  # rounding must not widen it


def steep_samples(s_m: Floats, radius_m: Floats, limit: float) -> Floats:
    """Return the samples, and more of them around pieces steeper than `limit`."""
    slope = np.abs(np.diff(radius_m) / np.diff(s_m))
    more = [s_m]
    for k in np.flatnonzero(slope > limit):
        reach = abs(radius_m[k + 1] - radius_m[k]) / limit
        more.append(np.linspace(s_m[k] - reach, s_m[k + 1] + reach, 81))
    at = np.unique(np.concatenate(more))
    at = at[(at >= s_m[0]) & (at <= s_m[-1])]
    return np.asarray(at[np.concatenate([[True], np.diff(at) > 1e-9])])


def place_stations(s_m: Floats, radius_m: Floats) -> Floats:
    """Place stations along a radius that is linear between samples.

    Steps are at most STEP_RADII radii, change the radius by at most STEP_CHANGE, and are
    short at sharp shoulders.
    """
    length = s_m[-1] - s_m[0]
    fine = np.linspace(s_m[0], s_m[-1], int(np.clip(length / radius_m.min() * 20, 200, 20000)))
    radius = np.interp(fine, s_m, radius_m)
    slope = np.diff(radius_m) / np.diff(s_m)
    inside = np.clip(np.searchsorted(s_m, fine, side="right") - 1, 0, slope.size - 1)
    kink = np.abs(np.diff(slope))
    kink = kink * kink / (kink + MILD_KINK)
    per_radius = 1.0 / STEP_RADII + np.abs(slope[inside]) / STEP_CHANGE
    knot, width = s_m[1:-1], radius_m[1:-1]
    first = np.searchsorted(fine, knot - FELT * width)
    end = np.searchsorted(fine, knot + FELT * width, side="right")
    per_radius += KINK_STEPS * kink_weight(fine, first, end, knot, kink, width)
    plain = np.minimum(per_radius, PLAIN) / radius
    extra = np.minimum(per_radius, DENSEST) / radius - plain
    count, more = (
        np.concatenate([[0.0], np.cumsum((d[1:] + d[:-1]) / 2 * np.diff(fine))])
        for d in (plain, extra)
    )
    room = max(MOST - count[-1], 0.25 * MOST)
    count += more * min(1.0, room / max(more[-1], 1.0))
    steps = max(FEWEST, int(np.ceil(count[-1])))
    return np.asarray(np.interp(np.linspace(0.0, count[-1], steps + 1), count, fine))
