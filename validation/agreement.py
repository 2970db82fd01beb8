"""How far are found coronary trees from the true ones? Numbers only: no images, no networks.

What is asked for is every vessel whose healthy lumen is at least 1.5 mm wide (CAD-RADS 2.0
grades those, Cury 2022), its stenoses included. A place lies on a vessel when it is no further
from its centreline than the vessel's healthy radius, as in the Rotterdam challenge (Schaap,
Med Image Anal 2009;13:701), and at least 0.75 mm, the radius of the thinnest that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from ffr.results.cad_rads import NORMAL_95
from meshes.arrays import AnyArray, Floats, Ints, floats, ints
from meshes.tree import CoronaryTree, child_count, segment_length_mm

STEP_MM = 0.1  # the centrelines are cut this finely before they are compared
LEAST_RADIUS_MM = 0.75
WIDTHS_MM = (1.5, 2.0, 3.0, 99.0)  # healthy diameter
SAME_LESION_MM = 8.0  # throats this close are of one lesion; half its median length
FORK_RADII = 1.5  # of a mother: so near her division a section shows two vessels


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Centrelines cut into pieces of about 0.1 mm.

    Parameters
    ----------
    points_mm, radius_mm, healthy_mm
        Middle of each piece, lumen and healthy radius there, shapes (n, 3), (n,), (n,).
    length_mm
        Length of each piece, shape (n,).
    name
        Vessel of each piece, shape (n,), text.
    point
        Tree point at the downstream end of each piece, numbered through all trees, shape (n,).
    """

    points_mm: Floats
    radius_mm: Floats
    healthy_mm: Floats
    length_mm: Floats
    name: AnyArray
    point: Ints

    @property
    def reach_mm(self) -> Floats:
        """How far from each piece a place still lies on its vessel, shape (n,)."""
        return floats(np.maximum(self.healthy_mm, LEAST_RADIUS_MM))


@dataclass(frozen=True, slots=True)
class Course:
    """Lengths of found trees beside the true ones, both sides together.

    Parameters
    ----------
    true_mm, covered_mm
        True centreline of vessels of 1.5 mm and more; how much of it has a found one on it.
    found_mm, right_mm, false_mm
        Found centreline; how much of it lies on such a vessel, and on no vessel at all. The
        rest lies on thinner ones and counts neither way.
    distance_mm2
        Integral over the covered and the right lengths of the distance to the nearest found,
        or true, centreline.
    named_mm
        How much of the right length has the name of the nearest true vessel.
    true_by_width_mm, covered_by_width_mm
        The first two by healthy diameter: 1.5-2, 2-3, from 3 mm.
    missed_mm, falsely_found_mm
        (vessel, length) of what is not covered, and of what is false; from 1 mm.
    """

    true_mm: float = 0.0
    covered_mm: float = 0.0
    found_mm: float = 0.0
    right_mm: float = 0.0
    false_mm: float = 0.0
    distance_mm2: float = 0.0
    named_mm: float = 0.0
    true_by_width_mm: tuple[float, ...] = ()
    covered_by_width_mm: tuple[float, ...] = ()
    missed_mm: tuple[tuple[str, float], ...] = ()
    falsely_found_mm: tuple[tuple[str, float], ...] = ()


def cut(trees: Sequence[CoronaryTree]) -> Samples:
    """Cut the centrelines of trees into pieces of about 0.1 mm; radii are linear between."""
    columns: list[tuple[AnyArray, ...]] = []
    before = 0
    for c in trees:
        tree = c.tree
        each = segment_length_mm(tree)
        count = np.maximum(np.ceil(each / STEP_MM), 1).astype(int)
        count[0] = 0
        below = np.repeat(np.arange(len(tree)), count)
        above = tree.parent[below]
        first = np.repeat(np.cumsum(count) - count, count)
        t = (np.arange(below.size) - first + 0.5) / count[below]

        def between(
            v: Floats, t: Floats = t, above: Ints = above, below: Ints = below
        ) -> Floats:
            share = t.reshape(-1, *[1] * (v.ndim - 1))
            return floats((1 - share) * v[above] + share * v[below])

        columns.append((
            between(tree.points_mm), between(tree.radius_mm), between(c.reference_radius_mm),
            each[below] / count[below], np.array(c.names, dtype=object)[c.branch[below]],
            below + before,
        ))  # fmt: skip
        before += len(tree)
    points, radius, healthy, length, name, point = map(
        np.concatenate, zip(*columns, strict=True)
    )
    return Samples(
        floats(points), floats(radius), floats(healthy), floats(length), name, ints(point)
    )


def nearest(points_mm: Floats, samples: Samples) -> tuple[Floats, Ints]:
    """Return distance to the nearest piece and its number, for each point."""
    distance, index = cKDTree(samples.points_mm).query(points_mm)
    return floats(distance), ints(index)


def on_vessel(points_mm: Floats, samples: Samples, chosen: AnyArray) -> AnyArray:
    """Tell the points that lie on any vessel of the chosen pieces, shape (n,).

    A point lies in some ball where the least of distance² − reach² is not positive; with the
    reach as a fourth coordinate that is the nearest neighbour.
    """
    if not chosen.any():
        return np.zeros(len(points_mm), dtype=bool)
    reach = samples.reach_mm[chosen]
    most = reach.max()
    lifted = np.column_stack([samples.points_mm[chosen], np.sqrt(most**2 - reach**2)])
    places = np.column_stack([points_mm, np.zeros(len(points_mm))])
    distance, _ = cKDTree(lifted).query(places)
    return np.asarray(np.asarray(distance) <= most)


def compare(found: Sequence[CoronaryTree], true: Sequence[CoronaryTree]) -> Course:
    """Compare the centrelines of found with those of true trees of one patient."""
    truth = cut(true)
    wanted = np.asarray(truth.healthy_mm >= LEAST_RADIUS_MM)
    hit, to_found = np.zeros(len(wanted), dtype=bool), np.zeros(len(wanted))
    if found:
        here = cut(found)
        to_found, _ = nearest(truth.points_mm, here)
        hit = wanted & (to_found <= truth.reach_mm)
    widths = [wanted & (2 * truth.healthy_mm >= low) & (2 * truth.healthy_mm < high)
              for low, high in pairwise(WIDTHS_MM)]  # fmt: skip
    made = Course(
        true_mm=_total(truth, wanted),
        covered_mm=_total(truth, hit),
        true_by_width_mm=tuple(_total(truth, w) for w in widths),
        covered_by_width_mm=tuple(_total(truth, w & hit) for w in widths),
        missed_mm=_by_name(truth, wanted & ~hit),
    )
    if not found:
        return made
    to_true, which = nearest(here.points_mm, truth)
    right = on_vessel(here.points_mm, truth, wanted)
    false = ~on_vessel(here.points_mm, truth, np.ones_like(wanted))
    off = (to_found * truth.length_mm)[hit].sum() + (to_true * here.length_mm)[right].sum()
    return Course(
        made.true_mm, made.covered_mm, _total(here, np.ones_like(right)), _total(here, right),
        _total(here, false), round(float(off), 2),
        _total(here, right & (here.name == truth.name[which])), made.true_by_width_mm,
        made.covered_by_width_mm, made.missed_mm, _by_name(here, false),
    )  # fmt: skip


def _total(samples: Samples, chosen: AnyArray) -> float:
    return round(float(samples.length_mm[chosen].sum()), 2)


def _by_name(samples: Samples, chosen: AnyArray) -> tuple[tuple[str, float], ...]:
    names = np.unique(samples.name[chosen].astype(str))
    lengths = [(str(n), _total(samples, chosen & (samples.name == n))) for n in names]
    return tuple((n, length) for n, length in lengths if length >= 1.0)


def beside_fork(points_mm: Floats, trees: Sequence[CoronaryTree]) -> AnyArray:
    """Tell the points so near a division of a tree that sections show two vessels, (n,)."""
    near = np.zeros(len(points_mm), dtype=bool)
    for c in trees:
        for fork in np.flatnonzero(child_count(c.tree) > 1):
            off = np.linalg.norm(points_mm - c.tree.points_mm[fork], axis=1)
            near |= off <= FORK_RADII * c.reference_radius_mm[fork]
    return near


def limits_of_agreement(errors: Floats) -> tuple[float, float, float, float]:
    """Return bias, SD and the 95 % limits, bias -+ 1.96 SD (Bland & Altman 1986).

    NaN where fewer than two errors are there.
    """
    if errors.size < 2:
        return (float("nan"),) * 4
    bias, sd = float(errors.mean()), float(errors.std(ddof=1))
    return bias, sd, bias - NORMAL_95 * sd, bias + NORMAL_95 * sd


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
