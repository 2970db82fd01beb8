"""How flow divides at bifurcations when only calibres are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from meshes.arrays import Floats, Ints, floats
from meshes.tree import VesselTree, child_count, outlets, sections, segment_length_mm
from solvers.kernels.split import calibres, shares

SPLIT_EXPONENT = 7.0 / 3.0  # flow ~ diameter^(7/3): Kassab (2006), Huo & Kassab (2009)
CALIBRE_LENGTH_MM = 10.0  # a vessel's calibre is the median over so much of its start


def flow_shares(
    tree: VesselTree, radius_mm: ArrayLike, exponent: float = SPLIT_EXPONENT
) -> Floats:
    """Return the share of the inlet's flow that arrives at each point, shape (n,).

    At each bifurcation the daughters share the mother's flow in proportion to
    radius^exponent, from the inlet down to the outlets.

    Parameters
    ----------
    tree
        The vessels.
    radius_mm
        Radius to split by (healthy reference where known), shape (n,).
    exponent
        7/3 by default (Kassab, American Journal of Physiology 2006;290:H894).
    """
    share, count = np.ones(len(tree)), child_count(tree)
    shares(tree.parent, count, _calibres_mm(tree, radius_mm, count), exponent, share)
    return floats(share)


def sampled_shares(
    tree: VesselTree, radius_mm: ArrayLike, exponent: Floats, log_noise: Floats
) -> Floats:
    """Return the share of the inlet's flow of each outlet, for m samples, (m, outlets).

    As `flow_shares`, with an exponent per sample, shape (m,), and a factor exp(`log_noise`)
    on the weight of each unbranched run, shape (m, runs), in the order of `sections`.
    """
    count, runs = child_count(tree), sections(tree)
    calibre = _calibres_mm(tree, radius_mm, count)
    weight = np.ones((exponent.size, len(runs)))
    total: dict[int, Floats] = {}
    for k, run in enumerate(runs):
        if count[run[0]] > 1:
            weight[:, k] = np.exp(exponent * np.log(calibre[run[1]]) + log_noise[:, k])
        total[int(run[0])] = total.get(int(run[0]), 0.0) + weight[:, k]
    share = {0: np.ones(exponent.size)}
    for k, run in enumerate(runs):
        share[int(run[-1])] = share[int(run[0])] * weight[:, k] / total[int(run[0])]
    return floats(np.stack([share[int(end)] for end in outlets(tree)], axis=1))


def inlet_radius_mm(
    tree: VesselTree, radius_mm: ArrayLike, over_mm: float = CALIBRE_LENGTH_MM
) -> float:
    """Return the calibre of the vessel at the inlet: median over its start, 10 mm."""
    radius = floats(radius_mm)
    length = segment_length_mm(tree)
    run = sections(tree)[0]
    near = np.concatenate([[0.0], np.cumsum(length[run[1:]])]) <= over_mm
    return float(np.median(radius[run][near]))


def _calibres_mm(tree: VesselTree, radius_mm: ArrayLike, count: Ints) -> Floats:
    """Calibre of each daughter at its first point: a median over its start, not one point."""
    radius, out = floats(radius_mm), np.zeros(len(tree))
    length = segment_length_mm(tree)
    calibres(tree.parent, count, length, radius, CALIBRE_LENGTH_MM, out)
    return out
