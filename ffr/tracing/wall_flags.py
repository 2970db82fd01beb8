"""Where calcium or a stent makes a measured lumen uncertain, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ffr.flags import Flag
from ffr.tracing.ends import place_of
from ffr.tracing.stents import Stent, long_stretches
from meshes.arrays import Floats
from meshes.tree import CoronaryTree, Unreadable, path_length_mm

HEAVY_DEGREES = 180.0  # of calcium around the lumen: beyond, its edge is a guess
HEAVY_MM = 2.0


def wall_flags(
    coronary: CoronaryTree, calcium_arc_deg: Floats, stents: Sequence[Stent]
) -> tuple[Flag, ...]:
    """Return "calcium-heavy", "stent" and "stent-narrow" flags, each where it begins.

    Parameters
    ----------
    coronary
        The named tree.
    calcium_arc_deg
        Arc of calcium around the lumen at each point, shape (n,).
    stents
        Those that were found in it.
    """
    s = path_length_mm(coronary.tree)
    heavy = np.array(calcium_arc_deg > HEAVY_DEGREES)
    for stent in stents:  # its metal is no calcium
        number = coronary.names.index(stent.vessel)
        near = (s >= stent.start_mm - HEAVY_MM) & (s <= stent.end_mm + HEAVY_MM)
        heavy[near & (coronary.branch == number)] = False
    flags = []
    for number, name in enumerate(coronary.names):
        own = np.flatnonzero(coronary.branch == number)
        for first, last in long_stretches(own, heavy, s, HEAVY_MM):
            where = _where(coronary, name, float(s[first]), float(s[last]))
            message = f"heavy calcium in the {where}; the lumen there is a guess"
            flags.append(Flag("calcium-heavy", message, place_of(coronary, first)))
        for stent in (x for x in stents if x.vessel == name):
            verdict = "under 3 mm: not analysable" if stent.narrow else "its lumen is uncertain"
            where = _where(coronary, name, stent.start_mm, stent.end_mm)
            message = f"a stent of about {stent.diameter_mm:.1f} mm in the {where}; {verdict}"
            name_of = "stent-narrow" if stent.narrow else "stent"
            flags.append(Flag(name_of, message, place_of(coronary, stent.first)))
    return tuple(flags)


def _where(coronary: CoronaryTree, vessel: str, start_mm: float, end_mm: float) -> str:
    own = coronary.branch == coronary.names.index(vessel)
    origin = float(path_length_mm(coronary.tree)[own].min())
    return f"{vessel}, {start_mm - origin:.0f} to {end_mm - origin:.0f} mm from its origin"


def unreadable_stents(stents: Sequence[Stent]) -> tuple[Unreadable, ...]:
    """Return the stents whose lumen CT does not show, as stretches without FFR."""
    return tuple(
        Unreadable(f"stent of {x.diameter_mm:.1f} mm", x.vessel, x.start_mm, x.end_mm)
        for x in stents
        if x.narrow
    )
