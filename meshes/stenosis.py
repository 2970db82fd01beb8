"""Which stretches of a tree fall short of their healthy width, and by how much?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meshes.arrays import Floats, Ints
from meshes.errors import GeometryError
from meshes.tree import VesselTree, path_length_mm, sections

NARROWED_PERCENT = 20.0  # diameter stenosis at which a lesion begins and ends
REPORTED_PERCENT = 25.0  # mildest grade above minimal, CAD-RADS 2.0 (Cury 2022)
SHORTEST_MM = 3.0  # a shorter narrowing is noise; so is a shorter gap in one
ANALYSED_DIAMETER_MM = 1.5  # CAD-RADS 2.0 grades vessels above it (Cury 2022)
SMOOTHING_MM = 1.5  # half-width of the fits that look through the noise of the radius


@dataclass(frozen=True, slots=True)
class Lesion:
    """One stenosis: a contiguous stretch of narrowed lumen along one path of a tree.

    Parameters
    ----------
    start, throat, end
        Point indices: first narrowed point, narrowest point relative to its healthy
        width, last narrowed point.
    length_mm
        Path length from start to end.
    minimal_diameter_mm, reference_diameter_mm
        Lumen diameter at the throat; healthy diameter there.
    minimal_lumen_area_mm2
        Lumen area at the throat.
    diameter_stenosis_percent, area_stenosis_percent
        100 (1 - D/D_ref) and 100 (1 - A/A_ref) at the throat.
    """

    start: int
    throat: int
    end: int
    length_mm: float
    minimal_diameter_mm: float
    reference_diameter_mm: float
    minimal_lumen_area_mm2: float
    diameter_stenosis_percent: float
    area_stenosis_percent: float


def analysed(tree: VesselTree, reference_radius_mm: Floats) -> NDArray[np.bool_]:
    """Tell the points whose vessel is wide enough to be judged, shape (n,).

    From the inlet to where the healthy diameter first falls below 1.5 mm; nothing beyond
    such a point is analysed, however wide.
    """
    _check(tree, reference_radius_mm)
    wide = 2.0 * reference_radius_mm >= ANALYSED_DIAMETER_MM
    for i in range(1, len(tree)):
        wide[i] &= wide[tree.parent[i]]
    return np.asarray(wide)


def find_lesions(
    tree: VesselTree, reference_radius_mm: Floats, reported_percent: float = REPORTED_PERCENT
) -> tuple[Lesion, ...]:
    """Find the stenoses of a tree, most upstream first.

    A lesion is a stretch of more than 3 mm of analysed vessel in which the diameter falls
    more than 20 % short of its reference, gaps of up to 3 mm included, and more than
    `reported_percent` at its throat. It runs along one path: at a bifurcation, along the
    one it narrows most; what it leaves of the other is a lesion of its own if long enough.
    No point belongs to two lesions.

    The extent comes from a running median of the radius over 3 mm, the size at the throat
    from a parabola through it, so that the noise of single radii is not taken for a
    minimum: `minimal_lumen_area_mm2` may differ from pi times the throat's radius squared.

    Raises
    ------
    GeometryError
        A reference that does not fit the tree or is not positive.
    """
    allowed = analysed(tree, reference_radius_mm)
    share = tree.radius_mm / reference_radius_mm
    windows = _windows(tree)
    shortfall = 100.0 * (1.0 - _medians(windows, share))
    narrowed = _gaps_closed(tree, (shortfall > NARROWED_PERCENT) & allowed) & allowed
    throat_share = _parabolas(windows, path_length_mm(tree), share, np.flatnonzero(narrowed))
    found = []
    for stretch in _stretches(tree, narrowed, shortfall):
        lesion = _lesion(tree, reference_radius_mm, throat_share, stretch)
        long_enough = lesion.length_mm > SHORTEST_MM
        if long_enough and lesion.diameter_stenosis_percent > reported_percent:
            found.append(lesion)
    return tuple(sorted(found, key=lambda lesion: lesion.start))


def distal_point(
    tree: VesselTree, reference_radius_mm: Floats, lesion: Lesion, distance_mm: float = 20.0
) -> tuple[int, float]:
    """Return the point `distance_mm` downstream of a lesion, and the distance really used.

    FFR is read 10 to 20 mm below the lower border of a stenosis, not at the vessel's tip
    (recommendation on reporting, PMC7977999). At bifurcations the way follows the daughter
    that is the wider one when healthy; it ends where the analysed vessel ends.
    """
    allowed = analysed(tree, reference_radius_mm)
    s_mm = path_length_mm(tree)
    goal = s_mm[lesion.end] + distance_mm
    here = lesion.end
    while s_mm[here] < goal:
        ahead = np.flatnonzero((tree.parent == here) & allowed)
        if not ahead.size:
            break
        ahead_point = int(ahead[np.argmax(reference_radius_mm[ahead])])
        if s_mm[ahead_point] - goal > goal - s_mm[here]:
            break  # this point is nearer to the goal than the next
        here = ahead_point
    return here, float(s_mm[here] - s_mm[lesion.end])


def _check(tree: VesselTree, reference_radius_mm: Floats) -> None:
    if reference_radius_mm.shape != (len(tree),):
        message = (
            f"reference_radius_mm has shape {reference_radius_mm.shape}, "
            f"the tree has {len(tree)} points"
        )
        raise GeometryError(message)
    if not np.all(reference_radius_mm > 0):
        bad = int(np.flatnonzero(~(reference_radius_mm > 0))[0])
        message = (
            f"reference_radius_mm at point {bad} is {reference_radius_mm[bad]:g}, "
            "must be positive"
        )
        raise GeometryError(message)


class _Windows(NamedTuple):
    """The points within reach of each point of a tree, on its own section.

    Windows end at bifurcations, where the lumen is shared and its radius means little.

    Parameters
    ----------
    order
        Points, section by section, (n,).
    first, after
        Per point, the part of `order` that is near it, (n,).
    """

    order: Ints
    first: Ints
    after: Ints


def _windows(tree: VesselTree) -> _Windows:
    s_mm = path_length_mm(tree)
    first, after = np.zeros((2, len(tree)), dtype=np.int64)
    order = [np.zeros(0, dtype=np.int64)]
    begin = 0
    for run in sections(tree):
        own = run if run[0] == 0 else run[1:]
        s = s_mm[own]
        first[own] = begin + np.searchsorted(s, s - SMOOTHING_MM - 1e-9)
        after[own] = begin + np.searchsorted(s, s + SMOOTHING_MM + 1e-9)
        order.append(own)
        begin += own.size
    return _Windows(np.concatenate(order), first, after)


def _medians(windows: _Windows, values: Floats) -> Floats:
    """Return the median in the window of each point, all windows of one size at once."""
    result = np.array(values)
    size = windows.after - windows.first
    for count in np.unique(size[size > 0]):
        points = np.flatnonzero(size == count)
        near = windows.order[windows.first[points, None] + np.arange(count)]
        result[points] = np.median(values[near], axis=1)
    return result


def _parabolas(windows: _Windows, s_mm: Floats, values: Floats, points: Ints) -> Floats:
    """Return values with those of some points taken from a parabola through their windows."""
    result = np.array(values)
    for point in points:
        near = windows.order[windows.first[point] : windows.after[point]]
        if near.size:
            result[point] = _parabola(s_mm[near] - s_mm[point], values[near])
    return result


def _parabola(distance: Floats, values: Floats) -> float:
    """Least squares parabola at distance 0, never below all the values (Savitzky 1964)."""
    if values.size < 5:
        return float(values[np.argmin(np.abs(distance))])
    powers = np.stack([np.ones_like(distance), distance, distance**2], axis=1)
    fitted = np.linalg.lstsq(powers, values, rcond=None)[0][0]
    return float(max(fitted, values.min()))


def _gaps_closed(tree: VesselTree, narrowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Join narrowed points that lie at most 3 mm apart on one path."""
    s_mm = path_length_mm(tree)
    closed = narrowed.copy()
    for point in np.flatnonzero(narrowed):
        above = tree.parent[point]
        while above >= 0 and not narrowed[above] and s_mm[point] - s_mm[above] <= SHORTEST_MM:
            above = tree.parent[above]
        if above >= 0 and narrowed[above] and s_mm[point] - s_mm[above] <= SHORTEST_MM:
            between = tree.parent[point]
            while between != above:
                closed[between] = True
                between = tree.parent[between]
    return closed


def _stretches(
    tree: VesselTree, narrowed: NDArray[np.bool_], shortfall: Floats
) -> Iterator[Ints]:
    """Split the narrowed points into unbranched stretches, the worst one first."""
    left = narrowed.copy()
    while np.any(left):
        peak = np.where(left, shortfall, -np.inf)  # worst of each point and all below it
        heir = np.full(len(tree), -1)  # the child on the way to it
        for point in np.flatnonzero(left)[::-1]:
            above = tree.parent[point]
            if above >= 0 and left[above]:
                if heir[above] < 0 or peak[point] > peak[heir[above]]:
                    heir[above] = point
                peak[above] = max(peak[above], peak[point])
        path = [int(np.argmax(np.where(left, shortfall, -np.inf)))]
        while tree.parent[path[0]] >= 0 and left[tree.parent[path[0]]]:
            path.insert(0, int(tree.parent[path[0]]))
        while heir[path[-1]] >= 0:
            path.append(int(heir[path[-1]]))
        left[path] = False
        yield np.array(path, dtype=np.int64)


def _lesion(
    tree: VesselTree, reference_radius_mm: Floats, share: Floats, stretch: Ints
) -> Lesion:
    s_mm = path_length_mm(tree)
    throat = int(stretch[np.argmin(share[stretch])])
    reference = float(reference_radius_mm[throat])
    radius = float(share[throat]) * reference
    return Lesion(
        start=int(stretch[0]),
        throat=throat,
        end=int(stretch[-1]),
        length_mm=float(s_mm[stretch[-1]] - s_mm[stretch[0]]),
        minimal_diameter_mm=2.0 * radius,
        reference_diameter_mm=2.0 * reference,
        minimal_lumen_area_mm2=float(np.pi * radius**2),
        diameter_stenosis_percent=100.0 * (1.0 - radius / reference),
        area_stenosis_percent=100.0 * (1.0 - (radius / reference) ** 2),
    )
