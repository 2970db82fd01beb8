"""Drawn arteries joined into true trees, with the names that a reader would give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ffr.phantom.anatomy import Heart, aortic_distance_mm
from ffr.phantom.coronaries import Artery, surface_point
from ffr.tracing.scct import scct_segments
from meshes.arrays import Floats, Ints, floats, ints
from meshes.tree import CoronaryTree, VesselTree

AV_HEIGHT = -0.5  # of the circumflex, along the long axis of the ventricle: at its base


def inlets(arteries: tuple[Artery, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Return the vessels at the ostia: left, right, and further ones of rare anomalies."""
    first = [a.name for a in arteries if not a.parent]
    left = "LM" if "LM" in first else "LAD"
    return left, "RCA", tuple(n for n in first if n not in (left, "RCA"))


def coronary_tree(
    arteries: tuple[Artery, ...], side: str, heart: Heart, inlet: str = ""
) -> CoronaryTree:
    """Join the arteries from one ostium into a tree: the truth a segmentation is judged by.

    The paths begin inside the aorta; the tree begins where the lumen's axis leaves it.
    Segments are cut as in any named tree: truth and product mean the same.
    """
    left, right, _ = inlets(arteries)
    inlet = inlet or (left if side == "left" else right)
    members = {inlet}
    for artery in arteries:
        if artery.parent in members:
            members.add(artery.name)
    chosen = [a for a in arteries if a.name in members]
    first: dict[str, int] = {}
    points, radius, healthy, branch, along = [], [], [], [], []
    parent: list[int] = []
    for number, artery in enumerate(chosen):
        skip = 1 if artery.parent else _last_in_aorta(heart, artery)
        base = len(parent)  # the shared point belongs to the parent
        first[artery.name] = base - skip
        for i in range(skip, len(artery.lumen_mm)):
            points.append(artery.centre_mm[i])
            radius.append(artery.lumen_mm[i])
            healthy.append(artery.healthy_mm[i])
            branch.append(number)
            along.append(i)
            if i > skip:
                parent.append(len(parent) - 1)
            elif artery.parent:
                parent.append(first[artery.parent] + artery.take_off)
            else:
                parent.append(-1)
                points[-1] = _on_the_wall(heart, artery, skip)
    tree = VesselTree(floats(points), floats(radius), np.array(parent))
    numbered, names = _named(chosen, heart, ints(branch), ints(along))
    return CoronaryTree(
        tree,
        side,
        floats(np.zeros(len(tree))),
        floats(healthy),
        numbered,
        names,
        scct_segments(tree, numbered, names),
    )


def _last_in_aorta(heart: Heart, artery: Artery) -> int:
    """Index of the last point before the axis leaves the aorta for the first time."""
    outside = aortic_distance_mm(heart, artery.centre_mm) > 0
    return max(0, int(np.argmax(outside)) - 1)


def _on_the_wall(heart: Heart, artery: Artery, last: int) -> Floats:
    """Where the step after the last point in the aorta crosses its wall."""
    step = artery.centre_mm[last : last + 2]
    inside, outside = aortic_distance_mm(heart, step)
    # not onto the next point: a tree's points lie apart
    share = float(np.clip(inside / (inside - outside), 0.0, 0.9)) if inside < 0 else 0.0
    return np.asarray(step[0] + share * (step[1] - step[0]))


def _named(
    arteries: Sequence[Artery], heart: Heart, artery: Ints, along: Ints
) -> tuple[Ints, tuple[str, ...]]:
    """Return the vessel of each point and the vessels' names, as a reader would give them.

    Drawn parts are not yet vessels: the circumflex goes on to the crux, and the posterior
    descending artery is what turns down the groove there (Leipsic 2014); without a
    circumflex there is no left main, and a ramus is the first diagonal. Diagonals and
    marginals are counted by take-off, without gaps: the generator drops those that get too
    thin. `artery` and `along` say which point of which artery each tree point is.
    """
    of = {a.name: k for k, a in enumerate(arteries)}
    branch, names = np.array(artery), [a.name for a in arteries]
    if "L-PDA" in of and "LCx" in of:
        descending = of["L-PDA"]
        base = (artery == descending) & (along <= _crux(arteries[descending], heart))
        branch[base] = of["LCx"]
    lone = "LM" in of and "LAD" in of and "LCx" not in of
    if lone:
        branch[branch == of["LM"]] = of["LAD"]
        names = ["D0" if name == "RI" else name for name in names]
    for kind in ("D", "OM", "AM"):
        found = [k for k, n in enumerate(names) if n[: len(kind)] == kind and n[-1].isdigit()]
        found.sort(key=lambda k: -1 if names[k] == "D0" else arteries[k].take_off)
        for count, k in enumerate(found):
            names[k] = f"{kind}{count + 1}"
    kept = np.unique(branch)
    number = np.full(len(names), -1)
    number[kept] = np.arange(kept.size)
    return ints(number[branch]), tuple(names[k] for k in kept)


def _crux(descending: Artery, heart: Heart) -> int:
    """Index at which a left posterior descending artery turns from the base down the groove."""
    _, septal, anterior = heart.frame_direction
    tip = descending.axis_mm[-1]
    crux = surface_point(heart, AV_HEIGHT, float(np.arctan2(tip @ anterior, tip @ septal)))
    return int(np.argmin(np.linalg.norm(descending.axis_mm - crux, axis=1)))
