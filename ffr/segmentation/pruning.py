"""What of a measured tree is no coronary artery: stubs, frayed tips, veins."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_erosion

from ffr.segmentation.lumen import MeasuredLumen
from ffr.segmentation.maps import VesselMap
from meshes.arrays import AnyArray, Floats, floats
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
from meshes.volume import Volume, ijk_to_points_mm

THINNEST_MEAN_MM = 0.5
SHORTEST_BRANCH_MM = 5.0
VEIN_SHARE = 0.75  # of arterial attenuation, where the scan shows no veins
SHARE_SD = 0.15  # of that share, of arteries and veins: noise, blur, radius
SURE_VEIN = 153  # of 255: 60 %
FEWEST_VOXELS, MOST_VOXELS = 50, 4000
LEAST_PROBABILITY = 0.02
MOST_EVIDENCE = 2.0  # per mm, of map and brightness each: neighbouring points say the same
LEAST_EVIDENCE = 5.0  # in all
TRUNK_MM = 10.0  # no vein springs from the aorta: so much behind the ostium stays
BRIGHTER = 1.25  # than arterial blood: as far above as a vein is below
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


def without_veins(
    volume: Volume, lumen: MeasuredLumen, vessels: VesselMap, blood_hu: float
) -> MeasuredLumen:
    """Cut off what is a vein over its length, from where it begins.

    Cardiac veins run beside the arteries and may touch them. Two things tell: the vessel
    map, and attenuation, as most veins fill later while arteries only fade slowly with
    distance. Every point's attenuation is compared with that of arterial blood in a lumen
    of its radius and distance, and with what the scan's surest veins have. Logarithms of
    the likelihood ratio artery to vein are summed over length from the tips: where more of
    the rest is vein than artery, it goes. So a lesion stays for the sake of the vessel
    beyond it, and a vein that continues an artery goes without it. The first 10 mm stay.
    """
    tree = lumen.tree
    hu = sampled(volume, tree.points_mm, outside=0.0)
    shown = _map_evidence(vessels, tree.points_mm)
    level = vein_share(volume, vessels, blood_hu)

    def worth_keeping(known: AnyArray | None) -> AnyArray:
        share = hu / arterial_hu(hu, tree, known, blood_hu)
        return _worth_keeping(tree, shown + _brightness_evidence(share, level))

    keep = worth_keeping(None)
    for _ in range(VEIN_PASSES):
        before, keep = keep, worth_keeping(keep)
        if np.array_equal(keep, before):
            break
    return _subtree(lumen, keep)


def vein_share(volume: Volume, vessels: VesselMap, blood_hu: float) -> float:
    """Return the attenuation of the scan's veins as a share of arterial blood's.

    The median in the middle of what the vessel map is sure of; VEIN_SHARE where it shows
    next to none.
    """
    vein = vessels.vein_probability
    inside = np.argwhere(binary_erosion(vein.values > SURE_VEIN))
    if len(inside) < FEWEST_VOXELS:
        return VEIN_SHARE
    some = inside[:: 1 + len(inside) // MOST_VOXELS, ::-1]
    hu = sampled(volume, ijk_to_points_mm(vein.grid, some), outside=0.0)
    return float(np.median(hu)) / blood_hu


def _map_evidence(vessels: VesselMap, points_mm: Floats) -> Floats:
    """Log likelihood ratio artery to vein by the vessel map, bounded, shape (n,)."""
    artery, vein = (
        sampled(v, points_mm, outside=0.0) / 255
        for v in (vessels.vessel_probability, vessels.vein_probability)
    )
    ratio = np.log((artery + LEAST_PROBABILITY) / (vein + LEAST_PROBABILITY))
    return floats(np.clip(ratio, -MOST_EVIDENCE, MOST_EVIDENCE))


def _brightness_evidence(share: Floats, level: float) -> Floats:
    """Log likelihood ratio artery to vein by shares of arterial attenuation, bounded.

    What is brighter than blood, calcium or bone, counts against: an artery goes on behind
    its calcium. What is darker than any vein, plaque or fat in a gap, counts no more than a
    dark vein.
    """
    off, off_vein = (share - 1.0) ** 2, (share - level) ** 2
    ratio = (off_vein - off) / (2 * SHARE_SD**2)
    bounded = np.clip(ratio, -MOST_EVIDENCE, MOST_EVIDENCE)
    return floats(np.where(share > BRIGHTER, -MOST_EVIDENCE / 2, bounded))


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


def _worth_keeping(tree: VesselTree, evidence_1_mm: Floats) -> AnyArray:
    """Cut where the evidence times length over all that lies beyond is against an artery."""
    gain = evidence_1_mm * segment_length_mm(tree)
    worth, loss = np.array(gain), np.array(gain)
    for i in range(len(tree) - 1, 0, -1):
        parent = tree.parent[i]
        worth[parent] += max(worth[i], 0.0)  # what is worth nothing would be cut
        loss[parent] += worth[i] if worth[i] >= 0 else loss[i]
    vein = (worth < 0) & (loss < -LEAST_EVIDENCE) & (path_length_mm(tree) > TRUNK_MM)
    keep = np.ones(len(tree), dtype=bool)
    for i in range(1, len(tree)):
        keep[i] = keep[tree.parent[i]] and not vein[i]
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
