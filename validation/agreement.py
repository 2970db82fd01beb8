"""How far are found coronary trees from the true ones? Numbers only: no images, no networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.tree import CoronaryTree, segment_length_mm

STEP_MM = 0.1  # the centrelines are cut this finely before they are compared
COVERED_MM = 1.0  # a true centreline this close to a found one has been found
FALSE_MM = 1.5  # a found centreline further than this from any true one is none
LEAST_RADIUS_MM = 0.75  # vessels of at least 1.5 mm are graded (CAD-RADS 2.0, Cury 2022)
SAME_LESION_MM = 8.0  # throats this close are of one lesion; half its median length
NORMAL_95 = 1.96
MAIN = ("LM", "LAD", "LCx", "RCA")


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Centrelines cut into pieces of about 0.1 mm.

    Parameters
    ----------
    points_mm, radius_mm
        Middle of each piece and lumen radius there, shapes (n, 3) and (n,).
    length_mm
        Length of each piece, shape (n,).
    name
        Vessel of each piece, shape (n,), text.
    """

    points_mm: Floats
    radius_mm: Floats
    length_mm: Floats
    name: AnyArray


@dataclass(frozen=True, slots=True, eq=False)
class TreeAgreement:
    """Lengths and radii of found trees beside the true ones, both sides together.

    Parameters
    ----------
    true_length_mm, covered_length_mm
        True centreline of radius 0.75 mm and more; how much of it was found within 1 mm.
    found_length_mm, false_length_mm
        Found centreline; how much of it is over 1.5 mm from any true one.
    matched_length_mm, named_length_mm
        Found centreline within 1 mm of a true one; how much of it has the right name.
    main_matched_length_mm, main_named_length_mm
        The same where the true vessel is LM, LAD, LCx or RCA.
    true_radius_mm, radius_error_mm, radius_sd_mm
        At each matched found point: truth, found minus true, and the standard deviation
        that was reported, shape (n,).
    """

    true_length_mm: float
    covered_length_mm: float
    found_length_mm: float
    false_length_mm: float
    matched_length_mm: float
    named_length_mm: float
    main_matched_length_mm: float
    main_named_length_mm: float
    true_radius_mm: Floats
    radius_error_mm: Floats
    radius_sd_mm: Floats


def cut(trees: Sequence[CoronaryTree]) -> Samples:
    """Cut the centrelines of trees into pieces of about 0.1 mm; radius is linear between."""
    points, radius, length, names = [], [], [], []
    for c in trees:
        tree = c.tree
        each = segment_length_mm(tree)
        count = np.maximum(np.ceil(each / STEP_MM), 1).astype(int)
        count[0] = 0
        below = np.repeat(np.arange(len(tree)), count)
        above = tree.parent[below]
        first = np.repeat(np.cumsum(count) - count, count)
        t = (np.arange(below.size) - first + 0.5) / count[below]
        t3 = t[:, None]
        points.append((1 - t3) * tree.points_mm[above] + t3 * tree.points_mm[below])
        radius.append((1 - t) * tree.radius_mm[above] + t * tree.radius_mm[below])
        length.append(each[below] / count[below])
        names.append(np.array(c.names, dtype=object)[c.branch[below]])
    return Samples(
        floats(np.concatenate(points)), floats(np.concatenate(radius)),
        floats(np.concatenate(length)), np.concatenate(names),
    )  # fmt: skip


def compare(found: Sequence[CoronaryTree], true: Sequence[CoronaryTree]) -> TreeAgreement:
    """Compare found with true trees of one patient: each piece with what is nearest to it."""
    truth = cut(true)
    wanted = np.asarray(truth.radius_mm >= LEAST_RADIUS_MM)
    if not found:
        none = floats(np.zeros(0))
        total = float(truth.length_mm[wanted].sum())
        return TreeAgreement(total, 0, 0, 0, 0, 0, 0, 0, none, none, none)
    here = cut(found)
    to_found, _ = nearest(truth.points_mm, here)
    to_true, which = nearest(here.points_mm, truth)
    matched = np.asarray(to_true <= COVERED_MM)
    named = matched & (here.name == truth.name[which])
    main = np.isin(truth.name[which].astype(str), MAIN)

    def total_mm(samples: Samples, chosen: AnyArray) -> float:
        return float(samples.length_mm[chosen].sum())

    points = np.vstack([c.tree.points_mm for c in found])
    off, at = nearest(points, truth)
    good = off <= COVERED_MM
    radius = np.concatenate([c.tree.radius_mm for c in found])
    spread = np.concatenate([c.radius_sd_mm for c in found])
    return TreeAgreement(
        true_length_mm=total_mm(truth, wanted),
        covered_length_mm=total_mm(truth, wanted & (to_found <= COVERED_MM)),
        found_length_mm=float(here.length_mm.sum()),
        false_length_mm=total_mm(here, to_true > FALSE_MM),
        matched_length_mm=total_mm(here, matched),
        named_length_mm=total_mm(here, named),
        main_matched_length_mm=total_mm(here, matched & main),
        main_named_length_mm=total_mm(here, named & main),
        true_radius_mm=floats(truth.radius_mm[at[good]]),
        radius_error_mm=floats(radius[good] - truth.radius_mm[at[good]]),
        radius_sd_mm=floats(spread[good]),
    )


def nearest(points_mm: Floats, samples: Samples) -> tuple[Floats, Ints]:
    """Return distance to the nearest piece and its number, for each point."""
    distance, index = cKDTree(samples.points_mm).query(points_mm)
    return floats(distance), ints(index)


def limits_of_agreement(errors: Floats) -> tuple[float, float, float, float]:
    """Return bias, SD and the 95 % limits, bias -+ 1.96 SD (Bland & Altman 1986).

    NaN where fewer than two errors are there.
    """
    if errors.size < 2:
        return (float("nan"),) * 4
    bias, sd = float(errors.mean()), float(errors.std(ddof=1))
    return bias, sd, bias - NORMAL_95 * sd, bias + NORMAL_95 * sd


def interval_coverage(errors: Floats, sd: Floats) -> float:
    """Return the share of errors inside their own 95 % interval; 0.95 when honest."""
    return float(np.mean(np.abs(errors) <= NORMAL_95 * sd)) if errors.size else float("nan")


def dice(found: AnyArray, true: AnyArray) -> float:
    """Return the Dice overlap of two masks, NaN when both are empty."""
    both = int(found.sum()) + int(true.sum())
    return 2 * int((found & true).sum()) / both if both else float("nan")


def pairs(found_mm: Floats, true_mm: Floats, within_mm: float) -> list[tuple[int, int]]:
    """Pair points one to one, nearest first: (index of found, index of true)."""
    if not len(found_mm) or not len(true_mm):
        return []
    distance = np.linalg.norm(found_mm[:, None] - true_mm[None], axis=2)
    made = []
    while distance.min() <= within_mm:
        f, t = np.unravel_index(int(distance.argmin()), distance.shape)
        made.append((int(f), int(t)))
        distance[f, :], distance[:, t] = np.inf, np.inf
    return sorted(made, key=lambda pair: pair[1])
