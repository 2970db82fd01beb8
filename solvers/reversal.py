"""Where along a vessel the flow reverses, so that all terms must be solved."""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats
from solvers.kernels.thin_layer import march
from solvers.stations import Line

PLATEAU_RADII = 30.0  # length of a narrow lumen whose entry still matters
BEFORE_RADII = 2.0  # a stretch starts this far above the narrowing
BEHIND_DIAMETERS = 6.0  # and reaches this far where no march tells better
MARGIN = 0.3  # longer than the march says: as good as 1.0 to 0.04 mmHg in 19 of 20 hearts, and
TAIL = 8  # stations at the end of a stretch that must flow forward


def above_narrowing(line: Line, last: int) -> int:
    """Return the station above the narrowing that sheds the jet reversing at `last`."""
    x, radius = line.x_m, line.radius_m
    near = int(np.searchsorted(x, x[last] - 6.0 * radius[last]))
    throat = near + int(np.argmin(radius[near : last + 1]))
    plateau = x[throat] - PLATEAU_RADII * radius[throat]  # a long one begins with a shoulder
    while throat > 0 and x[throat] > plateau and radius[throat - 1] <= 1.05 * radius[throat]:
        throat -= 1
    near = int(np.searchsorted(x, x[throat] - 10.0 * radius[last]))
    wide = np.flatnonzero(radius[near : throat + 1] >= 0.98 * radius[near : throat + 1].max())
    first = near + int(wide[-1])
    start = x[first] - BEFORE_RADII * radius[first]
    return max(0, int(np.searchsorted(x, start, side="right")) - 1)


def behind(line: Line, last: int) -> int:
    """Return the station up to which the reversal at `last` may reach, by rule of thumb."""
    reach = line.x_m[last] + BEHIND_DIAMETERS * 2.0 * line.radius_m[last]
    return int(min(np.searchsorted(line.x_m, reach), line.x_m.size - 1))


def marched(part: Line, psi: Floats) -> bool:
    """Fill psi by a march that does not stop where the flow reverses; True if it arrived."""
    gradient = np.zeros(part.x_m.size)
    last, done = march(
        part.x_m, part.radius_m, part.face, part.viscosity_m2_s, part.flow_m3_s, 0, np.inf,
        psi, gradient,
    )  # fmt: skip
    return bool(done) and last == part.x_m.size - 1 and bool(np.isfinite(psi).all())


def reach(line: Line, psi: Floats, first: int, seen: int) -> int:
    """Return where a stretch from `first` can end: behind the reversal that a march shows.

    That march finds its length well, though not the pressure. A reversal further down
    belongs to the stretch if its narrowing begins before it has ended; one that was seen at
    the station `seen` always does.
    """
    back = first + np.flatnonzero((np.diff(psi[first:], axis=1) < 0.0).any(axis=1))
    last = line.x_m.size - 1
    end = min(last, seen + TAIL)
    for zone in np.split(back, np.flatnonzero(np.diff(back) > 1) + 1) if back.size else ():
        if zone[0] > max(back[0], seen) and above_narrowing(line, int(zone[0])) > end:
            break
        end = max(end, int(min(last, zone[-1] + TAIL + 2 + MARGIN * (zone[-1] - first))))
    return end
