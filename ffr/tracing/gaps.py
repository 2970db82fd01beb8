"""Which bridged gaps may be occlusions? Those in which no open lumen is measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ffr.flags import Flag
from meshes.arrays import Floats, Ints
from meshes.tree import CoronaryTree, Unreadable, path_length_mm

NAME = "gap-bridged"
REASON = "possible occlusion"
ONE_SIDED_95 = 1.645
CLOSED_MM = 0.15  # radius: in a vessel of 3 mm 90 % narrowed, which CT cannot tell from closed
GAP_OVER_MM = 6.0  # to either side of a gap's middle its narrowest place is looked for
NARROW = 0.5  # of the healthy radius: about the throat the stretch goes on so far
NEAR_MM = 3.0  # the measured course runs so near to the gap that was bridged


def possible_occlusions(
    coronary: CoronaryTree, bridged: Sequence[Flag]
) -> tuple[Unreadable, ...]:
    """Return the bridged gaps whose lumen cannot be told from closed.

    A gap in the vessel map is a tight stenosis, an artefact or an occlusion. Where the radius
    less its error (one-sided 95 %) leaves an open lumen it is a stenosis, and has an FFR.

    Parameters
    ----------
    coronary
        The named tree, measured.
    bridged
        Flags of the tracing; those named "gap-bridged" hold the gap's middle.

    Returns
    -------
    stretches
        From where the vessel falls under half its healthy width to where it is wider again.
        The flow through them is that of the measured lumen.
    """
    s = path_length_mm(coronary.tree)
    least = coronary.tree.radius_mm - ONE_SIDED_95 * coronary.radius_sd_mm
    found: dict[tuple[int, int], Unreadable] = {}
    for flag in bridged:
        own = _around(coronary, flag, s)
        if own.size and least[own].min() < CLOSED_MM:
            run = _narrow_run(coronary, s, int(own[np.argmin(least[own])]))
            name = coronary.names[coronary.branch[run[0]]]
            ends = float(s[run[0]]), float(s[run[-1]])
            found[int(run[0]), int(run[-1])] = Unreadable(REASON, name, *ends, measured=True)
    return tuple(found[key] for key in sorted(found))


def _around(coronary: CoronaryTree, flag: Flag, s_mm: Floats) -> Ints:
    """Points of the gap's vessel about its middle; none where the gap was cut off."""
    if flag.name != NAME or flag.place is None or flag.place.side != coronary.side:
        return np.zeros(0, dtype=np.int64)
    away = np.linalg.norm(coronary.tree.points_mm - np.array(flag.place.point_mm), axis=1)
    middle = int(away.argmin())
    if away[middle] > NEAR_MM:
        return np.zeros(0, dtype=np.int64)
    near = np.abs(s_mm - s_mm[middle]) <= GAP_OVER_MM
    return np.flatnonzero(near & (coronary.branch == coronary.branch[middle]))


def _narrow_run(coronary: CoronaryTree, s_mm: Floats, throat: int) -> Ints:
    """Points of the vessel about its throat that are under half the healthy width."""
    own = np.flatnonzero(coronary.branch == coronary.branch[throat])
    own = own[np.argsort(s_mm[own])]
    wide = coronary.tree.radius_mm[own] >= NARROW * coronary.reference_radius_mm[own]
    at = int(np.flatnonzero(own == throat)[0])
    before, after = np.flatnonzero(wide[:at]), np.flatnonzero(wide[at + 1 :])
    first = before[-1] + 1 if before.size else 0
    last = at + after[0] if after.size else len(own) - 1
    return np.asarray(own[min(first, at) : last + 1])
