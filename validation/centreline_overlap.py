"""How much of a vessel's centreline was followed, as the Rotterdam challenge counts it?

OV, OF, OT and AI of Schaap et al., Med Image Anal 2009;13:701 (CAT08), section 4: lines are
resampled every 0.03 mm, the found one is cut off at the start of the reference, and each point
is connected to points of the other line, in order, so that the connections together are as
short as can be. A point is right when one of its connections is shorter than the vessel's
radius at the reference's end of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.arrays import AnyArray, Floats, Ints, floats, ints

STEP_MM = 0.03
START_MM = 5.0  # errors before it do not end OF: the challenge's mean diameter at the start
RELEVANT_MM = 0.75  # least radius of what is clinically relevant
DISC_RADII = 2.0  # of the disc that cuts off what lies before the start
TANGENT_MM = 1.0  # over which the direction at the start is taken
LEAST_MM = 0.1  # shorter lines have no direction


@dataclass(frozen=True, slots=True)
class Overlap:
    """One vessel, found beside reference.

    Parameters
    ----------
    overlap_percent
        OV: right points of both lines over all points of both.
    until_error_percent
        OF: right points of the reference before its first wrong one behind 5 mm, over all.
    relevant_percent
        OT: OV up to the last point of the reference with 1.5 mm diameter; None without one.
    inside_mm
        AI: mean length of the connections that are shorter than the radius; None if none is.
    """

    overlap_percent: float
    until_error_percent: float
    relevant_percent: float | None
    inside_mm: float | None


def missed(radius_mm: Floats) -> Overlap:
    """Return what a vessel counts of which nothing was found."""
    return Overlap(0.0, 0.0, 0.0 if (radius_mm >= RELEVANT_MM).any() else None, None)


def overlap(reference_mm: Floats, radius_mm: Floats, found_mm: Floats) -> Overlap:
    """Compare a found centreline with a vessel's reference; both begin at the ostium.

    Parameters
    ----------
    reference_mm, radius_mm
        Reference line, shape (n, 3), and the vessel's radius along it, shape (n,).
    found_mm
        Found line, shape (m, 3).
    """
    line, s = resampled(reference_mm)
    radius = np.interp(s, _along(reference_mm), radius_mm)
    cut = clipped(found_mm, line, float(radius[0]))
    if len(cut) < 2 or _along(cut)[-1] < LEAST_MM:
        return missed(radius)
    other, _ = resampled(cut)
    here, there, length = connections(line, other)
    inside = length < radius[here]
    right = _any_of(here, inside, len(line))
    found_right = _any_of(there, inside, len(other))
    wrong = np.flatnonzero(~right & (s > START_MM))
    before = right[: wrong[0]] if wrong.size else right
    return Overlap(
        overlap_percent=_share(right, found_right),
        until_error_percent=float(100.0 * np.count_nonzero(before) / len(line)),
        relevant_percent=_relevant(radius, here, there, right, found_right),
        inside_mm=float(length[inside].mean()) if inside.any() else None,
    )


def _any_of(of: Ints, inside: AnyArray, count: int) -> AnyArray:
    """Tell the points that have a connection inside."""
    return np.asarray(np.bincount(of, inside, count) > 0)


def _share(right: AnyArray, found_right: AnyArray) -> float:
    both = np.count_nonzero(right) + np.count_nonzero(found_right)
    return float(100.0 * both / (right.size + found_right.size))


def _relevant(
    radius: Floats, here: Ints, there: Ints, right: AnyArray, found_right: AnyArray
) -> float | None:
    """Return OT: only points up to the last wide one, and what is connected to them."""
    wide = np.flatnonzero(radius >= RELEVANT_MM)
    if not wide.size:
        return None
    last = int(wide[-1])
    connected = np.unique(there[here <= last])
    return _share(right[: last + 1], found_right[connected])


def _along(line_mm: Floats) -> Floats:
    """Return the path length from the start to each point."""
    each = np.linalg.norm(np.diff(line_mm, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(each)])


def resampled(line_mm: Floats) -> tuple[Floats, Floats]:
    """Return points of a line every 0.03 mm, shape (n, 3), and their path length."""
    s = _along(line_mm)
    at = np.arange(0.0, s[-1] + 1e-9, STEP_MM)
    points = np.column_stack([np.interp(at, s, line_mm[:, axis]) for axis in range(3)])
    return floats(points), floats(at)


def clipped(found_mm: Floats, reference_mm: Floats, radius_mm: float) -> Floats:
    """Return a found line from where it first crosses the start of the reference.

    The start is a disc across the reference, twice as wide as the vessel. A line that does
    not cross it begins further on, and stays as it is.
    """
    start = reference_mm[0]
    behind = min(round(TANGENT_MM / STEP_MM), len(reference_mm) - 1)
    tangent = reference_mm[behind] - start
    height = (found_mm - start) @ (tangent / np.linalg.norm(tangent))
    for k in np.flatnonzero(height[:-1] * height[1:] <= 0):
        rise = height[k + 1] - height[k]
        part = -height[k] / rise if rise else 0.0
        crossing = found_mm[k] + part * (found_mm[k + 1] - found_mm[k])
        if np.linalg.norm(crossing - start) <= DISC_RADII * radius_mm:
            rest = found_mm[k + 1 :] if part < 1.0 else found_mm[k + 2 :]
            return floats(np.vstack([crossing, rest]))
    return found_mm


def connections(reference_mm: Floats, found_mm: Floats) -> tuple[Ints, Ints, Floats]:
    """Connect the points of two lines in order, all connections together least long.

    From one connection to the next, one line goes on by a point and the other waits; the
    first and the last join the lines' ends. The least sum is found along the diagonals of
    the table of all pairs.

    Returns
    -------
    here, there, length_mm
        Point of the reference and of the found line, and length, of each connection, (n+m-1,).
    """
    n, m = len(reference_mm), len(found_mm)
    backwards = found_mm[::-1]
    least = np.full(n + 1, np.inf)  # of the diagonal before, by reference point + 1
    advanced: list[AnyArray] = []  # whether the reference went on, by diagonal
    for k in range(n + m - 1):
        low, high = max(0, k - m + 1), min(k, n - 1) + 1
        first = m - 1 - k + low
        gap = reference_mm[low:high] - backwards[first : first + high - low]
        length = np.sqrt(np.einsum("ij,ij->i", gap, gap))
        on, waits = least[low:high], least[low + 1 : high + 1]
        advanced.append(on <= waits)
        best = np.minimum(on, waits) if k else np.zeros(1)
        least = np.full(n + 1, np.inf)
        least[low + 1 : high + 1] = best + length
    here = np.empty(n + m - 1, dtype=np.int64)
    a = n - 1
    for k in range(n + m - 2, -1, -1):
        here[k] = a
        a -= int(advanced[k][a - max(0, k - m + 1)])
    there = np.arange(n + m - 1) - here
    length = np.linalg.norm(reference_mm[here] - found_mm[there], axis=1)
    return ints(here), ints(there), floats(length)
