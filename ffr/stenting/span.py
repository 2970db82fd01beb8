"""What would the coronary trees look like with a stent in them?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ffr.errors import ConfigError
from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.stenosis import ANALYSED_DIAMETER_MM, analysed
from meshes.tree import CoronaryTree, Unreadable, child_count, path_length_mm, path_to
from solvers.occlusion import occluded
from solvers.unreadable import cause, within

PLAUSIBLE_MM = (1.5, 6.0)  # stents are 2 to 5 mm wide; the largest are opened to 6 mm
STENT_SD_PERCENT = 5.0  # of the stented radius: assumed, it is a plan and no measurement
OVERSIZED = 1.25  # stent over healthy vessel; 1.0 to 1.2 is usual
UNDERSIZED = 0.9  # stent over lumen; less does not touch the wall
EDGE_MM = 1e-6  # rounding of a path length that was read off a result


@dataclass(frozen=True, slots=True)
class Stent:
    """A stent that might be put in.

    Parameters
    ----------
    vessel
        The vessel in which it ends; it may begin upstream of it.
    from_mm, to_mm
        Path length from the ostium to its two ends.
    diameter_mm
        Lumen diameter that it is opened to at its far end; None: the healthy reference all
        along.
    """

    vessel: str
    from_mm: float
    to_mm: float
    diameter_mm: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A stent in its tree.

    Parameters
    ----------
    which
        Number of the tree.
    points
        The points that it covers, from its upstream end, (k,).
    radius_mm
        Lumen radius that it is opened to there, (k,).
    """

    which: int
    points: Ints
    radius_mm: Floats


def stented(trees: Sequence[CoronaryTree], *stents: Stent) -> tuple[CoronaryTree, ...]:
    """Return the trees with stents in them; the order of the stents makes no difference.

    Inside a stent the lumen is round and as wide as the stent, but nowhere narrower than it
    was: a stent does not pull the wall inwards. Its radius has a spread of its own. A possible
    occlusion that it covers is open and readable; an occlusion that it covers is open.

    Raises
    ------
    ConfigError
        A stent that does not fit: see `placed`.
    """
    found = [placed(trees, stent) for stent in stents]
    made = list(trees)
    for one in found:
        made[one.which] = _with(made[one.which], one)
    for stent, one in zip(stents, found, strict=True):
        _check_flow(made[one.which], stent, one)
    return tuple(made)


def placed(trees: Sequence[CoronaryTree], stent: Stent) -> Placed:
    """Return where a stent lies and how wide it is.

    A given diameter is that of its far end. Upstream of a bifurcation that it crosses it is
    wider by as much as the healthy reference steps there, but not for that wider than the
    reference: stents are chosen by the distal calibre and their proximal part is opened to its
    own (Burzotta et al., EuroIntervention 2021, 10.4244/EIJ-D-20-00169).

    Raises
    ------
    ConfigError
        A vessel that is not there, a span that is empty, outside the vessel, in too small a
        vessel or over a stretch that cannot be read, a diameter that no stent has.
    """
    which = _tree_of(trees, stent)
    c = trees[which]
    _check_words(stent)
    way, s = _way(c, stent.vessel)
    own = way[c.branch[way] == c.names.index(stent.vessel)]
    if stent.to_mm > s[way[-1]] + EDGE_MM or stent.to_mm < s[own[0]] - EDGE_MM:
        message = (
            f"the span from {stent.from_mm:g} to {stent.to_mm:g} mm does not end in the "
            f"{stent.vessel}, which runs from {s[own[0]]:.1f} to {s[way[-1]]:.1f} mm"
        )
        raise ConfigError(message)
    points = way[(s[way] >= stent.from_mm - EDGE_MM) & (s[way] <= stent.to_mm + EDGE_MM)]
    if points.size < 2:
        message = (
            f"the span from {stent.from_mm:g} to {stent.to_mm:g} mm is shorter than the tree's "
            "points are apart; give a longer one"
        )
        raise ConfigError(message)
    if not analysed(c.tree, c.reference_radius_mm)[points].all():
        message = (
            f"the span from {stent.from_mm:g} to {stent.to_mm:g} mm reaches where the healthy "
            f"{stent.vessel} is under {ANALYSED_DIAMETER_MM:g} mm wide; end it before"
        )
        raise ConfigError(message)
    _check_readable(c, stent, points)
    return Placed(which, points, _radius_mm(c, stent, points))


def _tree_of(trees: Sequence[CoronaryTree], stent: Stent) -> int:
    for t, c in enumerate(trees):
        if stent.vessel in c.names and np.any(c.branch == c.names.index(stent.vessel)):
            return t
    known = ", ".join(c.names[k] for c in trees for k in np.unique(c.branch))
    # the name is not repeated: a stray path may stand in its place
    raise ConfigError(f"--vessel names none of this run's vessels, which are {known}")


def _check_words(stent: Stent) -> None:
    ends = (stent.from_mm, stent.to_mm)
    if not all(map(math.isfinite, ends)) or ends[0] < 0 or ends[0] >= ends[1]:
        message = (
            f"the span from {ends[0]:g} to {ends[1]:g} mm is none; --from-mm must be 0 or more "
            "and less than --to-mm"
        )
        raise ConfigError(message)
    low, high = PLAUSIBLE_MM
    if stent.diameter_mm is not None and not low <= stent.diameter_mm <= high:
        message = (
            f"a stent {stent.diameter_mm:g} mm wide is not plausible; --diameter-mm must be "
            f"{low:g} to {high:g}"
        )
        raise ConfigError(message)


def _way(c: CoronaryTree, vessel: str) -> tuple[Ints, Floats]:
    """Return the points from the ostium to the end of a vessel, and path lengths of all."""
    s = path_length_mm(c.tree)
    own = np.flatnonzero(c.branch == c.names.index(vessel))
    return path_to(c.tree, int(own[np.argmax(s[own])])), s


def _check_readable(c: CoronaryTree, stent: Stent, points: Ints) -> None:
    """Refuse a span in or behind a stretch that stays unreadable under the stent."""
    why = cause(dataclasses.replace(c, unreadable=_still_unreadable(c, points)), points)
    if why is not None:
        message = (
            f"the {stent.vessel} from {stent.from_mm:g} to {stent.to_mm:g} mm is {why}; "
            "what a stent changes there cannot be told"
        )
        raise ConfigError(message)


def _still_unreadable(c: CoronaryTree, points: Ints) -> tuple[Unreadable, ...]:
    """Return the stretches that a stent over `points` leaves unreadable.

    Of a possible occlusion only the lumen is unknown, and the stent sets it. In a stent that
    is there already, the lumen is not shown: what a second one does is not known.
    """
    covered = np.zeros(len(c.tree), dtype=bool)
    covered[points] = True
    left = []
    for stretch in c.unreadable:
        inside = within(dataclasses.replace(c, unreadable=(stretch,)))
        if not stretch.measured or not covered[inside].all():
            left.append(stretch)
    return tuple(left)


def _radius_mm(c: CoronaryTree, stent: Stent, points: Ints) -> Floats:
    reference = c.reference_radius_mm[points]
    if stent.diameter_mm is None:
        return floats(reference)
    steps = np.ones(points.size)
    forks = np.flatnonzero(child_count(c.tree)[points[:-1]] > 1)
    steps[forks] = np.maximum(reference[forks] / reference[forks + 1], 1.0)
    wider = np.cumprod(steps[::-1])[::-1]
    own = stent.diameter_mm / 2.0
    return floats(np.minimum(own * wider, np.maximum(own, reference)))


def _with(c: CoronaryTree, one: Placed) -> CoronaryTree:
    wider = one.radius_mm > c.tree.radius_mm[one.points]
    points, new = one.points[wider], one.radius_mm[wider]
    left = _still_unreadable(c, one.points)
    if not points.size:
        return dataclasses.replace(c, unreadable=left)
    radius, sd = c.tree.radius_mm.copy(), c.radius_sd_mm.copy()
    radius[points], sd[points] = new, STENT_SD_PERCENT / 100.0 * new
    contours = c.contours
    if contours is not None:
        rays = contours.radius_mm.copy()
        rays[points] = new[:, None]
        contours = dataclasses.replace(contours, radius_mm=floats(rays))
    return dataclasses.replace(
        c,
        tree=dataclasses.replace(c.tree, radius_mm=floats(radius)),
        radius_sd_mm=floats(sd),
        contours=contours,
        unreadable=left,
    )


def _check_flow(c: CoronaryTree, stent: Stent, one: Placed) -> None:
    if occluded(c.tree)[one.points].any():
        message = (
            f"the {stent.vessel} at {stent.from_mm:g} mm lies behind an occlusion that the "
            "stent does not cover; begin before it"
        )
        raise ConfigError(message)


def misfits(trees: Sequence[CoronaryTree], stent: Stent) -> tuple[str, ...]:
    """Return warnings of a given diameter that is far from the vessel's, one line each."""
    if stent.diameter_mm is None:
        return ()
    one = placed(trees, stent)
    c = trees[one.which]
    over = float((one.radius_mm / c.reference_radius_mm[one.points]).max())
    under = float((one.radius_mm / c.tree.radius_mm[one.points]).min())
    found = []
    if over > OVERSIZED:
        found.append(
            f"the stent is up to {100 * (over - 1):.0f} % wider than the healthy vessel"
        )
    if under < UNDERSIZED:
        found.append(
            f"the stent is up to {100 * (1 - under):.0f} % narrower than the lumen; there the "
            "lumen stays as it is, and the stent would not touch the wall"
        )
    return tuple(found)


def inside(trees: Sequence[CoronaryTree], stents: Sequence[Stent]) -> tuple[AnyArray, ...]:
    """Return, per tree, True at the points that stents cover, (n,)."""
    found = tuple(np.zeros(len(c.tree), dtype=bool) for c in trees)
    for stent in stents:
        one = placed(trees, stent)
        found[one.which][one.points] = True
    return found
