"""Which part of a tree lies in or behind a stretch whose lumen the scan does not show?

Its pressure is not known: a stent under 3 mm may be open or nearly closed, and CT does not
tell. So there is no FFR in it, behind it, and in what branches off there. The rest of the tree
needs a flow through it all the same: it is presumed open, as wide as a healthy lumen there. A
possible occlusion is as narrow as it was measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from meshes.arrays import AnyArray, Ints, floats
from meshes.tree import CoronaryTree, Unreadable, path_length_mm, path_to

EDGE_MM = 1e-6  # rounding of a path length that was written to a file


def within(coronary: CoronaryTree) -> AnyArray:
    """Return True inside unreadable stretches, shape (n,)."""
    return _inside(coronary, coronary.unreadable)


def unmeasured(coronary: CoronaryTree) -> AnyArray:
    """Return True inside stretches whose radius means nothing, shape (n,)."""
    return _inside(coronary, [x for x in coronary.unreadable if not x.measured])


def unreadable(coronary: CoronaryTree) -> AnyArray:
    """Return True inside and behind unreadable stretches, shape (n,)."""
    hidden = within(coronary)
    for i in range(1, len(coronary.tree)):
        hidden[i] |= hidden[coronary.tree.parent[i]]
    return hidden


def cause(coronary: CoronaryTree, points: Sequence[int] | Ints) -> str | None:
    """Return why some of the points cannot be judged, in words; None: they all can."""
    hidden = unreadable(coronary)
    for point in points:
        if not hidden[point]:
            continue
        way = path_to(coronary.tree, int(point))
        first = int(way[np.argmax(hidden[way])])
        stretch = next(x for x in coronary.unreadable if _points(coronary, x)[first])
        if _points(coronary, stretch)[point]:
            return f"not analysable: {stretch.reason}"
        noun = not stretch.reason.startswith("excluded")  # by a reader: "ffr edit"
        before = f"a {stretch.reason} in" if noun else "what was " + stretch.reason + ":"
        return f"not analysable: behind {before} the {stretch.vessel}"
    return None


def presumed_open(coronary: CoronaryTree) -> CoronaryTree:
    """Return the tree with the healthy width where the radius means nothing, for the flow."""
    inside = unmeasured(coronary)
    if not inside.any():
        return coronary
    radius = np.where(inside, coronary.reference_radius_mm, coronary.tree.radius_mm)
    tree = dataclasses.replace(coronary.tree, radius_mm=floats(radius))
    return dataclasses.replace(coronary, tree=tree)


def _inside(coronary: CoronaryTree, stretches: Sequence[Unreadable]) -> AnyArray:
    inside = np.zeros(len(coronary.tree), dtype=bool)
    for stretch in stretches:
        inside |= _points(coronary, stretch)
    return inside


def _points(coronary: CoronaryTree, stretch: Unreadable) -> AnyArray:
    s_mm = path_length_mm(coronary.tree)
    own = coronary.branch == coronary.names.index(stretch.vessel)
    near = (s_mm >= stretch.from_mm - EDGE_MM) & (s_mm <= stretch.to_mm + EDGE_MM)
    return np.asarray(own & near)
