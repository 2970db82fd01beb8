"""Where calcium or a stent makes a measured lumen uncertain, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffr.ends import place_of
from ffr.flags import Flag
from meshes.arrays import AnyArray, Floats, Ints
from meshes.tree import CoronaryTree, Unreadable, path_length_mm

HEAVY_DEGREES = 180.0  # of calcium around the lumen: beyond, its edge is a guess
HEAVY_MM = 2.0
STENT_PROBABILITY, STENT_MM = 0.5, 5.0  # stents are 8 to 40 mm long
NARROW_STENT_MM = 3.0  # below, CT does not show the lumen (SCCT; segmentation reference)
GAP_MM = 3.0  # a shorter interruption belongs to it


@dataclass(frozen=True, slots=True)
class StentSeen:
    """A stent as the lumen network sees it.

    Parameters
    ----------
    vessel
        The vessel it lies in.
    first, last
        Its first and last point: indices into the tree.
    start_mm, end_mm
        Path length from the ostium to these points.
    diameter_mm
        Median diameter of the measured lumen in it.
    """

    vessel: str
    first: int
    last: int
    start_mm: float
    end_mm: float
    diameter_mm: float

    @property
    def narrow(self) -> bool:
        """Whether CT does not show its lumen; judged as printed, in tenths."""
        return round(self.diameter_mm, 1) < NARROW_STENT_MM


def stents_seen(coronary: CoronaryTree, stent: Floats) -> tuple[StentSeen, ...]:
    """Return the stents of a tree, vessel by vessel.

    Parameters
    ----------
    coronary
        The named tree.
    stent
        Probability of a stent at each point, shape (n,).
    """
    s = path_length_mm(coronary.tree)
    found = []
    for number, name in enumerate(coronary.names):
        own = np.flatnonzero(coronary.branch == number)
        for first, last in _stretches(own, stent > STENT_PROBABILITY, s, STENT_MM):
            inside = own[(s[own] >= s[first]) & (s[own] <= s[last])]
            wide_mm = 2.0 * float(np.median(coronary.tree.radius_mm[inside]))
            found.append(StentSeen(name, first, last, float(s[first]), float(s[last]), wide_mm))
    return tuple(found)


def wall_flags(
    coronary: CoronaryTree, calcium_arc_deg: Floats, stent: Floats
) -> tuple[Flag, ...]:
    """Return "calcium-heavy", "stent" and "stent-narrow" flags, each where it begins.

    Parameters
    ----------
    coronary
        The named tree.
    calcium_arc_deg
        Arc of calcium around the lumen at each point, shape (n,).
    stent
        Probability of a stent, shape (n,).
    """
    s = path_length_mm(coronary.tree)
    flags = []
    for number, name in enumerate(coronary.names):
        own = np.flatnonzero(coronary.branch == number)
        if not own.size:
            continue
        origin = s[own].min()
        heavy = calcium_arc_deg > HEAVY_DEGREES
        for first, last in _stretches(own, heavy, s, HEAVY_MM):
            where = f"{name}, {s[first] - origin:.0f} to {s[last] - origin:.0f} mm"
            message = (
                f"heavy calcium in the {where} from its origin; the lumen there is a guess"
            )
            flags.append(Flag("calcium-heavy", message, place_of(coronary, first)))
    for seen in stents_seen(coronary, stent):
        name_of = "stent-narrow" if seen.narrow else "stent"
        verdict = "under 3 mm: not analysable" if seen.narrow else "its lumen is uncertain"
        origin = s[coronary.branch == coronary.names.index(seen.vessel)].min()
        start, end = seen.start_mm - origin, seen.end_mm - origin
        message = (
            f"a stent of about {seen.diameter_mm:.1f} mm in the {seen.vessel}, {start:.0f} to "
            f"{end:.0f} mm from its origin; {verdict}"
        )
        flags.append(Flag(name_of, message, place_of(coronary, seen.first)))
    return tuple(flags)


def unreadable_stents(coronary: CoronaryTree, stent: Floats) -> tuple[Unreadable, ...]:
    """Return the stents whose lumen CT does not show, as stretches without FFR."""
    return tuple(
        Unreadable(f"stent of {x.diameter_mm:.1f} mm", x.vessel, x.start_mm, x.end_mm)
        for x in stents_seen(coronary, stent)
        if x.narrow
    )


def _stretches(
    own: Ints, marked: AnyArray, s: Floats, least_mm: float
) -> list[tuple[int, int]]:
    """Return first and last point of each marked stretch of a vessel that is long enough."""
    here = own[marked[own]]
    if not here.size:
        return []
    here = here[np.argsort(s[here])]
    parts = np.split(here, np.flatnonzero(np.diff(s[here]) > GAP_MM) + 1)
    return [(int(p[0]), int(p[-1])) for p in parts if s[p[-1]] - s[p[0]] >= least_mm]
