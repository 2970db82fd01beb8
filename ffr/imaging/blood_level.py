"""How bright is pure blood along a coronary tree?"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from meshes.arrays import AnyArray, Floats, Ints, floats
from meshes.straighten import sampled
from meshes.tree import VesselTree, path_length_mm, path_to, sections
from meshes.volume import Volume

WIDE_MM, WIDE_WIDTHS = 1.2, 1.15  # radius: an unblurred core, within 3 %, in point spreads
DARKEST, BRIGHTEST = 0.5, 1.15  # of the aorta's blood; brighter is calcium or metal
WITHIN_MM = 15.0  # along the vessel
ENOUGH = 10  # wide points nearby: so many count as much as the slope of the whole tree
MOST_FALL_1_MM = 0.004
SMOOTHING_POINTS = 4.0


def local_blood_hu(volume: Volume, tree: VesselTree, blood_hu: float, psf_mm: float) -> Floats:
    """Return the attenuation of pure lumen at each point, shape (n,).

    Where a vessel is wide enough to hold an unblurred core, the median of its axis within
    15 mm up and down the vessel counts, bright points (calcium) left out; where few points
    are, the aorta's blood falling linearly with length, at the tree's own median slope.

    Parameters
    ----------
    volume
        The scan, HU.
    tree
        Centrelines; the radius may be a first guess.
    blood_hu
        Attenuation of the blood in the aorta.
    psf_mm
        Full width at half maximum of the point spread.
    """
    s = path_length_mm(tree)
    hu = sampled(volume, tree.points_mm, outside=np.nan)
    wide = tree.radius_mm > max(WIDE_MM, WIDE_WIDTHS * psf_mm)
    good = np.isfinite(hu) & wide & (hu < BRIGHTEST * blood_hu) & (hu > DARKEST * blood_hu)
    far = good & (s > WITHIN_MM)
    fall = 0.0
    if far.sum() > 2 * ENOUGH:
        slopes = (1 - hu[far] / blood_hu) / s[far]
        fall = float(np.clip(np.median(slopes), 0.0, MOST_FALL_1_MM))
    level = blood_hu * np.maximum(1 - fall * s, DARKEST)
    for run in sections(tree):
        _follow(level, hu, good, s, run, path_to(tree, int(run[0])))
    return floats(level)


def _follow(
    level: Floats, hu: Floats, good: AnyArray, s: Floats, run: Ints, above: Ints
) -> None:
    """Put the level of a run where its own and its mother's wide points say it is."""
    known = np.concatenate([above[:-1], run])
    known = known[good[known] & (s[known] > s[run[0]] - WITHIN_MM)]
    own = run if run[0] == 0 else run[1:]
    told = np.array(level[own])
    for k, point in enumerate(own):
        near = known[np.abs(s[known] - s[point]) < WITHIN_MM]
        if near.size:
            share = near.size / (near.size + ENOUGH)
            told[k] += share * (np.median(hu[near]) - told[k])
    level[own] = gaussian_filter1d(told, SMOOTHING_POINTS, mode="nearest")
