"""Which vessels of a label are followed, and along which way of the found tree?

As in the Rotterdam challenge (Schaap et al., Med Image Anal 2009;13:701): the three main
vessels and one large side branch, each from its ostium to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from meshes.arrays import Floats, Ints
from meshes.tree import CoronaryTree, outlets, path_length_mm, path_to
from validation.agreement import LEAST_RADIUS_MM
from validation.centreline_overlap import missed, overlap
from validation.labelled_case import VesselOverlap

MAIN = ("LAD", "LCx", "RCA")
SIDE_BRANCH = "side branch"


class Way(NamedTuple):
    """A vessel from the ostium to its end: its name, number of the tree, points."""

    name: str
    tree: int
    points: Ints


def ways(trees: Sequence[CoronaryTree]) -> tuple[Way, ...]:
    """Return the ways to follow: LAD, LCx and RCA, as named, and the longest side branch.

    A main vessel is followed on to the farthest tip behind it, whatever the name there. The
    side branch is the one that runs longest beside all of these.
    """
    main = [way for name in MAIN for t, c in enumerate(trees) if (way := _main(c, t, name))]
    best: tuple[float, Way] | None = None
    for t, c in enumerate(trees):
        taken = np.zeros(len(c.tree), dtype=bool)
        for way in main:
            if way.tree == t:
                taken[way.points] = True
        s = path_length_mm(c.tree)
        for tip in outlets(c.tree):
            points = path_to(c.tree, int(tip))
            own = s[tip] - s[points[taken[points]]].max(initial=0.0)
            if not taken[tip] and (best is None or own > best[0]):
                best = (float(own), Way(SIDE_BRANCH, t, points))
    return (*main, best[1]) if best else tuple(main)


def _main(c: CoronaryTree, number: int, name: str) -> Way | None:
    if name not in c.names:
        return None
    s = path_length_mm(c.tree)
    own = np.flatnonzero(c.branch == c.names.index(name))
    if not own.size:
        return None
    end = int(own[np.argmax(s[own])])
    every = [path_to(c.tree, int(tip)) for tip in outlets(c.tree)]
    behind = [way for way in every if end in way]
    return Way(name, number, max(behind, key=lambda way: s[way[-1]]))


def vessel_overlaps(
    reference: Sequence[CoronaryTree], found: Sequence[CoronaryTree]
) -> tuple[VesselOverlap, ...]:
    """Return the overlap of each vessel that is followed; no found tree: nothing is."""
    rows = []
    for way in ways(reference):
        c = reference[way.tree]
        line, radius = c.tree.points_mm[way.points], c.tree.radius_mm[way.points]
        chosen = found_way_mm(line, c.reference_radius_mm[way.points], found)
        made = missed(radius) if chosen is None else overlap(line, radius, chosen)
        rows.append(VesselOverlap(
            way.name, made.overlap_percent, made.until_error_percent, made.relevant_percent,
            made.inside_mm,
        ))  # fmt: skip
    return tuple(rows)


def found_way_mm(
    line_mm: Floats, healthy_mm: Floats, found: Sequence[CoronaryTree]
) -> Floats | None:
    """Return the found way that belongs to a vessel, (m, 3); None where nothing touches it.

    The challenge picks the line that passes a point far down the vessel. Points near to a
    vessel's end can lie on a neighbour, so here it is the way from an ostium to a tip that
    has most points in common with the vessel: within its healthy radius, at least 0.75 mm.
    """
    reach = np.maximum(healthy_mm, LEAST_RADIUS_MM)
    vessel = cKDTree(line_mm)
    best: tuple[float, Floats] | None = None
    for c in found:
        for tip in outlets(c.tree):
            way = c.tree.points_mm[path_to(c.tree, int(tip))]
            touched = cKDTree(way).query(line_mm)[0] <= reach
            off, nearest = vessel.query(way)
            both = np.count_nonzero(touched) + np.count_nonzero(off <= reach[nearest])
            share = both / (len(line_mm) + len(way))
            if touched.any() and (best is None or share > best[0]):
                best = (share, way)
    return None if best is None else best[1]
