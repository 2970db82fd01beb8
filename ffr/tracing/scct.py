"""Which SCCT segment does each point of a named tree belong to?"""

from __future__ import annotations

import numpy as np

from meshes.arrays import Floats, Ints, ints
from meshes.tree import VesselTree, path_length_mm

# Raff 2009 and Leipsic 2014, SCCT guidelines, from the AHA model of Austen 1975
WHOLE_VESSEL = {
    "LM": 5, "D1": 9, "D2": 10, "OM1": 12, "OM2": 14, "L-PDA": 15, "R-PDA": 4, "R-PLB": 16,
    "RI": 17, "L-PLB": 18,
}  # fmt: skip
# SCCT coronary segmentation (Leipsic et al., J Cardiovasc Comput Tomogr 2014;8:342-358)
SEGMENT_NAMES = {
    1: "proximal RCA", 2: "mid RCA", 3: "distal RCA", 4: "R-PDA", 5: "left main",
    6: "proximal LAD", 7: "mid LAD", 8: "distal LAD", 9: "first diagonal",
    10: "second diagonal", 11: "proximal LCx", 12: "first obtuse marginal",
    13: "mid and distal LCx", 14: "second obtuse marginal", 15: "L-PDA", 16: "R-PLB",
    17: "ramus intermedius", 18: "L-PLB",
}  # fmt: skip
DIVIDED = {"LAD": (6, 7, 8), "RCA": (1, 2, 3), "LCx": (11, 13, 13)}
LARGE_MM = 1.5  # diameter of a branch that ends the proximal anterior descending
CALIBRE_OVER_MM = 10.0  # a branch's diameter is its median over this length
# Inferior, right and a little to the front in LPS: where a supine patient's acute margin is
ACUTE_MARGIN = np.array([-0.6, -0.25, -0.76])
MARGIN_RANGE = (0.35, 0.85)  # share of the right coronary's length where it can lie


def scct_segments(tree: VesselTree, branch: Ints, names: tuple[str, ...]) -> Ints:
    """Number the points of a named tree by SCCT segment, shape (n,).

    1 to 3 right coronary (half way to the acute margin, the margin, the crux), 4 R-PDA,
    5 left main, 6 to 8 anterior descending (first diagonal or septal branch of at least
    1.5 mm, half way from there to the end), 9 D1, 10 D2, 11 circumflex up to OM1, 12 OM1,
    13 circumflex beyond, 14 OM2, 15 L-PDA, 16 R-PLB, 17 ramus, 18 L-PLB (Raff 2009,
    Leipsic 2014). Where such a landmark is missing a vessel is cut into thirds.
    A sub-branch counts with the branch it leaves; further branches are 0.

    Parameters
    ----------
    tree
        The lumen, in patient coordinates (LPS).
    branch
        Index into `names` of the vessel each point belongs to, shape (n,).
    names
        Vessel names as in `CoronaryTree`.
    """
    s_mm = path_length_mm(tree)
    segment = np.zeros(len(tree), dtype=np.int64)
    for number, name in enumerate(names):
        here = np.flatnonzero(branch == number)
        if here.size == 0:
            continue
        trunk = name.rstrip("abcdefghijklmnopqrstuvwxyz") if name != "LCx" else name
        if name in DIVIDED:
            first, second = _cuts_mm(tree, branch, names, number, s_mm)
            part = (s_mm[here] > first).astype(int) + (s_mm[here] > second)
            segment[here] = np.array(DIVIDED[name])[part]
        else:
            segment[here] = WHOLE_VESSEL.get(trunk, 0)
    return ints(segment)


def _cuts_mm(
    tree: VesselTree, branch: Ints, names: tuple[str, ...], number: int, s_mm: Floats
) -> tuple[float, float]:
    """Path lengths at which a long vessel's first and second part end."""
    here = np.flatnonzero(branch == number)
    start, end = float(s_mm[here].min()), float(s_mm[here].max())
    third = (end - start) / 3
    name = names[number]
    if name == "RCA":
        margin = _acute_margin_mm(tree, here, s_mm)
        if margin is not None:
            return 0.5 * (start + margin), margin
        return start + third, end - third
    kinds, least_mm = (("D", "S"), LARGE_MM) if name == "LAD" else (("OM",), 0.0)
    cut = _first_branch_mm(tree, branch, names, number, s_mm, kinds, least_mm)
    if cut is None:
        return start + third, end - third
    return cut, 0.5 * (cut + end)


def _first_branch_mm(
    tree: VesselTree,
    branch: Ints,
    names: tuple[str, ...],
    number: int,
    s_mm: Floats,
    kinds: tuple[str, ...],
    least_mm: float,
) -> float | None:
    """Path length of the first take-off of a branch of these kinds, wide enough."""
    found = []
    for other, name in enumerate(names):
        here = np.flatnonzero(branch == other)
        numbered = any(name.startswith(k) and name[len(k) :].isdigit() for k in kinds)
        if not numbered or here.size == 0:
            continue
        root = int(tree.parent[here[0]])
        near = here[s_mm[here] <= s_mm[root] + CALIBRE_OVER_MM]
        wide = 2 * float(np.median(tree.radius_mm[near if near.size else here])) >= least_mm
        if root >= 0 and branch[root] == number and wide:
            found.append(float(s_mm[root]))
    return min(found, default=None)


def _acute_margin_mm(tree: VesselTree, here: Ints, s_mm: Floats) -> float | None:
    """Path length where the right coronary turns under the heart, None if it does not.

    Between its descent and its way back under the heart the vessel reaches furthest to
    the bottom right.
    """
    furthest = here[np.argmax(tree.points_mm[here] @ ACUTE_MARGIN)]
    start, end = float(s_mm[here].min()), float(s_mm[here].max())
    share = (float(s_mm[furthest]) - start) / (end - start) if end > start else 0.0
    if MARGIN_RANGE[0] <= share <= MARGIN_RANGE[1]:
        return float(s_mm[furthest])
    return None
