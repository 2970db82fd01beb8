"""Is the pressure of a vessel lost at one place, or all along it? The PPG index says."""

from __future__ import annotations

import numpy as np

from ffr.results.result import ffr_rounded
from meshes.arrays import AnyArray, Floats, Ints
from meshes.tree import CoronaryTree, path_length_mm, path_to

WINDOW_MM = 20.0  # Collet 2019
DROP_PER_MM = 0.0015  # what loses so much FFR is diseased: Collet 2019, from memory
HIGHEST = 0.80  # the index was defined in vessels with a distal FFR of 0.80 or below
VESSELS = ("LAD", "LCx", "RCA")
NOT_DEFINED = "defined for LAD, LCx and RCA; the left main is part of the first two"
INCOMPLETE = "the FFR of part of the vessel is not known"
TOO_HIGH = "defined where the vessel ends with FFR 0.80 or below"
TOO_SHORT = "fewer than 20 mm of vessel were analysed"


def largest_drop(s_mm: Floats, ffr: Floats) -> tuple[float, float]:
    """Return the largest fall of FFR within 20 mm, and where those 20 mm begin, mm.

    FFR is taken as linear between the points, so that a window need only begin or end at one.

    Parameters
    ----------
    s_mm, ffr
        Path length, rising, and FFR along a vessel, shape (n,).
    """
    last = s_mm[-1] - WINDOW_MM
    starts = np.clip(np.concatenate([s_mm, s_mm - WINDOW_MM]), s_mm[0], max(last, s_mm[0]))
    falls = np.interp(starts, s_mm, ffr) - np.interp(starts + WINDOW_MM, s_mm, ffr)
    best = int(np.argmax(falls))
    return float(falls[best]), float(starts[best])


def pullback_pressure_gradient(s_mm: Floats, ffr: Floats) -> float:
    """Return the PPG index: 0 where pressure is lost evenly, 1 where it is lost at one place.

    {largest fall within 20 mm / fall along the vessel + (1 - length with a fall / length of
    the vessel)} / 2; length counts where FFR falls by 0.0015 per mm or more (Collet 2019,
    J Am Coll Cardiol 74:1772). Where pressure is recovered behind a stenosis the first term
    could exceed 1: it is cut there.

    Parameters
    ----------
    s_mm, ffr
        Path length, rising, and FFR from the ostium to the end of the vessel, shape (n,);
        FFR must fall.
    """
    steps, falls = np.diff(s_mm), -np.diff(ffr)
    whole = float(ffr[0] - ffr[-1])
    share = min(largest_drop(s_mm, ffr)[0] / whole, 1.0)
    # rounding must not decide about a straight line of just that slope
    diseased = float(steps[falls >= DROP_PER_MM * steps * (1.0 - 1e-9)].sum())
    return 0.5 * (share + 1.0 - diseased / float(s_mm[-1] - s_mm[0]))


def pullback_points(coronary: CoronaryTree, branch: int, analysed: AnyArray) -> Ints:
    """Return the points from the ostium to the farthest analysed point of a vessel.

    Shape (m,); empty where nothing of the vessel was analysed.
    """
    own = np.flatnonzero((coronary.branch == branch) & np.asarray(analysed, dtype=bool))
    if not own.size:
        return own
    s_mm = path_length_mm(coronary.tree)
    return path_to(coronary.tree, int(own[np.argmax(s_mm[own])]))


def ppg_of_vessel(
    coronary: CoronaryTree, branch: int, ffr: Floats, analysed: AnyArray, *, complete: bool
) -> tuple[float | None, str | None]:
    """Return the PPG index of a vessel, or why it has none.

    Parameters
    ----------
    coronary, branch
        The tree and the number of the vessel in it.
    ffr, analysed
        FFR at each point and True where it may be shown, shape (n,).
    complete
        False: part of the vessel that is wide enough has no FFR, for it is closed or unseen.
    """
    if coronary.names[branch] not in VESSELS:
        return None, NOT_DEFINED
    points = pullback_points(coronary, branch, analysed)
    if not complete or not points.size or not np.all(np.asarray(analysed)[points]):
        return None, INCOMPLETE
    s_mm = path_length_mm(coronary.tree)[points]
    if s_mm[-1] < WINDOW_MM:
        return None, TOO_SHORT
    if ffr_rounded(float(ffr[points[-1]])) > HIGHEST:
        return None, TOO_HIGH
    return pullback_pressure_gradient(s_mm, ffr[points]), None
