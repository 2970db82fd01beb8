"""What of a measured tree is no coronary artery: stubs, frayed tips, veins."""

from __future__ import annotations

import numpy as np

from ffr.segmentation.lumen import MeasuredLumen
from meshes.arrays import AnyArray, Floats
from meshes.contours import chosen_contours
from meshes.straighten import sampled
from meshes.tree import (
    VesselTree,
    child_count,
    path_length_mm,
    path_to,
    sections,
    segment_length_mm,
)
from meshes.volume import Volume

THINNEST_MEAN_MM = 0.5
SHORTEST_BRANCH_MM = 5.0
VEIN_SHARE = 0.75  # of arterial attenuation: a branch below it over its length is a vein
ARTERY_SHARE = 0.5 * (1.0 + VEIN_SHARE)
DARKEST_VEIN = 0.5
TRUNK_MM = 10.0  # no vein springs from the aorta: so much behind the ostium stays
BRIGHTER = 1.25  # than arterial blood: as far above as a vein is below
LEAST_EVIDENCE_MM = SHORTEST_BRANCH_MM * (ARTERY_SHARE - VEIN_SHARE)  # 5 mm of such a vein
VEIN_PASSES = 6  # two or three settle it
SPREADS_MM = np.arange(0.1, 0.81, 0.02)  # of point spreads, as standard deviation
FALLS_PER_MM = np.arange(0.0, 0.0041, 0.0002)  # of arterial contrast along a vessel
TIP_MM = 1.0  # sections this close to a tip look past it
FRAYED_MM = 6.0
FRAYED_SHARE = 0.7
TAIL_MM = 0.45  # radius: where nothing wider follows, there is no vessel


def without_stubs(lumen: MeasuredLumen) -> MeasuredLumen:
    """Cut off frayed tips, then end branches too thin or too short to be vessels.

    A tip is frayed where the last millimetres are much narrower than what leads there, or
    where nothing that follows has the width of a vessel, however long: the path has run past
    the end of the visible vessel. An end branch goes when its mean radius
    is under 0.5 mm or it reaches less than 5 mm beyond its parent's lumen; this repeats,
    since a pruned bifurcation may leave a short end. The longest path always stays.
    """
    kept = _subtree(lumen, ~_frayed(lumen.tree))
    while True:
        tree = kept.tree
        s = path_length_mm(tree)
        longest = set(path_to(tree, int(np.argmax(s))).tolist())
        drop = np.zeros(len(tree), dtype=bool)
        ends = child_count(tree) == 0
        for run in sections(tree):
            own = run[1:]
            thin = tree.radius_mm[own].mean() < THINNEST_MEAN_MM
            short = s[run[-1]] - s[run[0]] - tree.radius_mm[run[0]] < SHORTEST_BRANCH_MM
            if ends[run[-1]] and run[0] != 0 and (thin or short) and run[-1] not in longest:
                drop[own] = True
        if not drop.any():
            return kept
        kept = _subtree(kept, ~drop)


def without_veins(volume: Volume, lumen: MeasuredLumen, blood_hu: float) -> MeasuredLumen:
    """Cut off what is clearly darker than arterial blood, from where it begins.

    Cardiac veins run beside the arteries and may touch them, but fill later; arteries only
    fade slowly with distance. Every point's attenuation is compared with that of arterial
    blood in a lumen of its radius and distance. Lengths over and under `ARTERY_SHARE` are
    summed from the tips: where more of the rest is too dark than bright enough, it goes.
    So a lesion stays for the sake of the vessel beyond it, and a vein that continues an
    artery goes without it. The first 10 mm always stay.
    """
    tree = lumen.tree
    hu = sampled(volume, tree.points_mm, outside=0.0)
    keep = _worth_keeping(tree, hu / arterial_hu(hu, tree, None, blood_hu))
    for _ in range(VEIN_PASSES):
        before, keep = keep, _worth_keeping(tree, hu / arterial_hu(hu, tree, keep, blood_hu))
        if np.array_equal(keep, before):
            break
    return _subtree(lumen, keep)


def arterial_hu(
    hu: Floats, tree: VesselTree, known: AnyArray | None, blood_hu: float
) -> Floats:
    """Attenuation expected on the axis of each point if it is an artery, HU.

    The aorta's, falling linearly with path length, and dimmed by blur: the axis of a
    cylinder of radius r under a Gaussian point spread of standard deviation d shows
    1 - exp(-r^2 / 2 d^2) of its contrast. Slope and spread are fitted to the `known`
    arterial points by quantile regression (Koenker & Bassett 1978), so they also hold what
    the radius measurement itself does.

    Parameters
    ----------
    hu
        Attenuation at each point, shape (n,).
    tree
        Measured tree.
    known
        True at the points to learn from, shape (n,). None where veins may still be among
        them: these look faded and blurred, so no slope is read and the brighter quarter of
        the points tells the spread.
    blood_hu
        Attenuation in the aorta.
    """
    use = np.ones(len(tree), dtype=bool) if known is None else known
    s, radius = path_length_mm(tree), tree.radius_mm
    quantile, falls = (0.75, FALLS_PER_MM[:1]) if known is None else (0.5, FALLS_PER_MM)
    best = (np.inf, 0.0, 0.0)
    for spread in SPREADS_MM:
        seen = _seen(radius[use], spread)
        for fall in falls:
            off = hu[use] / blood_hu - seen * (1 - fall * s[use])
            loss = float(np.maximum(quantile * off, (quantile - 1) * off).sum())
            best = min(best, (loss, spread, fall))
    _, spread, fall = best
    level = np.maximum(1 - fall * s, 0.5)
    return np.asarray(blood_hu * level * np.maximum(_seen(radius, spread), 0.1))


def _seen(radius_mm: Floats, spread_mm: float) -> Floats:
    """Share of its contrast that the axis of a blurred cylinder shows."""
    return np.asarray(1 - np.exp(-0.5 * (radius_mm / spread_mm) ** 2))


def _worth_keeping(tree: VesselTree, share: Floats) -> AnyArray:
    """Cut where the sum of (share - threshold) x length over all that lies beyond is negative.

    What is brighter than blood, calcium or bone, counts like a vein: an artery goes on
    behind its calcium. What is darker than any vein, plaque or fat in a gap, counts no more
    than a dark vein; and 5 mm of a vein are not yet evidence.
    """
    telling = np.where(share > BRIGHTER, VEIN_SHARE, np.clip(share, DARKEST_VEIN, 1.0))
    gain = (telling - ARTERY_SHARE) * segment_length_mm(tree)
    worth, loss = np.array(gain), np.array(gain)
    for i in range(len(tree) - 1, 0, -1):
        parent = tree.parent[i]
        worth[parent] += max(worth[i], 0.0)  # what is worth nothing would be cut
        loss[parent] += worth[i] if worth[i] >= 0 else loss[i]
    dark = (worth < 0) & (loss < -LEAST_EVIDENCE_MM) & (path_length_mm(tree) > TRUNK_MM)
    keep = np.ones(len(tree), dtype=bool)
    for i in range(1, len(tree)):
        keep[i] = keep[tree.parent[i]] and not dark[i]
    return keep


def _frayed(tree: VesselTree) -> AnyArray:
    """Tell the points at the tips that lie past the visible vessel."""
    drop = np.zeros(len(tree), dtype=bool)
    ends = child_count(tree) == 0
    s = path_length_mm(tree)
    for run in sections(tree):
        if not ends[run[-1]] or len(run) < 12:
            continue
        back = s[run[-1]] - s[run]
        before = run[(back > FRAYED_MM) & (back < 3 * FRAYED_MM)]
        usual = float(np.median(tree.radius_mm[before if before.size else run]))
        worn = (back < FRAYED_MM) & (tree.radius_mm[run] < FRAYED_SHARE * usual)
        worn[0] = False
        if worn.any():
            drop[run[int(np.argmax(worn)) :]] = True
        drop[run[(back < TIP_MM) & (np.arange(len(run)) > 1)]] = True
        wide = np.flatnonzero(tree.radius_mm[run] >= TAIL_MM)
        drop[run[max(1, wide[-1] + 1 if wide.size else 1) :]] = True
    return drop


def _subtree(lumen: MeasuredLumen, keep: AnyArray) -> MeasuredLumen:
    """Keep some points; whoever is kept must have a kept parent."""
    tree = lumen.tree
    chosen = np.flatnonzero(keep)
    number = np.full(len(tree), -1)
    number[chosen] = np.arange(chosen.size)
    parent = np.where(tree.parent[chosen] < 0, -1, number[tree.parent[chosen]])
    smaller = VesselTree(tree.points_mm[chosen], tree.radius_mm[chosen], parent)
    return MeasuredLumen(
        smaller,
        lumen.radius_sd_mm[chosen],
        lumen.calcium_arc_deg[chosen],
        lumen.stent_probability[chosen],
        chosen_contours(lumen.contours, chosen),
        None if lumen.walls is None else chosen_contours(lumen.walls, chosen),
    )
